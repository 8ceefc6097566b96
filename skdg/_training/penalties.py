# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Penalties, with the schedules of their weights."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from skdg._training.batch import DomainBatch
from skdg._training.models import number
from skdg._training.optimizer import Optimizer


def never(batch: DomainBatch) -> float:
    """Let no weight divide the objective."""
    return math.inf


def one(batch: DomainBatch) -> float:
    """Let weights above 1 divide the objective."""
    return 1.0


@dataclass(frozen=True)
class Schedule:
    """A weight, and when it applies.

    Parameters
    ----------
    weight : float or ndarray of shape (n_models,)
        The weight from iteration `anneal_iters` on.

    anneal_iters : int or ndarray of shape (n_models,), default=0
        Number of iterations with another weight at the beginning.

    weight_before : float or ndarray of shape (n_models,), default=0.0
        The weight in these iterations.

    reset_optimizer : bool, default=False
        Whether the optimizer forgets its moments when the weight changes.
    """

    weight: Any
    anneal_iters: Any = 0
    weight_before: Any = 0.0
    reset_optimizer: bool = False

    def weight_at(self, iteration: int) -> Any:
        """Return the weight in an iteration, counted from 0."""
        if isinstance(self.anneal_iters, np.ndarray):
            before = iteration < self.anneal_iters
            return np.where(before, self.weight_before, self.weight)
        return self.weight_before if iteration < self.anneal_iters else self.weight

    def restarts_at(self, iteration: int) -> bool:
        """Tell whether the optimizer forgets its moments before an iteration."""
        return self.reset_optimizer and 0 < iteration == self.anneal_iters


@dataclass(frozen=True, kw_only=True)
class Penalty(Schedule):
    """A penalty with the schedule of its weight.

    Parameters
    ----------
    weight, anneal_iters, weight_before, reset_optimizer : object
        The schedule.

    function : callable
        The penalty as a pure function of a `DomainBatch`, or of the gradients of all
        domains, shape (n_domains, n_parameters).

    divided_above : callable, default=never
        ``divided_above(batch)`` is a weight; where the weight exceeds it, the objective
        is divided by the ratio of the two, so that a large weight means a small risk
        term and not a large step. It may depend on the shapes of the batch alone.

    name : str, default="penalty"
        The name of the penalty in the history.

    derivative : callable, default=None
        The derivative of the function in closed form; None to differentiate
        automatically. That of a penalty of gradients is a tensor of their shape, for
        which it may write over them. That of a penalty of a batch are its
        `Derivatives`; both see all models then, and the function is called first.

    of_moments : bool, default=False
        Whether a penalty of a `DomainBatch` is a function of risks and of the first and
        second moments, in each domain, of inputs and targets together, if features and
        outputs are affine in the inputs and the loss is quadratic.

    on_host : bool, default=False
        Whether the function looks at values, or draws some, outside of torch's
        operators.
    """

    function: Callable
    divided_above: Callable[[DomainBatch], float] = never
    name: str = "penalty"
    derivative: Callable | None = None
    of_moments: bool = False
    on_host: bool = False


def weights_and_scale(
    penalties: Sequence[Penalty], batch: DomainBatch, iteration: int
) -> tuple[list[Any], Any]:
    """Return the penalties' weights, and the factor of the whole objective."""
    weights = [penalty.weight_at(iteration) for penalty in penalties]
    ratios = (
        weight / penalty.divided_above(batch)
        for weight, penalty in zip(weights, penalties, strict=True)
    )
    # torch takes longer over numbers of numpy's.
    return weights, number(1.0 / reduce(np.maximum, ratios, 1.0))


def phase_of(schedules: Sequence[Schedule], iteration: int) -> tuple[Hashable, ...]:
    """Return what a step with these schedules does otherwise than in others."""
    weights = (schedule.weight_at(iteration) for schedule in schedules)
    return tuple(
        (
            weight.tobytes() if isinstance(weight, np.ndarray) else weight,
            schedule.restarts_at(iteration),
        )
        for schedule, weight in zip(schedules, weights, strict=True)
    )


def restart_if_due(
    schedules: Sequence[Schedule], optimizer: Optimizer, iteration: int
) -> None:
    """Let the optimizer forget its moments where a schedule asks for it."""
    if any(schedule.restarts_at(iteration) for schedule in schedules):
        optimizer.restart()

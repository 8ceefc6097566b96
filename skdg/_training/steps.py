# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The three kinds of training step, by what a method needs to see.

* `RiskStep`: outputs, features and risks of one batch. One forward and one backward
  pass, whatever the method.
* `GradientStep`, `DirectionStep`: the gradient of each domain's risk.
* A method whose step is itself a short training run writes its own, like
  `skdg.gradients.FishClassifier`.

A method contributes pure functions; the loop calls ``advance`` and knows no method.
Each step serves one model, or many side by side: numbers are then arrays with a value
per model, and all that depends on the model has a leading axis.
"""

from collections.abc import Callable, Hashable

import numpy as np
import torch
from torch import Tensor

from skdg._training.derivatives import Derivatives, differentiate
from skdg._training.losses import Loss
from skdg._training.models import is_any, over_values, per_model
from skdg._training.optimizer import Optimizer
from skdg._training.penalties import (
    Penalty,
    one,
    phase_of,
    restart_if_due,
    weights_and_scale,
)
from skdg._training.protocols import TOLERATED_GROWTH, Network, Record, Step
from skdg._training.rows import DomainRows

# What a method needs to make a step, in one place.
__all__ = [
    "TOLERATED_GROWTH",
    "Derivatives",
    "DirectionStep",
    "GradientStep",
    "Network",
    "Penalty",
    "Record",
    "RiskStep",
    "Step",
    "one",
]


class RiskStep(Step):
    """Descend on a function of risks, outputs and features.

    The objective is ``mean of risks + sum of weight * penalty(batch)``. A penalty of
    weight 0 is not evaluated, so that the step is exactly that of ERM.

    Parameters
    ----------
    *penalties : Penalty
        Their functions take a `DomainBatch`.

    weigh : callable, default=None
        ``weigh(risks)`` returns the weight of each domain's risk, of the shape of the
        risks, in place of equal weights: the derivative of whatever function of the
        risks takes the place of their mean. It sees all models.

    weigh_from : int, default=0
        The first iteration in which it does so.

    memory : dict of str to Tensor, default=None
        Where penalties or weights remember values; None if they do not.
    """

    def __init__(
        self,
        *penalties: Penalty,
        weigh: Callable[[Tensor], Tensor] | None = None,
        weigh_from: int = 0,
        memory: dict[str, Tensor] | None = None,
    ) -> None:
        self._penalties = [penalty for penalty in penalties if is_any(penalty.weight)]
        self.penalty_names = [penalty.name for penalty in self._penalties]
        self._weigh, self._weigh_from = weigh, weigh_from
        self.needs_moments_alone = all(p.of_moments for p in self._penalties)
        self._memory = {} if memory is None else memory

    @property
    def memory(self) -> dict[str, Tensor]:
        """What its penalties or weights remember."""
        return self._memory

    def phase(self, iteration: int) -> Hashable:
        """Return what the operators of an iteration depend on beside the rows."""
        return iteration < self._weigh_from, *phase_of(self._penalties, iteration)

    def recorded(self, record: Callable[[Step], Step]) -> Step:
        """Replace all of the step, unless a penalty is evaluated on the host."""
        return self if any(p.on_host for p in self._penalties) else record(self)

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step on the objective."""
        restart_if_due(self._penalties, optimizer, iteration)
        batch = network.forward(rows, loss)
        # What each domain's risk weighs, and with it each row.
        by_domain: Tensor | None = None
        if self._weigh is not None and iteration >= self._weigh_from:
            by_domain = self._weigh(batch.risks.detach())
        if not self._penalties:
            shares = rows.shares if by_domain is None else rows.column_of(by_domain)
            optimizer.apply(network.backward(batch.gradient(shares)))
            return Record(batch.risks)
        weights, scale = weights_and_scale(self._penalties, batch, iteration)
        values, found = differentiate(
            self._penalties, [weight * scale for weight in weights], batch
        )
        if by_domain is None and found.risks is None:
            shares = rows.shares
            if isinstance(scale, np.ndarray) or scale != 1.0:
                shares = shares * per_model(scale, batch.outputs)
        else:
            equal = 1.0 / rows.n_domains
            total = (equal if by_domain is None else by_domain) * per_model(
                scale, batch.risks
            )
            if found.risks is not None:
                total = found.risks + total
            shares = rows.column_of(total)
        gradient = batch.gradient(shares)
        if found.outputs is not None:
            gradient += found.outputs
        direction = network.backward(gradient, found.features, found.head)
        optimizer.apply(direction, scale)
        return Record(batch.risks, values)


class GradientStep(Step):
    """Descend on the mean risk and a penalty on the domains' gradients.

    The objective is ``mean of risks + weight * penalty(gradients)``; its gradient is
    exact, with the Hessian of each domain's risk applied to the derivative of the
    penalty in that domain's gradient.

    Parameters
    ----------
    penalty : Penalty
        Its function takes the gradients, shape (n_domains, n_parameters).

    tolerated_growth : float, default=10.0
        See `TOLERATED_GROWTH`. A penalty that is unbounded below needs less.
    """

    def __init__(
        self, penalty: Penalty, tolerated_growth: float = TOLERATED_GROWTH
    ) -> None:
        self.tolerated_growth = tolerated_growth
        self._penalties = [penalty] if is_any(penalty.weight) else []
        self.penalty_names = [penalty.name for penalty in self._penalties]

    def phase(self, iteration: int) -> Hashable:
        """Return what the operators of an iteration depend on beside the rows."""
        return phase_of(self._penalties, iteration)

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step on the objective."""
        if not self._penalties:
            return _ERM.advance(network, rows, loss, optimizer, iteration)
        restart_if_due(self._penalties, optimizer, iteration)
        (penalty,) = self._penalties
        batch = network.forward(rows, loss)
        (weight,), scale = weights_and_scale(self._penalties, batch, iteration)
        gradients = network.domain_gradients(batch)
        # Divided by the number of domains where another operator does so in passing.
        total, share = gradients.sum(-2), 1.0 / rows.n_domains
        value, directions = _value_and_derivative(penalty, gradients)
        if is_any(weight):
            products = network.hessian_products(directions)
            products.mul_(per_model(weight, products))
            direction = products.add_(total, alpha=share)
        else:
            direction = total.mul_(share)
        if isinstance(scale, np.ndarray) or scale != 1.0:
            direction.mul_(per_model(scale, direction))
        optimizer.apply(direction, scale)
        return Record(batch.risks, (value,))


def _value_and_derivative(penalty: Penalty, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Evaluate a penalty of gradients, and differentiate it in these."""
    if penalty.derivative is not None:
        return (
            over_values(penalty.function, gradients, 2),
            over_values(penalty.derivative, gradients, 2),
        )
    leaf = gradients.detach().requires_grad_()
    with torch.enable_grad():
        value = over_values(penalty.function, leaf, 2)
        (derivative,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), derivative


class DirectionStep(Step):
    """Step along a combination of the domains' gradients.

    Parameters
    ----------
    combine : callable
        ``combine(gradients, tensors)`` returns the direction, shape (n_parameters,),
        from the gradients, shape (n_domains, n_parameters). ``tensors(flat)`` views
        vectors of shape (..., n_parameters) as one tensor per parameter of the network.

    on_host : bool, default=False
        Whether it looks at values, or draws some, outside of torch's operators.
    """

    def __init__(
        self,
        combine: Callable[[Tensor, Callable[[Tensor], list[Tensor]]], Tensor],
        on_host: bool = False,
    ) -> None:
        self.penalty_names = []
        self._combine, self._on_host = combine, on_host

    def recorded(self, record: Callable[[Step], Step]) -> Step:
        """Replace all of the step, unless directions are combined on the host."""
        return self if self._on_host else record(self)

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step along the combined gradients."""
        batch = network.forward(rows, loss)
        gradients = network.domain_gradients(batch)
        direction = over_values(self._combine, gradients, 2, network.tensors)
        optimizer.apply(direction)
        return Record(batch.risks)


_ERM = RiskStep()

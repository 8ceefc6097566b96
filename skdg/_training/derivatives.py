# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Derivatives of penalties in what they see of a batch.

A small network's step takes less time than automatic differentiation of the simplest
penalty, so that a penalty can bring its derivative in closed form.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.models import is_any, over_batch, per_model
from skdg._training.penalties import Penalty


class Derivatives(NamedTuple):
    """Derivatives of a number in parts of a batch, of their shapes; None for 0.

    Parameters
    ----------
    risks, outputs, features, head : Tensor, default=None
        The derivatives, in memory of their own. How risks depend on outputs, and these
        on features and head, is not their concern.
    """

    risks: Tensor | None = None
    outputs: Tensor | None = None
    features: Tensor | None = None
    head: Tensor | None = None

    def times(self, factor: Any) -> "Derivatives":
        """Multiply in place by a number, or by one per model."""
        for value in self:
            if value is not None:
                value.mul_(per_model(factor, value))
        return self

    def plus(self, other: "Derivatives") -> "Derivatives":
        """Add other derivatives."""
        pairs = zip(self, other, strict=True)
        return Derivatives(
            *(b if a is None else a if b is None else a + b for a, b in pairs)
        )


def differentiate(
    penalties: Sequence[Penalty], weights: Sequence[Any], batch: DomainBatch
) -> tuple[tuple[Tensor, ...], Derivatives]:
    """Return the values of penalties, and the derivatives of their weighted sum.

    Parameters
    ----------
    penalties : sequence of Penalty
        Penalties of a batch.

    weights : sequence of float or of ndarray of shape (n_models,)
        Their weights.

    batch : DomainBatch
        The batch, which keeps no trace of its parameters.
    """
    values: dict[int, Tensor] = {}
    total = Derivatives()
    automatic = []
    for place, (penalty, weight) in enumerate(zip(penalties, weights, strict=True)):
        if penalty.derivative is None:
            automatic.append(place)
            continue
        values[place] = penalty.function(batch)
        if is_any(weight):
            total = total.plus(penalty.derivative(batch).times(weight))
    if automatic:
        functions = [penalties[place].function for place in automatic]
        own, found = _by_autograd(functions, [weights[i] for i in automatic], batch)
        values.update(zip(automatic, own, strict=True))
        total = total.plus(found)
    return tuple(values[place] for place in range(len(penalties))), total


def _by_autograd(
    functions: Sequence[Any], weights: Sequence[Any], batch: DomainBatch
) -> tuple[list[Tensor], Derivatives]:
    leaves = tuple(
        value.detach().requires_grad_()
        for value in (batch.risks, batch.outputs, batch.features, batch.head)
    )
    with torch.enable_grad():
        risks, outputs, features, head = leaves
        seen = DomainBatch(batch.rows, outputs, features, head, batch.loss, risks)
        values = [over_batch(function, seen) for function in functions]
    at_work = [
        (value, weight)
        for value, weight in zip(values, weights, strict=True)
        if is_any(weight)
    ]
    found = Derivatives()
    if at_work:
        outer = [
            per_model(weight, value)
            if isinstance(weight, np.ndarray)
            else value.new_full(value.shape, weight)
            for value, weight in at_work
        ]
        found = Derivatives(
            *torch.autograd.grad(
                [value for value, _ in at_work], leaves, outer, allow_unused=True
            )
        )
    return [value.detach() for value in values], found

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The three kinds of training step, by what a method needs to see.

* `RiskStep`: outputs, features and risks of one batch. One forward and one backward
  pass, whatever the method.
* `GradientStep`, `DirectionStep`: the gradient of each domain's risk.
* A method whose step is itself a short training run writes its own, like
  `skdg.gradients.FishClassifier`.

A method contributes pure functions; the loop calls ``advance`` and knows no method.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState


class Network(Protocol):
    """What a step may ask of a network; see `skdg._training.dense.DenseNetwork`."""

    parameters: Tensor

    @property
    def n_shared(self) -> int:
        """How many parameters, the first ones, belong to all domains."""

    def state(self) -> NetworkState:
        """Return a copy of the parameters as numpy arrays."""

    def looked_at(self) -> AbstractContextManager[None]:
        """Return a context in which passes leave no trace in the network."""

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs for `inputs`."""

    def tensors(self, flat: Tensor) -> list[Tensor]:
        """View vectors of shape (..., n_parameters) as one tensor per parameter."""

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`."""

    def backward(
        self,
        outputs_gradient: Tensor,
        features_gradient: Tensor | None = None,
        head_gradient: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient in the parameters of a scalar of the last pass."""

    def domain_gradients(self, batch: DomainBatch) -> Tensor:
        """Return the gradient of each domain's risk."""

    def hessian_products(self, directions: Tensor) -> Tensor:
        """Return the sum over domains of Hessian times direction."""


def shared_gradients(network: Network, rows: DomainRows, loss: Loss) -> Tensor:
    """Return the gradient of each domain's risk, to see how far domains agree.

    Parameters of a single domain, about which there is nothing to agree, have 0.
    """
    if network.n_shared == 0:
        raise ValueError(
            "The network has no parameters that domains share, so that their "
            "gradients cannot agree or conflict. In a network for several tasks use "
            "sharing='hard' and at least one hidden layer."
        )
    with network.looked_at():
        gradients = network.domain_gradients(network.forward(rows, loss))
    gradients[:, network.n_shared :] = 0.0
    return gradients


class Record(NamedTuple):
    """What an iteration leaves in the history.

    Parameters
    ----------
    risks : Tensor of shape (n_domains,)
        Mean loss of each domain.

    penalties : tuple of Tensor
        Value of each penalty, before its weight.
    """

    risks: Tensor
    penalties: tuple[Tensor, ...] = ()


# By default a training has diverged if its risk ends at this many times the risk that
# it began with, or that predicting 0 has. Below that it may be badly tuned.
TOLERATED_GROWTH = 10.0


class Step(Protocol):
    """One iteration of training."""

    penalty_names: list[str]
    tolerated_growth: float

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Change the network's parameters once."""


@dataclass(frozen=True)
class Penalty:
    """A penalty, its weight, and when the weight applies.

    Parameters
    ----------
    function : callable
        The penalty as a pure function of a `DomainBatch`, or of the gradients of all
        domains, shape (n_domains, n_parameters).

    weight : float
        Its weight from iteration `anneal_iters` on.

    anneal_iters : int, default=0
        Number of iterations with another weight at the beginning.

    weight_before : float, default=0.0
        The weight in these iterations.

    reset_optimizer : bool, default=False
        Whether the optimizer forgets its moments when the weight changes.

    rescale : bool, default=False
        Whether the objective is divided by the weight where that exceeds 1, so that a
        large weight means a small risk term and not a large step.

    name : str, default="penalty"
        The name of the penalty in the history.
    """

    function: Callable
    weight: float
    anneal_iters: int = 0
    weight_before: float = 0.0
    reset_optimizer: bool = False
    rescale: bool = False
    name: str = "penalty"

    def weight_at(self, iteration: int) -> float:
        """Return the weight in an iteration, counted from 0."""
        return self.weight_before if iteration < self.anneal_iters else self.weight

    def restarts_at(self, iteration: int) -> bool:
        """Tell whether the optimizer forgets its moments before an iteration."""
        return self.reset_optimizer and 0 < iteration == self.anneal_iters


def _weights_and_scale(
    penalties: Sequence[Penalty], iteration: int
) -> tuple[list[float], float]:
    """Return the penalties' weights, and the factor of the whole objective."""
    weights = [penalty.weight_at(iteration) for penalty in penalties]
    rescaled = [
        w for w, penalty in zip(weights, penalties, strict=True) if penalty.rescale
    ]
    return weights, 1.0 / max([1.0, *rescaled])


def _restart_if_due(
    penalties: Sequence[Penalty], optimizer: Optimizer, iteration: int
) -> None:
    if any(penalty.restarts_at(iteration) for penalty in penalties):
        optimizer.restart()


class RiskStep:
    """Descend on a function of risks, outputs and features.

    The objective is ``mean of risks + sum of weight * penalty(batch)``. A penalty of
    weight 0 is not evaluated, so that the step is exactly that of ERM.

    Parameters
    ----------
    *penalties : Penalty
        Their functions take a `DomainBatch`.

    weigh : callable, default=None
        ``weigh(risks, iteration)`` returns the weight of each domain's risk, shape
        (n_domains,), in place of equal weights: the derivative of whatever function of
        the risks takes the place of their mean.
    """

    tolerated_growth = TOLERATED_GROWTH

    def __init__(
        self,
        *penalties: Penalty,
        weigh: Callable[[Tensor, int], Tensor] | None = None,
    ) -> None:
        self._penalties = [penalty for penalty in penalties if penalty.weight]
        self._weigh = weigh
        self.penalty_names = [penalty.name for penalty in self._penalties]

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step on the objective."""
        _restart_if_due(self._penalties, optimizer, iteration)
        batch = network.forward(rows, loss)
        shares = rows.shares
        if self._weigh is not None:
            by_domain = self._weigh(batch.risks.detach(), iteration)
            shares = (rows.weights * rows.spread(by_domain))[:, None]
        if not self._penalties:
            optimizer.apply(network.backward(shares * batch.residuals))
            return Record(batch.risks)
        weights, scale = _weights_and_scale(self._penalties, iteration)
        # The derivative is taken in these alone: how they depend on the parameters, and
        # the risks on the outputs, is known in closed form.
        leaves = tuple(
            value.detach().requires_grad_()
            for value in (batch.risks, batch.outputs, batch.features, batch.head)
        )
        with torch.enable_grad():
            risks, outputs, features, head = leaves
            seen = DomainBatch(rows, outputs, features, head, loss, risks)
            values = tuple(penalty.function(seen) for penalty in self._penalties)
            in_risks, in_outputs, in_features, in_head = _derivatives(
                values, weights, leaves, scale
            )
        if scale != 1.0:
            shares = shares * scale
        if in_risks is not None:
            shares = shares + (rows.weights * rows.spread(in_risks))[:, None]
        gradient = shares * batch.residuals
        if in_outputs is not None:
            gradient += in_outputs
        optimizer.apply(network.backward(gradient, in_features, in_head), scale)
        return Record(batch.risks, tuple(value.detach() for value in values))


def _derivatives(
    values: Sequence[Tensor],
    weights: Sequence[float],
    leaves: tuple[Tensor, ...],
    scale: float,
) -> tuple[Tensor | None, ...]:
    """Differentiate the weighted sum of `values`; None where nothing depends."""
    at_work = [(v, w * scale) for v, w in zip(values, weights, strict=True) if w]
    if not at_work:
        return (None,) * len(leaves)
    outer = [value.new_full((), weight) for value, weight in at_work]
    return torch.autograd.grad(
        [value for value, _ in at_work], leaves, outer, allow_unused=True
    )


class GradientStep:
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
        self._penalties = [penalty] if penalty.weight else []
        self.penalty_names = [penalty.name for penalty in self._penalties]

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
        _restart_if_due(self._penalties, optimizer, iteration)
        (penalty,) = self._penalties
        (weight,), scale = _weights_and_scale(self._penalties, iteration)
        batch = network.forward(rows, loss)
        gradients = network.domain_gradients(batch)
        leaf = gradients.requires_grad_()
        with torch.enable_grad():
            value = penalty.function(leaf)
            (directions,) = torch.autograd.grad(value, leaf)
        direction = gradients.detach().mean(0)
        if weight:
            direction += network.hessian_products(directions).mul_(weight)
        optimizer.apply(direction.mul_(scale), scale)
        return Record(batch.risks, (value.detach(),))


class DirectionStep:
    """Step along a combination of the domains' gradients.

    Parameters
    ----------
    combine : callable
        ``combine(gradients, tensors)`` returns the direction, shape (n_parameters,),
        from the gradients, shape (n_domains, n_parameters). ``tensors(flat)`` views
        vectors of shape (..., n_parameters) as one tensor per parameter of the network.
    """

    tolerated_growth = TOLERATED_GROWTH

    def __init__(
        self, combine: Callable[[Tensor, Callable[[Tensor], list[Tensor]]], Tensor]
    ) -> None:
        self._combine = combine
        self.penalty_names: list[str] = []

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
        optimizer.apply(self._combine(gradients, network.tensors))
        return Record(batch.risks)


_ERM = RiskStep()

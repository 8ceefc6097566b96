# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What training, steps and networks ask of each other."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

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

    @property
    def is_affine(self) -> bool:
        """Whether features and outputs are affine functions of the inputs."""

    @property
    def is_fixed_program(self) -> bool:
        """Whether passes run the same operators whatever the values are."""

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
    risks : Tensor of shape (n_domains,) or (n_models, n_domains)
        Mean loss of each domain.

    penalties : tuple of Tensor
        Value of each penalty, before its weight, of shape () or (n_models,).
    """

    risks: Tensor
    penalties: tuple[Tensor, ...] = ()


# By default a training has diverged if its risk ends at this many times the risk that
# it began with, or that predicting 0 has. Below that it may be badly tuned.
TOLERATED_GROWTH = 10.0


class Step(Protocol):
    """One iteration of training.

    `needs_moments_alone` tells whether, of an affine network with a quadratic loss, the
    step depends on the rows of each domain by their weighted mean, their covariance and
    their total weight alone.
    """

    penalty_names: list[str]
    tolerated_growth: float = TOLERATED_GROWTH
    needs_moments_alone: bool = True

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Change the network's parameters once."""

    @property
    def memory(self) -> dict[str, Tensor]:
        """What it remembers from one iteration to the next, by name.

        Training that goes on from an earlier one, on the same domains in the same
        order, puts in here before the first iteration what was found after the last.
        """
        return {}

    def phase(self, iteration: int) -> Hashable:
        """Return what the operators of an iteration depend on beside the rows."""
        return None

    def recorded(self, record: Callable[["Step"], "Step"]) -> "Step":
        """Return the step with each part replaced that is a fixed program.

        By default that is all of it: its operators are those of its phase whatever the
        values are, it looks at none on the host and draws nothing there, and what it
        remembers from one iteration to the next is changed in place.
        """
        return record(self)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A training step against a discriminator of domains."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY, Loss
from skdg._training.models import per_model
from skdg._training.optimizer import Optimizer
from skdg._training.penalties import Schedule, phase_of, restart_if_due
from skdg._training.rows import DomainRows
from skdg._training.state import initial_dense_state
from skdg._training.steps import Network, Record, Step


class AdversarialStep(Step):
    """Descend on the mean risk, with the discriminator's gradient reversed.

    Parameters
    ----------
    schedule : Schedule
        How much of the gradient is reversed, and when.

    hidden_layer_sizes : tuple of int
        Hidden layers of the discriminator.

    learning_rate : float or ndarray of shape (n_models,)
        Step size of the discriminator's Adam.

    by_class : bool
        Whether the discriminator sees the class, and classes count equally.

    random_state : RandomState
        Source of the discriminator's initial weights.
    """

    needs_moments_alone = False

    def __init__(
        self,
        schedule: Schedule,
        hidden_layer_sizes: tuple[int, ...],
        learning_rate: Any,
        by_class: bool,
        random_state: np.random.RandomState,
    ) -> None:
        self.penalty_names = ["penalty"]
        self._schedule = schedule
        self._hidden_layer_sizes = hidden_layer_sizes
        self._learning_rate = learning_rate
        self._by_class = by_class
        self._random_state = random_state
        self._discriminator: DenseNetwork | None = None
        self._memory: dict[str, Tensor] = {}

    @property
    def memory(self) -> dict[str, Tensor]:
        """The discriminator's parameters, and the moments of its Adam."""
        return self._memory

    def phase(self, iteration: int) -> Hashable:
        """Return what the operators of an iteration depend on beside the rows."""
        return phase_of([self._schedule], iteration)

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one step of the discriminator and one, against it, of the network."""
        restart_if_due([self._schedule], optimizer, iteration)
        batch = network.forward(rows, loss)
        reversed_gradient, cross_entropy = self._discriminate(batch)
        weight = per_model(self._schedule.weight_at(iteration), batch.features)
        in_outputs = batch.gradient(rows.shares)
        optimizer.apply(network.backward(in_outputs, reversed_gradient.mul_(-weight)))
        return Record(batch.risks, (-cross_entropy,))

    def _discriminate(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Train the discriminator once.

        Returns the gradient of its cross-entropy in the features, and its value.
        """
        rows = self._discriminator_rows(batch)
        if self._discriminator is None:
            self._make_discriminator(rows)
        assert self._discriminator is not None
        outcome = self._discriminator.forward(rows, CROSS_ENTROPY)
        value = torch.linalg.vecdot(rows.mass, outcome.risks)
        gradient = self._discriminator.backward(
            outcome.gradient(rows.sample_weight[..., None])
        )
        n_features = batch.features.shape[-1]
        in_features = self._discriminator.inputs_gradient()[..., :n_features]
        self._optimizer.apply(gradient)
        return in_features, value

    def _discriminator_rows(self, batch: DomainBatch) -> DomainRows:
        """Return the discriminator's task; its sample weights sum to 1."""
        rows = batch.rows
        inputs = batch.features
        numbers = torch.arange(rows.n_domains, device=inputs.device)
        domains = rows.domain[:, None] == numbers
        weight = rows.weights / rows.n_domains
        if self._by_class:
            classes = batch.targets
            if classes.shape[-1] == 1:
                classes = torch.cat([1.0 - classes, classes], -1)
            inputs = torch.cat([inputs, classes], -1)
            by_class = classes * rows.sample_weight[..., None]
            total = by_class.sum(-2, keepdim=True)
            present = (total > 0).sum(-1)
            weight = (by_class / total.clamp(min=1e-30)).sum(-1) / present
        weight = weight.expand(inputs.shape[:-1])
        targets = domains.to(inputs.dtype).expand(*inputs.shape[:-1], -1)
        return rows.over(inputs, targets, weight)

    def _make_discriminator(self, rows: DomainRows) -> None:
        sizes = (rows.inputs.shape[-1], *self._hidden_layer_sizes, rows.n_domains)
        state = initial_dense_state(sizes, "relu", self._random_state)
        like = ("relu", rows.inputs.dtype, rows.inputs.device)
        if rows.n_models is None:
            self._discriminator = DenseNetwork.from_state(state, *like)
        else:
            states = [state] * rows.n_models
            self._discriminator = DenseNetwork.from_states(states, *like)
        parameters = self._discriminator.parameters
        self._optimizer = Optimizer(parameters, "adam", self._learning_rate)
        earlier = self._memory.get("parameters")
        if earlier is not None and earlier.shape == parameters.shape:
            parameters.copy_(earlier)
            self._optimizer.set_state(self._memory)
        self._memory.update(self._optimizer.moments, parameters=parameters)

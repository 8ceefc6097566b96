# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Soft sharing: one network per task, and a pull of each towards their mean.

The state of such networks has a leading task axis in every layer, in the order of the
estimator's `domains_`. While they are trained, tasks are in the order of the rows.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.dense import ACTIVATIONS, DenseNetwork
from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState, to_numpy
from skdg._training.steps import TOLERATED_GROWTH, Record


class TaskNetworks:
    r"""Multilayer perceptrons of one shape, one per task.

    The objective is :math:`\sum_t (R_t(\theta_t) + \sum_l \lambda_l \|\theta_t^l -
    \bar\theta^l\|^2 + \frac{\alpha}{2} \|W_t\|^2)`, with the weights W_t among the
    parameters, and layers l.

    A stiff pull makes a plain optimizer stall: it spends its steps on keeping the tasks
    together. So what it changes is a common vector m and vectors u_t with
    :math:`\theta_t = (\lambda m + u_t) / (1 + \lambda)`, where m takes the mean over
    tasks of the gradients F_t of the objective in the theta_t, and u_t takes F_t. That
    is the gradient times a fixed positive definite matrix, which is the identity in
    directions that all tasks share and :math:`1 / (1 + \lambda)` in all others: without
    a pull each task is trained by itself, and with a large one a single network is.

    Parameters
    ----------
    state : NetworkState
        Values of all parameters, with a leading task axis.

    places : ndarray of shape (n_tasks,)
        The position in training of each task.

    activation : {"identity", "relu", "tanh", "logistic"}
        Activation of the hidden layers.

    sharing_weight : ndarray of shape (n_layers,)
        The weights lambda_l.

    alpha : float
        Weight of the L2 penalty.

    dtype : torch.dtype
        Precision of the computation.

    device : torch.device
        Where it takes place.
    """

    def __init__(
        self,
        state: NetworkState,
        places: np.ndarray,
        activation: str,
        sharing_weight: np.ndarray,
        alpha: float,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._places = places
        self._activation = ACTIVATIONS[activation]
        order = np.argsort(places)
        arrays = [
            array[order].reshape(len(order), -1)
            for layer in zip(state.coefs, state.intercepts, strict=True)
            for array in layer
        ]
        start = torch.tensor(np.hstack(arrays), dtype=dtype, device=device)
        sizes = (
            state.coefs[0].shape[1],
            *(offsets.shape[1] for offsets in state.intercepts),
        )
        self._split = DenseNetwork(sizes, activation, start[0]).split
        pull, self._decay = start.new_zeros(2, start.shape[1])
        for layer, weight in zip(self._split(pull), sharing_weight, strict=True):
            for part in layer:
                part.fill_(weight)
        for weights, _ in self._split(self._decay):
            weights.fill_(alpha)
        self._own_share = 1.0 / (1.0 + pull)
        self._common_share = pull * self._own_share
        common = start.mean(0, keepdim=True)
        own = start + pull * (start - common)
        self.parameters = torch.cat([common, own]).flatten()
        # A view: optimizers change the parameters in place.
        self._vectors = self.parameters.unflatten(0, (1 + len(own), -1))

    def networks(self) -> Tensor:
        """Return the parameters theta_t of all networks, (n_tasks, n_parameters)."""
        return (
            self._common_share * self._vectors[0] + self._own_share * self._vectors[1:]
        )

    def state(self) -> NetworkState:
        """Return a copy of all networks as numpy arrays."""
        layers = self._split(self.networks())
        return NetworkState(
            [to_numpy(weights)[self._places] for weights, _ in layers],
            [to_numpy(offsets)[self._places] for _, offsets in layers],
        )

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run each task's network on the task's rows."""
        self._theta = self.networks()
        self._layers = self._split(self._theta)
        self._inputs = [rows.inputs]
        for weights, offsets in self._layers:
            output = rows.times(self._inputs[-1], weights)
            output += offsets[rows.domain]
            if len(self._inputs) < len(self._layers):
                self._inputs.append(self._activation.apply_(output))
        return DomainBatch.from_outputs(rows, output, self._inputs[-1], weights, loss)

    def direction(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Return the direction of descent, and the mean squared distance to the mean.

        Parameters
        ----------
        batch : DomainBatch
            The result of the last forward pass.

        Returns
        -------
        direction : Tensor
            The mean of the F_t, and then every F_t, as one vector.

        distance : Tensor of shape ()
            Mean over tasks of the squared distance to the mean network.
        """
        rows = batch.rows
        gradients = torch.empty_like(self._theta)
        delta = rows.weights[:, None] * batch.residuals
        in_layers = self._split(gradients)
        for layer in range(len(in_layers) - 1, -1, -1):
            in_weights, in_offsets = in_layers[layer]
            in_weights.copy_(rows.products(self._inputs[layer], delta))
            in_offsets.copy_(rows.sum(delta))
            if layer:
                delta = rows.times(delta, self._layers[layer][0].mT)
                self._activation.chain_(delta, self._inputs[layer])
        gradients.addcmul_(self._decay, self._theta)
        # The deviations from the mean network have sum 0, also with a large weight.
        common = gradients.mean(0, keepdim=True)
        own = self._vectors[1:]
        spread = own - own.mean(0)
        gradients.addcmul_(self._common_share, spread, value=2.0)
        distance = (self._own_share * spread).square().sum(1).mean()
        return torch.cat([common, gradients]).flatten(), distance

    @property
    def n_shared(self) -> int:
        """How many parameters belong to all tasks: none."""
        return 0

    def looked_at(self) -> AbstractContextManager[None]:
        """Return a context in which passes leave no trace; here they never do."""
        return nullcontext()

    def domain_gradients(self, batch: DomainBatch) -> NoReturn:
        """Refuse: no parameter is shared.

        Parameters
        ----------
        batch : DomainBatch
            The result of the last forward pass.
        """
        raise TypeError(
            "With sharing='soft' no parameter belongs to several tasks, so that their "
            "gradients cannot be compared. Use sharing='hard'."
        )


class SoftSharingStep:
    """Descend on the objective of `TaskNetworks`."""

    tolerated_growth = TOLERATED_GROWTH

    def __init__(self) -> None:
        self.penalty_names = ["penalty"]

    def advance(
        self,
        network: Any,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step."""
        batch = network.forward(rows, loss)
        direction, distance = network.direction(batch)
        optimizer.apply(direction)
        return Record(batch.risks, (distance,))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Soft sharing: one network per task, and a pull of each towards their mean.

The state of such networks has a leading task axis in every layer, in the order of the
estimator's `domains_`. While they are trained, tasks are in the order of the rows.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.layers import ACTIVATIONS
from skdg._training.losses import Loss
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState, to_numpy
from skdg.multitask._soft_coordinates import PulledCoordinates
from skdg.multitask._task_states import parameter_rows


class TaskNetworks:
    r"""Multilayer perceptrons of one shape, one per task.

    The objective is :math:`\sum_t (R_t(\theta_t) + \sum_l \lambda_l \|\theta_t^l -
    \bar\theta^l\|^2 + \frac{\alpha}{2} \|W_t\|^2)`, with the weights W_t among the
    parameters, and layers l.

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
        self._places, self._activation = places, ACTIVATIONS[activation]
        start = torch.tensor(
            parameter_rows(state, np.argsort(places)), dtype=dtype, device=device
        )
        widths = (offsets.shape[1] for offsets in state.intercepts)
        sizes = (state.coefs[0].shape[1], *widths)
        self._split = DenseNetwork(sizes, activation, start[0]).split
        pull, self._decay = start.new_zeros(2, start.shape[1])
        for layer, weight in zip(self._split(pull), sharing_weight, strict=True):
            for part in layer:
                part.fill_(weight)
        for weights, _ in self._split(self._decay):
            weights.fill_(alpha)
        self._coordinates = PulledCoordinates(start, pull)
        self.parameters = self._coordinates.parameters

    def state(self) -> NetworkState:
        """Return a copy of all networks as numpy arrays."""
        layers = self._split(self._coordinates.networks())
        return NetworkState(
            [to_numpy(weights)[self._places] for weights, _ in layers],
            [to_numpy(offsets)[self._places] for _, offsets in layers],
        )

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run each task's network on the task's rows."""
        self._theta = self._coordinates.networks()
        self._layers = self._split(self._theta)
        self._inputs = [rows.inputs]
        for weights, offsets in self._layers:
            output = rows.times(self._inputs[-1], weights)
            output += offsets[rows.domain]
            if len(self._inputs) < len(self._layers):
                self._inputs.append(self._activation.apply_(output))
        return DomainBatch.from_outputs(rows, output, self._inputs[-1], weights, loss)

    def direction(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Return what `PulledCoordinates.direction` makes of the last forward pass."""
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
        return self._coordinates.direction(gradients)

    @property
    def n_shared(self) -> int:
        """How many parameters belong to all tasks: none."""
        return 0

    @property
    def is_affine(self) -> bool:
        """Whether features and outputs are affine functions of the inputs."""
        return len(self._split(self._decay)) == 1 or (
            self._activation is ACTIVATIONS["identity"]
        )

    @property
    def is_fixed_program(self) -> bool:
        """Whether passes run the same operators whatever the values are: yes."""
        return True

    def looked_at(self) -> AbstractContextManager[None]:
        """Return a context in which passes leave no trace; here they never do."""
        return nullcontext()

    def domain_gradients(self, batch: DomainBatch) -> NoReturn:
        """Refuse: no parameter is shared."""
        raise TypeError(
            "With sharing='soft' no parameter belongs to several tasks, so that their "
            "gradients cannot be compared. Use sharing='hard'."
        )

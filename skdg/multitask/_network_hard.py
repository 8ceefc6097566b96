# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Hard sharing: one network with a head per task.

The heads stand side by side in one wide last layer, and each row's loss looks at the
columns of its own task. All derivatives follow from that, so that the networks of
`skdg._training` and every training step serve as they are.

The state of such a network has a leading task axis in its last layer, in the order of
the estimator's `domains_`. While it is trained, tasks are in the order of the rows.
"""

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import Loss
from skdg._training.module import ModuleNetwork
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState


def own_columns(loss: Loss, rows: DomainRows) -> Loss:
    """Return the loss of outputs of all heads, of which each row sees its task's.

    Parameters
    ----------
    loss : Loss
        The loss of outputs of shape (n_rows, n_outputs).

    rows : DomainRows
        The rows; domains are tasks.

    Returns
    -------
    Loss
        The loss of outputs of shape (n_rows, n_tasks * n_outputs).
    """
    number = torch.arange(len(rows.inputs), device=rows.inputs.device)

    def own(wide: Tensor) -> Tensor:
        return wide.unflatten(1, (rows.n_domains, -1))[number, rows.domain]

    def spread(values: Tensor) -> Tensor:
        wide = values.new_zeros(len(values), rows.n_domains, values.shape[1])
        wide[number, rows.domain] = values
        return wide.flatten(1)

    return Loss(
        lambda outputs, targets: loss.value(own(outputs), targets),
        lambda outputs, targets: spread(loss.residual(own(outputs), targets)),
        lambda outputs, directions: spread(
            loss.residual_tangent(own(outputs), own(directions))
        ),
        lambda outputs: loss.probabilities(own(outputs)),
    )


def heads_side_by_side(state: NetworkState, places: np.ndarray) -> NetworkState:
    """Turn heads with a leading task axis into one wide layer, in training order.

    Parameters
    ----------
    state : NetworkState
        Its last layer has shapes (n_tasks, n_hidden, n_outputs) and (n_tasks,
        n_outputs).

    places : ndarray of shape (n_tasks,)
        The position in training of each task.

    Returns
    -------
    NetworkState
        Its last layer has shapes (n_hidden, n_tasks * n_outputs) and (n_tasks *
        n_outputs,).
    """
    order = np.argsort(places)
    head, offsets = state.coefs[-1][order], state.intercepts[-1][order]
    wide = head.transpose(1, 0, 2).reshape(head.shape[1], -1)
    return NetworkState(
        [*state.coefs[:-1], wide],
        [*state.intercepts[:-1], offsets.ravel()],
        state.module,
    )


def heads_by_task(state: NetworkState, places: np.ndarray) -> NetworkState:
    """Undo `heads_side_by_side`."""
    head, offsets = state.coefs[-1], state.intercepts[-1]
    by_task = head.reshape(len(head), len(places), -1).transpose(1, 0, 2)[places]
    return NetworkState(
        [*state.coefs[:-1], np.ascontiguousarray(by_task)],
        [*state.intercepts[:-1], offsets.reshape(len(places), -1)[places]],
        state.module,
    )


def _n_before_heads(network: DenseNetwork | ModuleNetwork) -> int:
    """Return the number of parameters without those of the heads, which come last."""
    *_, head, offsets = network.tensors(network.parameters)
    return len(network.parameters) - head.numel() - offsets.numel()


class MultiHeadNetwork(DenseNetwork):
    """A multilayer perceptron with a head per task, see the module's docstring.

    Parameters
    ----------
    state : NetworkState
        Values of all parameters; heads have a leading task axis.

    places : ndarray of shape (n_tasks,)
        The position in training of each task.

    activation : {"identity", "relu", "tanh", "logistic"}
        Activation of the hidden layers.

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
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        wide = heads_side_by_side(state, places)
        plain = DenseNetwork.from_state(wide, activation, dtype, device)
        super().__init__(plain.layer_sizes, activation, plain.parameters)
        self.places = places

    def state(self) -> NetworkState:
        """Return a copy of the parameters as numpy arrays, heads by task."""
        return heads_by_task(super().state(), self.places)

    @property
    def n_shared(self) -> int:
        """How many parameters, the first ones, belong to all tasks."""
        return _n_before_heads(self)

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`; the outputs are those of all heads."""
        return super().forward(rows, own_columns(loss, rows))


class MultiHeadModuleNetwork(ModuleNetwork):
    """A user's featurizer with a head per task, see the module's docstring.

    Parameters
    ----------
    featurizer : torch.nn.Module
        Maps inputs to features.

    state : NetworkState
        Values of all parameters and buffers; heads have a leading task axis.

    places : ndarray of shape (n_tasks,)
        The position in training of each task.

    dtype : torch.dtype
        Precision of the computation.

    device : torch.device
        Where it takes place.
    """

    def __init__(
        self,
        featurizer: torch.nn.Module,
        state: NetworkState,
        places: np.ndarray,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        super().__init__(featurizer, heads_side_by_side(state, places), dtype, device)
        self.places = places

    def state(self) -> NetworkState:
        """Return a copy of parameters and buffers as numpy arrays, heads by task."""
        return heads_by_task(super().state(), self.places)

    @property
    def n_shared(self) -> int:
        """How many parameters, the first ones, belong to all tasks."""
        return _n_before_heads(self)

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`; the outputs are those of all heads."""
        return super().forward(rows, own_columns(loss, rows))

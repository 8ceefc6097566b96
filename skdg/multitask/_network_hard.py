# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Hard sharing: one network with a head per task.

All derivatives follow from the heads' place in one wide last layer, so that the
networks of `skdg._training` and every training step serve as they are.
"""

from typing import Any

import numpy as np
import torch

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import Loss
from skdg._training.module import ModuleNetwork
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState
from skdg.multitask._heads import heads_by_task, heads_side_by_side, own_columns


class _MultiHead:
    """What a network with heads does otherwise than one without."""

    places: np.ndarray

    def state(self: Any) -> NetworkState:
        """Return a copy of parameters and buffers as numpy arrays, heads by task."""
        return heads_by_task(super().state(), self.places)  # type: ignore[misc]

    @property
    def n_shared(self: Any) -> int:
        """How many parameters, the first ones, belong to all tasks."""
        *_, head, offsets = self.tensors(self.parameters)
        return len(self.parameters) - head.numel() - offsets.numel()

    def forward(self: Any, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`; the outputs are those of all heads."""
        own = own_columns(loss, rows)
        return super().forward(rows, own)  # type: ignore[misc]


class MultiHeadNetwork(_MultiHead, DenseNetwork):
    """A multilayer perceptron with a head per task.

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


class MultiHeadModuleNetwork(_MultiHead, ModuleNetwork):
    """A user's featurizer with a head per task.

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

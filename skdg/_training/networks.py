# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""From parameters and fitted attributes to networks, and back."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg._training.data import Targets, TrainingData
from skdg._training.dense import DenseNetwork
from skdg._training.device import few_threads, resolve_device, resolve_dtype
from skdg._training.models import is_any, per_model
from skdg._training.module import ModuleNetwork, build_featurizer, featurizer_width
from skdg._training.parameters import NetworkParameters
from skdg._training.protocols import Network
from skdg._training.state import (
    NetworkState,
    check_layer_sizes,
    initial_dense_state,
    initial_module_state,
    torch_seed,
)

# Rows per forward pass of a prediction, which bounds its memory.
_PREDICT_ROWS = 2**16


@estimator
class NetworkHolder(NetworkParameters):
    """Makes the network that is trained, keeps its numbers as arrays, and runs it.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. With a `module`, those of the last linear layer alone.

    intercepts_ : list of ndarray of shape (n_out,)
        Offsets of each layer, as `coefs_`.

    module_state_ : dict of ndarray
        Parameters and buffers of the user's module. Only if `module` is given.
    """

    # What the module was built with, see `_build_featurizer`.
    _module_seed = 0

    # Not every fit sets these.
    _optional_attributes: ClassVar[tuple[str, ...]] = (
        "coef_",
        "intercept_",
        "module_state_",
    )

    def _make_network(
        self,
        data: TrainingData,
        start: NetworkState | None,
        random_state: np.random.RandomState,
        module_seed: int,
    ) -> Network:
        """Make the network, from `start` or from newly drawn values."""
        inputs = data.rows.inputs
        featurizer = self._build_featurizer(inputs.shape[1], module_seed, inputs.device)
        if start is None:
            if featurizer is None:
                start = self._initial_state(data, random_state)
            else:
                width = featurizer_width(featurizer, inputs)
                n_outputs = data.targets.values.shape[1]
                start = initial_module_state(featurizer, width, n_outputs, random_state)
        return self._build_network(start, featurizer, data)

    def _initial_state(
        self, data: TrainingData, random_state: np.random.RandomState
    ) -> NetworkState:
        """Draw the weights of linear layers."""
        hidden = check_layer_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
        n_features, n_outputs = data.rows.inputs.shape[1], data.targets.values.shape[1]
        sizes = (n_features, *hidden, n_outputs)
        return initial_dense_state(sizes, self.activation, random_state)

    def _build_network(
        self,
        state: NetworkState,
        featurizer: torch.nn.Module | None,
        data: TrainingData,
    ) -> Network:
        """Make the network that is trained; without a featurizer it is dense."""
        inputs = data.rows.inputs
        if featurizer is None:
            return DenseNetwork.from_state(
                state, self.activation, inputs.dtype, inputs.device
            )
        return ModuleNetwork(featurizer, state, inputs.dtype, inputs.device)

    def _build_featurizer(
        self, n_features: int, seed: int, device: torch.device
    ) -> torch.nn.Module | None:
        """Build the user's module, whose constructor may draw what no state holds."""
        if self.module is None:
            return None
        with torch_seed(seed, device):
            return build_featurizer(self.module, n_features)

    def _module_runs(
        self, seed: int, device: torch.device
    ) -> AbstractContextManager[None]:
        """Keep a user's module away from torch's global generators."""
        return nullcontext() if self.module is None else torch_seed(seed, device)

    def _decay(self, network: Network) -> torch.Tensor | None:
        """Return the factor of each parameter in the gradient of the L2 penalty."""
        if not is_any(self.alpha):
            return None
        decay = torch.zeros_like(network.parameters)
        for tensor in network.tensors(decay):
            if tensor.ndim > decay.ndim:  # weights, not offsets
                tensor.add_(per_model(self.alpha, tensor))
        return decay

    def _current_state(self, data: TrainingData) -> NetworkState:
        """Return the fitted network in the units of the new targets."""
        state = NetworkState(
            self.coefs_, self.intercepts_, getattr(self, "module_state_", None)
        )
        sizes = list(state.layer_sizes)
        n_outputs = data.targets.values.shape[1]
        if self.module is None:
            wanted = [data.rows.inputs.shape[1], *self.hidden_layer_sizes, n_outputs]
        else:
            wanted = [sizes[0], n_outputs]
        if sizes != wanted:
            raise ValueError(
                f"{type(self).__name__} cannot go on from the last fit: its layers "
                f"have sizes {sizes}, and the data and parameters ask for {wanted}. "
                f"Set warm_start=False, or fit a clone."
            )
        scale, offset = data.targets.scale, data.targets.offset
        return state.with_outputs(1.0 / scale, -offset / scale)

    def _attributes(self, state: NetworkState, targets: Targets) -> dict[str, Any]:
        """Return the fitted attributes of a network, in the units of y."""
        state = state.with_outputs(targets.scale, targets.offset)
        return self._state_attributes(state, targets) | targets.attributes

    def _state_attributes(
        self, state: NetworkState, targets: Targets
    ) -> dict[str, Any]:
        """Return the fitted attributes that hold the parameters."""
        attributes: dict[str, Any] = {
            "coefs_": state.coefs,
            "intercepts_": state.intercepts,
        }
        if state.module is not None:
            attributes["module_state_"] = state.module
        elif len(state.coefs) == 1:
            attributes["coef_"] = np.ascontiguousarray(state.coefs[0].T)
            attributes["intercept_"] = state.intercepts[0]
        return attributes

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the network's outputs for X, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        device = resolve_device(self.device, fitting=False)
        state = NetworkState(
            self.coefs_, self.intercepts_, getattr(self, "module_state_", None)
        )
        return self._run(state, X, device)

    def _run(
        self, state: NetworkState, X: np.ndarray, device: torch.device
    ) -> np.ndarray:
        """Return the outputs of a network for checked rows."""
        dtype = resolve_dtype(state.coefs[0].dtype, device)
        with torch.no_grad(), self._module_runs(0, device):
            network: Network
            featurizer = self._build_featurizer(X.shape[1], self._module_seed, device)
            if featurizer is not None:
                network = ModuleNetwork(featurizer, state, dtype, device)
            else:
                network = DenseNetwork.from_state(state, self.activation, dtype, device)
            outputs = []
            with few_threads(min(len(X), _PREDICT_ROWS) * len(network.parameters)):
                for first in range(0, len(X), _PREDICT_ROWS):
                    # A copy, since torch takes no negative strides.
                    part = np.array(X[first : first + _PREDICT_ROWS], order="C")
                    rows = torch.as_tensor(part, dtype=dtype, device=device)
                    outputs.append(network.outputs(rows))
            return torch.cat(outputs).cpu().numpy()

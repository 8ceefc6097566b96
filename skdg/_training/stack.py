# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Stacks of linear layers as a fixed program over buffers that are allocated once.

Written out because a small network's step is bound by bookkeeping and fresh memory,
not by arithmetic.

The same program trains many models of one shape side by side: all that depends on the
model then has a leading model axis, which the shapes below do not mention.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch, Memory
from skdg._training.layers import (
    ACTIVATIONS,
    affine,
    back_to_inputs,
    back_to_weights,
)
from skdg._training.losses import Loss
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState, to_numpy


class _Buffers(NamedTuple):
    """Memory for one number of rows: per layer its output, and the loss's gradient."""

    outputs: list[Tensor]
    deltas: list[Tensor]
    of_rows: Memory


class LayerStack:
    """A multilayer perceptron, or many, whose parameters are one flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        Sizes from the inputs to the outputs.

    activation : {"identity", "relu", "tanh", "logistic"}
        Activation of the hidden layers.

    parameters : Tensor of shape (n_parameters,) or (n_models, n_parameters)
        The flat vector of all weights and offsets, see `split`. Changed in place by
        optimizers.
    """

    def __init__(
        self, layer_sizes: tuple[int, ...], activation: str, parameters: Tensor
    ) -> None:
        self.layer_sizes = layer_sizes
        self._part_sizes = [
            size for a, b in pairwise(layer_sizes) for size in (a * b, b)
        ]
        self.parameters = parameters
        self._activation = ACTIVATIONS[activation]
        self._layers = self.split(parameters)
        self._buffers: dict[tuple[int, int], _Buffers] = {}

    @classmethod
    def from_state(
        cls,
        state: NetworkState,
        activation: str,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Self:
        """Make a network from numpy arrays, which are copied."""
        flat = torch.tensor(state.flat(), dtype=dtype, device=device)
        return cls(state.layer_sizes, activation, flat)

    @classmethod
    def from_states(
        cls,
        states: Sequence[NetworkState],
        activation: str,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Self:
        """Make networks of one shape from numpy arrays, to be trained side by side."""
        flat = np.stack([state.flat() for state in states])
        parameters = torch.tensor(flat, dtype=dtype, device=device)
        return cls(states[0].layer_sizes, activation, parameters)

    def state(self) -> NetworkState:
        """Return a copy of the parameters as numpy arrays."""
        return self._state(self.parameters)

    def states(self) -> list[NetworkState]:
        """Return what `state` does for each of the models."""
        return [self._state(flat) for flat in self.parameters]

    def _state(self, flat: Tensor) -> NetworkState:
        arrays = [to_numpy(tensor) for tensor in self.tensors(flat)]
        return NetworkState(arrays[::2], arrays[1::2])

    def looked_at(self) -> AbstractContextManager[None]:
        """Return a context in which passes leave no trace; here they never do."""
        return nullcontext()

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs for `inputs`, in memory of their own."""
        hidden = inputs
        for layer, (weights, offsets) in enumerate(self._layers):
            previous, hidden = hidden, hidden.new_empty(len(hidden), len(offsets))
            affine(previous, weights, offsets, hidden)
            if layer < len(self._layers) - 1:
                self._activation.apply_(hidden)
        return hidden

    def split(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """View vectors of shape (..., n_parameters) as (weights, offsets) per layer.

        Weights have shape (..., n_in, n_out), as in scikit-learn's ``coefs_``, offsets
        (..., n_out).
        """
        parts = flat.split(self._part_sizes, -1)
        leading = flat.shape[:-1]
        return [
            (parts[2 * layer].view(*leading, *shape), parts[2 * layer + 1])
            for layer, shape in enumerate(pairwise(self.layer_sizes))
        ]

    def tensors(self, flat: Tensor) -> list[Tensor]:
        """View vectors of shape (..., n_parameters) as one tensor per parameter."""
        return [tensor for layer in self.split(flat) for tensor in layer]

    @property
    def n_shared(self) -> int:
        """How many parameters, the first ones, belong to all domains: all of them."""
        return self.parameters.shape[-1]

    @property
    def is_affine(self) -> bool:
        """Whether features and outputs are affine functions of the inputs."""
        return len(self._layers) == 1 or self._activation is ACTIVATIONS["identity"]

    @property
    def is_fixed_program(self) -> bool:
        """Whether passes run the same operators whatever the values are: yes."""
        return True

    @property
    def head(self) -> Tensor:
        """Weights of the last layer, shape (n_hidden, n_outputs)."""
        return self._layers[-1][0]

    # Not made with the network, which may serve a prediction alone.
    @cached_property
    def _gradient(self) -> Tensor:
        return torch.empty_like(self.parameters)

    @cached_property
    def _gradient_layers(self) -> list[tuple[Tensor, Tensor]]:
        return self.split(self._gradient)

    def _buffers_for(self, n_rows: int, order: int = 1) -> _Buffers:
        """Return memory for passes (of order 1) or for their derivatives (of 2)."""
        key = (n_rows, order)
        if key not in self._buffers:
            shape = (*self.parameters.shape[:-1], n_rows)
            new = self.parameters.new_empty
            outputs, deltas = (
                [new(*shape, size) for size in self.layer_sizes[1:]] for _ in range(2)
            )
            residuals, slopes = (torch.empty_like(outputs[-1]) for _ in range(2))
            of_rows = Memory(new(shape), residuals, deltas[-1], slopes)
            self._buffers[key] = _Buffers(outputs, deltas, of_rows)
        return self._buffers[key]

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`; the result is valid until the next call."""
        self._rows = rows
        buffers = self._buffers_for(rows.n_rows)
        self._inputs = [rows.all_inputs, *buffers.outputs[:-1]]
        last = len(self._layers) - 1
        for layer, (weights, offsets) in enumerate(self._layers):
            output = buffers.outputs[layer]
            affine(self._inputs[layer], weights, offsets, output)
            if layer < last:
                self._activation.apply_(output)
        return DomainBatch.from_outputs(
            *(rows, buffers.outputs[-1], self._inputs[-1], self.head, loss),
            memory=buffers.of_rows,
        )

    def backward(
        self,
        outputs_gradient: Tensor,
        features_gradient: Tensor | None = None,
        head_gradient: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient in the parameters of a scalar of the last forward pass.

        Parameters
        ----------
        outputs_gradient : Tensor of shape (n_rows, n_outputs)
            Gradient of the scalar in the outputs.

        features_gradient : Tensor of shape (n_rows, n_hidden) or None
            Gradient in the features, beside what goes through the outputs.

        head_gradient : Tensor of shape (n_hidden, n_outputs) or None
            Gradient in the head, beside what goes through the outputs.

        Returns
        -------
        Tensor of shape (n_parameters,)
            The gradient, valid until the next call.
        """
        self._propagate(outputs_gradient, features_gradient)
        for layer, (weights, offsets) in enumerate(self._gradient_layers):
            back_to_weights(self._inputs[layer], self._deltas[layer], weights)
            torch.sum(self._deltas[layer], -2, out=offsets)
        if head_gradient is not None:
            self._gradient_layers[-1][0].add_(head_gradient)
        return self._gradient

    def _propagate(self, delta: Tensor, features_gradient: Tensor | None) -> None:
        """Compute the gradient in each layer's output before its activation."""
        buffers = self._buffers_for(delta.shape[-2]).deltas[:-1]
        self._deltas = [*buffers, delta]
        for layer in range(len(buffers) - 1, -1, -1):
            weights = self._layers[layer + 1][0]
            back_to_inputs(self._deltas[layer + 1], weights, buffers[layer])
            if features_gradient is not None and layer == len(buffers) - 1:
                buffers[layer].add_(features_gradient)
            self._activation.chain_(buffers[layer], self._inputs[layer + 1])

    def inputs_gradient(self) -> Tensor:
        """Return the gradient in the inputs of the scalar of the last `backward`."""
        return self._deltas[0] @ self._layers[0][0].mT

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A user's torch module with a linear head, by automatic differentiation.

It offers what `skdg._training.dense.DenseNetwork` offers; both agree to rounding.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.losses import Loss
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState, to_numpy


def build_featurizer(module: Callable[[int], Any], n_features: int) -> torch.nn.Module:
    """Call the user's `module`, and return a network that no other call is given.

    It may return the same one at every call, such as a network that was trained before,
    or parts of it. Then it is copied: no fit must change what the next one starts from.
    """
    if isinstance(module, torch.nn.Module):
        raise ValueError(
            f"module must be a callable that takes n_features and returns a "
            f"torch.nn.Module, not a module itself; got one of type "
            f"{type(module).__name__}. Wrap it: module=lambda n_features: network, or "
            f"a function of your own if the estimator is to be pickled."
        )
    featurizer = module(n_features)
    if not isinstance(featurizer, torch.nn.Module):
        raise ValueError(
            f"module must be a callable that takes n_features and returns a "
            f"torch.nn.Module; module({n_features}) returned an object of type "
            f"{type(featurizer).__name__}."
        )
    if _parts(featurizer).isdisjoint(_parts(module(n_features))):
        return featurizer
    try:
        return copy.deepcopy(featurizer)
    except Exception as error:
        raise ValueError(
            f"module returns the same network, or parts of it, at each call, and these "
            f"cannot be copied: {error} Build all of it anew in each call."
        ) from error


def _parts(featurizer: torch.nn.Module) -> set[Any]:
    parts = (featurizer.modules(), featurizer.parameters(), featurizer.buffers())
    return {part for kind in parts for part in kind}


def featurizer_width(featurizer: torch.nn.Module, inputs: Tensor) -> int:
    """Return the number of features that a module makes of rows like `inputs`."""
    # One row in evaluation mode, so that no running mean moves.
    featurizer.to(inputs.device, inputs.dtype).eval()
    with torch.no_grad():
        features = check_features(featurizer(inputs[:1]), 1)
    featurizer.train()
    return features.shape[1]


def check_features(features: object, n_rows: int) -> Tensor:
    """Check what the user's module made of `n_rows` rows."""
    if not isinstance(features, Tensor):
        raise ValueError(
            f"module must map a batch to one tensor of features; its forward returned "
            f"an object of type {type(features).__name__}."
        )
    if features.ndim != 2 or len(features) != n_rows:
        raise ValueError(
            f"module must map rows of shape (n_rows, n_features) to features of shape "
            f"(n_rows, n_hidden); for {n_rows} rows its forward returned shape "
            f"{tuple(features.shape)}."
        )
    return features


class ModuleNetwork:
    """A featurizer and a linear head whose parameters are one flat vector.

    The vector holds the featurizer's parameters in their own order, those that require
    a gradient, then weights and offsets of the head. Optimizers change it in place. The
    featurizer itself keeps frozen parameters, and only its buffers (such as running
    means) up to date.

    Parameters
    ----------
    featurizer : torch.nn.Module
        Maps inputs to features.

    state : NetworkState
        Values of all parameters and buffers.

    dtype : torch.dtype
        Precision of the computation.

    device : torch.device
        Where it takes place.
    """

    def __init__(
        self,
        featurizer: torch.nn.Module,
        state: NetworkState,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        assert state.module is not None
        (head,), (offsets,) = state.coefs, state.intercepts
        values = {name: torch.tensor(array) for name, array in state.module.items()}
        # First the precision: values would be rounded to that of a new module.
        self._featurizer = featurizer.to(device, dtype)
        try:
            featurizer.load_state_dict(values)
        except RuntimeError as error:
            raise ValueError(
                f"module builds another network than the one that was fitted, so its "
                f"parameters cannot be put back: {error}"
            ) from error
        trained = {
            name: parameter.detach()
            for name, parameter in featurizer.named_parameters()
            if parameter.requires_grad
        }
        self._names = list(trained)
        # A parameter that several layers share, or a layer in several places, has
        # several names. Looked up before a call: these may leave a plain tensor there.
        first: dict[Any, str] = {}
        self._first_names = {
            name: first.setdefault(parameter, name)
            for name, parameter in featurizer.named_parameters(remove_duplicate=False)
        }
        self._shapes = [*(p.shape for p in trained.values()), head.shape, offsets.shape]
        flat = [*(p.flatten() for p in trained.values())]
        flat += [
            torch.tensor(array.ravel(), dtype=dtype, device=device)
            for array in (head, offsets)
        ]
        self.parameters = torch.cat(flat)

    def state(self) -> NetworkState:
        """Return a copy of parameters and buffers as numpy arrays."""
        *tensors, head, offsets = self.tensors(self.parameters)
        values = {
            name: to_numpy(v) for name, v in self._featurizer.state_dict().items()
        }
        trained = dict(zip(self._names, tensors, strict=True))
        for name, first in self._first_names.items():
            if first in trained:
                values[name] = to_numpy(trained[first])
        return NetworkState([to_numpy(head)], [to_numpy(offsets)], values)

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Keep the featurizer in evaluation mode, so that passes leave no trace."""
        self._featurizer.eval()
        try:
            yield
        finally:
            self._featurizer.train()

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs for `inputs`, with the featurizer in evaluation mode."""
        *featurizer, head, offsets = self.tensors(self.parameters)
        named = dict(zip(self._names, featurizer, strict=True))
        with self.looked_at():
            features = torch.func.functional_call(self._featurizer, named, (inputs,))
        return torch.addmm(offsets, check_features(features, len(inputs)), head)

    def tensors(self, flat: Tensor) -> list[Tensor]:
        """View vectors of shape (..., n_parameters) as one tensor per parameter."""
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = zip(flat.split(sizes, -1), self._shapes, strict=True)
        return [part.reshape(*flat.shape[:-1], *shape) for part, shape in parts]

    @property
    def is_affine(self) -> bool:
        """Whether features and outputs are affine functions: not that one could see."""
        return False

    @property
    def is_fixed_program(self) -> bool:
        """Whether passes run the same operators always: not that one could see."""
        return False

    @property
    def n_shared(self) -> int:
        """How many parameters, the first ones, belong to all domains: all of them."""
        return len(self.parameters)

    @property
    def head(self) -> Tensor:
        """Weights of the last layer, shape (n_hidden, n_outputs)."""
        return self.tensors(self.parameters)[-2]

    def forward(self, rows: DomainRows, loss: Loss) -> DomainBatch:
        """Run the network on `rows`; the result is valid until the next call."""
        # A leaf of this pass alone: optimizers change the vector itself in place.
        self._leaf = self.parameters.detach().requires_grad_()
        *featurizer, head, offsets = self.tensors(self._leaf)
        named = dict(zip(self._names, featurizer, strict=True))
        with torch.enable_grad():
            features = torch.func.functional_call(
                self._featurizer, named, (rows.inputs,)
            )
            features = check_features(features, len(rows.inputs))
            outputs = torch.addmm(offsets, features, head)
            self._batch = DomainBatch.from_outputs(rows, outputs, features, head, loss)
        batch = self._batch
        return replace(
            batch,
            outputs=outputs.detach(),
            features=features.detach(),
            head=head.detach(),
            risks=batch.risks.detach(),
        )

    def backward(
        self,
        outputs_gradient: Tensor,
        features_gradient: Tensor | None = None,
        head_gradient: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient in the parameters of a scalar of the last forward pass.

        See `skdg._training.dense.DenseNetwork.backward`.
        """
        batch = self._batch
        pairs = [
            (batch.outputs, outputs_gradient),
            (batch.features, features_gradient),
            (batch.head, head_gradient),
        ]
        pairs = [
            (value, gradient)
            for value, gradient in pairs
            # Features of a module without parameters depend on nothing.
            if gradient is not None and value.requires_grad
        ]
        values, gradients = zip(*pairs, strict=True)
        return torch.autograd.grad(values, self._leaf, gradients)[0]

    def domain_gradients(self, batch: DomainBatch) -> Tensor:
        """Return the gradient of each domain's risk, shape (n_domains, n_parameters).

        Parameters
        ----------
        batch : DomainBatch
            The result of the last forward pass.
        """
        with torch.enable_grad():
            self._gradients = torch.stack(
                [
                    torch.autograd.grad(risk, self._leaf, create_graph=True)[0]
                    for risk in self._batch.risks.unbind()
                ]
            )
        return self._gradients.detach()

    def hessian_products(self, directions: Tensor) -> Tensor:
        """Return sum_e H_e u_e, with H_e the Hessian of the risk of domain e.

        Call after `domain_gradients`, whose graph is used up.
        """
        return torch.autograd.grad(self._gradients, self._leaf, directions)[0]

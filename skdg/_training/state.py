# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The numpy form of a network: what starts training, and what a fit leaves behind."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

# Torch's global generators, of which all threads have but one set.
_generators = threading.RLock()


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Copy a tensor into a numpy array of its own."""
    return np.array(tensor.detach().cpu().numpy(), order="C")


@dataclass(frozen=True)
class NetworkState:
    """Values of all parameters of a network.

    Parameters
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        Weights of each linear layer; of the head alone if there is a module.

    intercepts : list of ndarray of shape (n_out,)
        Offsets of each linear layer.

    module : dict or None
        Parameters and buffers of the user's module, by name.
    """

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    module: dict[str, np.ndarray] | None = None

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Sizes of the linear layers from the inputs to the outputs."""
        return (len(self.coefs[0]), *(len(offsets) for offsets in self.intercepts))

    def flat(self) -> np.ndarray:
        """Return all weights and offsets of the linear layers as one vector."""
        layers = zip(self.coefs, self.intercepts, strict=True)
        return np.concatenate([array.ravel() for layer in layers for array in layer])

    def with_outputs(self, scale: Any, offset: Any) -> "NetworkState":
        """Return the network whose outputs are ``scale * outputs + offset``."""
        dtype = self.coefs[-1].dtype
        head = (self.coefs[-1] * scale).astype(dtype)
        offsets = (self.intercepts[-1] * scale + offset).astype(dtype)
        return NetworkState(
            [*self.coefs[:-1], head], [*self.intercepts[:-1], offsets], self.module
        )


def check_layer_sizes(sizes: Any, name: str) -> tuple[int, ...]:
    """Return numbers of units, checked, as a tuple; `name` is that of the parameter."""
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(
                f"{name} must hold the number of units of each hidden layer, each an "
                f"integer of 1 or more; got {size!r} in {sizes!r}."
            )
    return tuple(int(size) for size in sizes)


def initial_dense_state(
    layer_sizes: Sequence[int], activation: str, random_state: np.random.RandomState
) -> NetworkState:
    """Draw weights as Glorot and Bengio (2010) do; offsets are 0.

    A linear model starts from 0: its risk is convex, so that the start need not break
    any symmetry, and the result does not depend on the seed.
    """
    coefs = []
    for n_in, n_out in pairwise(layer_sizes):
        if len(layer_sizes) == 2:
            coefs.append(np.zeros((n_in, n_out)))
            continue
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
        coefs.append(random_state.uniform(-bound, bound, (n_in, n_out)))
    return NetworkState(coefs, [np.zeros(n_out) for n_out in layer_sizes[1:]])


def spawn_seeds(random_state: Any, n: int, n_iter: int = 0) -> list[int]:
    """Return seeds of `n` generators, so that no use of randomness disturbs another.

    Seeds, since to make a generator takes long beside a small fit. None draws from the
    operating system and not, as elsewhere in scikit-learn, from numpy's global
    generator, which a fit leaves as it is. After `n_iter` iterations an integer gives
    other seeds than at first, so that training that goes on does not draw the same
    again.
    """
    if random_state is None:
        random_state = int(np.random.SeedSequence().generate_state(1)[0])
    elif isinstance(random_state, Integral) and n_iter:
        sequence = np.random.SeedSequence([int(random_state), n_iter])
        random_state = int(sequence.generate_state(1)[0])
    parent = check_random_state(random_state)
    return [parent.randint(2**31 - 1) for _ in range(n)]


def initial_module_state(
    featurizer: torch.nn.Module,
    n_hidden: int,
    n_outputs: int,
    random_state: np.random.RandomState,
) -> NetworkState:
    """Take the module's own initial values, with a random head on top."""
    # A head with one hidden layer before it, hence Glorot and not 0.
    head = initial_dense_state((n_hidden, n_hidden, n_outputs), "relu", random_state)
    values = {name: to_numpy(v) for name, v in featurizer.state_dict().items()}
    return NetworkState(head.coefs[1:], head.intercepts[1:], values)


@contextmanager
def torch_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators within the context, and put them back after it.

    A user's module may draw from them, in its constructor or by dropout. Other threads
    that want to do so wait.
    """
    seed = int(np.random.RandomState(seed).randint(2**31 - 1))
    cuda = [device] if device.type == "cuda" else []
    with _generators, torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for each in cuda:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield

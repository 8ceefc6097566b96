# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Random problems, and the network on them once more, written for autograd alone."""

import numpy as np
import pytest
import torch

from skdg._training import layers
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.rows import DomainRows

# The loss of a task and its number of outputs.
TASKS = {
    "binary": (LOG_LOSS, 1),
    "classes": (CROSS_ENTROPY, 3),
    "regression": (SQUARED_ERROR, 1),
    "targets": (SQUARED_ERROR, 2),
}
FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: z.clamp(min=0.0),
    "tanh": torch.tanh,
    "logistic": lambda z: 1.0 / (1.0 + torch.exp(-z)),
}


class PlainNetwork:
    """A multilayer perceptron as a function of its flat parameter vector.

    The vector holds the weights, row by row, and then the offsets of each layer.
    """

    def __init__(self, layer_sizes, activation, task):
        self.layer_sizes = layer_sizes
        self.activation = FUNCTIONS[activation]
        self.task = task

    def random_parameters(self, seed=0):
        n_parameters = sum(
            (n_in + 1) * n_out
            for n_in, n_out in zip(
                self.layer_sizes[:-1], self.layer_sizes[1:], strict=True
            )
        )
        return torch.tensor(np.random.default_rng(seed).normal(size=n_parameters))

    def layers(self, flat):
        layers, rest = [], flat
        for n_in, n_out in zip(
            self.layer_sizes[:-1], self.layer_sizes[1:], strict=True
        ):
            weights, offsets, rest = rest.split(
                [n_in * n_out, n_out, len(rest) - (n_in + 1) * n_out]
            )
            layers.append((weights.reshape(n_in, n_out), offsets))
        return layers

    def __call__(self, flat, inputs):
        """Return outputs, features and the weights of the last layer."""
        *hidden, (head, offsets) = self.layers(flat)
        features = inputs
        for weights, own in hidden:
            features = self.activation(features @ weights + own)
        return features @ head + offsets, features, head

    def losses(self, outputs, targets):
        if self.task == "binary":
            signs = 2.0 * targets[:, 0] - 1.0
            return torch.log1p(torch.exp(-signs * outputs[:, 0]))
        if self.task == "classes":
            return -(targets * torch.log_softmax(outputs, 1)).sum(1)
        return ((outputs - targets) ** 2).sum(1) / outputs.shape[1]

    def risks(self, flat, rows):
        """Return the risk of each domain, from a pass of its own."""
        risks, start = [], 0
        for size in rows.sizes:
            own = slice(start, start + size)
            outputs, _, _ = self(flat, rows.inputs[own])
            weight = rows.sample_weight[own]
            losses = self.losses(outputs, rows.targets[own])
            risks.append((weight * losses).sum() / weight.sum())
            start += size
        return torch.stack(risks)

    def gradients(self, flat, rows, create_graph=False):
        """Return the gradient of each domain's risk."""
        return torch.stack(
            [
                torch.autograd.grad(
                    risk, flat, retain_graph=True, create_graph=create_graph
                )[0]
                for risk in self.risks(flat, rows)
            ]
        )


@pytest.fixture(autouse=True)
def wide_and_narrow(monkeypatch):
    """Let small networks have layers of both kinds, as the products tell them apart."""
    monkeypatch.setattr(layers, "_N_ENOUGH_COLUMNS", 4)


@pytest.fixture
def tasks():
    return TASKS


@pytest.fixture
def plain_network():
    return PlainNetwork


@pytest.fixture
def make_rows():
    """Return a function that draws rows of domains of the given sizes."""

    def make(task, sizes, n_features=3, seed=0, weighted=True):
        rng = np.random.default_rng(seed)
        n, n_outputs = sum(sizes), TASKS[task][1]
        if task == "binary":
            targets = rng.integers(0, 2, (n, 1)).astype(float)
        elif task == "classes":
            targets = np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
        else:
            targets = rng.normal(size=(n, n_outputs))
        weight = rng.uniform(0.2, 3.0, n) if weighted else np.ones(n)
        arrays = (rng.normal(size=(n, n_features)), targets, weight)
        return DomainRows(*map(torch.tensor, arrays), sizes)

    return make


class RecordingOptimizer:
    """Keep what a step hands to its optimizer, and leave the parameters alone."""

    def __init__(self):
        self.gradients, self.scales, self.restarts = [], [], []

    def apply(self, gradient, scale=1.0):
        self.gradients.append(gradient.clone())
        self.scales.append(scale)

    def set_progress(self, share):
        """Steps have no schedule of their own."""

    def restart(self):
        self.restarts.append(len(self.gradients))


@pytest.fixture
def recorder():
    return RecordingOptimizer()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import pickle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, cross_validate

from skdg import DivergenceError, ERMClassifier, ERMRegressor
from skdg.inspection import GradientAlignmentMonitor
from skdg.multitask._combinations import COMBINATIONS
from skdg.multitask._network import (
    MultiTaskNetworkClassifier,
    MultiTaskNetworkRegressor,
)

# Named so that their sorted order is not that in which the rows name them.
DOMAINS = np.array(["t", "b", "q"])
TASKS = ["binary", "classes", "regression", "targets"]


def make_data(task, n=40, seed=0):
    rng = np.random.default_rng(seed)
    X, codes = rng.normal(size=(n, 3)), rng.permutation(np.arange(n) % 7 % 3)
    signal = np.sin(X[:, 0] * (1 + codes)) + X[:, 1] * (codes - 1)
    signal += 0.2 * rng.normal(size=n)
    y = {
        "binary": np.where(signal > 0, "yes", "no"),
        "classes": np.digitize(signal, [-0.7, 0.7]),
        "regression": 3.0 + 2.0 * signal,
        "targets": np.column_stack([signal, 10.0 - X[:, 2] * codes]),
    }[task]
    return X, y, DOMAINS[codes]


def make(task, **kw):
    """Make an estimator that trains on all rows at once."""
    cls = MultiTaskNetworkRegressor
    if task in ("binary", "classes"):
        cls = MultiTaskNetworkClassifier
    defaults = {"hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 30}
    return cls(**(defaults | {"batch_size": None, "random_state": 0} | kw))


def make_erm(model):
    """Make ERM with the same parameters."""
    erm = ERMClassifier() if is_classifier(model) else ERMRegressor()
    return erm.set_params(**{k: v for k, v in model.get_params().items() if k in vars(erm)})


def response(model, X, **kw):
    name = "decision_function" if is_classifier(model) else "predict"
    return getattr(model, name)(X, **kw)


def small_module(n_features):
    return torch.nn.Sequential(torch.nn.Linear(n_features, 4), torch.nn.Tanh())


class Objective:
    """The documented objective, written for autograd in terms of fitted attributes."""

    def __init__(self, model, X, y, groups, sample_weight):
        self.model, self.X = model, torch.tensor(X)
        if is_classifier(model):
            y = np.searchsorted(model.classes_, y)
        self.y = torch.tensor(y)
        self.weight = torch.tensor(sample_weight)
        self.rows = [np.flatnonzero(groups == domain) for domain in model.domains_]
        n_shared = len(model.coefs_) - len(model.task_coefs_)
        arrays = [*model.coefs_[:n_shared], *model.intercepts_[:n_shared]]
        module = getattr(model, "module_state_", {})
        self.names = list(module)
        self.shared = self.leaves([*module.values(), *arrays])
        self.own = self.leaves([*model.task_coefs_, *model.task_intercepts_])

    @staticmethod
    def leaves(arrays):
        return [torch.tensor(array).requires_grad_() for array in arrays]

    def layers(self, task):
        shared = self.shared[len(self.names) :]
        own = [tensor[task] for tensor in self.own]
        return [
            *zip(*(shared[i :: len(shared) // 2 or 1] for i in ()), strict=True),
            *self.pairs(shared),
            *self.pairs(own),
        ]

    @staticmethod
    def pairs(tensors):
        half = len(tensors) // 2
        return list(zip(tensors[:half], tensors[half:], strict=True))

    def outputs(self, task, inputs):
        if self.names:
            named = dict(zip(self.names, self.shared, strict=False))
            weights, offsets = named["0.weight"], named["0.bias"]
            inputs = torch.tanh(inputs @ weights.T + offsets)
        *hidden, (head, offsets) = self.layers(task)
        for w, b in hidden:
            inputs = torch.tanh(inputs @ w + b)
        return inputs @ head + offsets

    def risk(self, task):
        rows = self.rows[task]
        outputs, y, weight = self.outputs(task, self.X[rows]), self.y[rows], None
        weight = self.weight[rows] / self.weight[rows].sum()
        if is_classifier(self.model) and outputs.shape[1] == 1:
            signs = 2.0 * y[:, None] - 1.0
            losses = torch.log1p(torch.exp(-signs * outputs)).sum(1)
        elif is_classifier(self.model):
            losses = -torch.log_softmax(outputs, 1)[torch.arange(len(y)), y]
        else:
            losses = (outputs - y.reshape(len(y), -1)).square().mean(1)
        return weight @ losses

    def penalty(self, task):
        """Half of alpha times the squared weights of a task's network."""
        weights = [w for w, _ in self.layers(task)]
        weights += [tensor for tensor in self.shared[: len(self.names)] if tensor.ndim > 1]
        return 0.5 * self.model.alpha * sum(w.square().sum() for w in weights)

    def distance(self, task, layer):
        half = len(self.own) // 2
        return sum(
            (part[task] - part.mean(0)).square().sum()
            for part in (self.own[layer], self.own[half + layer])
        )

    def gradients(self, scalar):
        """Return the gradients of a scalar in shared and in own parameters."""
        gradients = torch.autograd.grad(
            scalar, [*self.shared, *self.own], allow_unused=True, retain_graph=True
        )
        filled = [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip([*self.shared, *self.own], gradients, strict=True)
        ]
        return filled[: len(self.shared)], filled[len(self.shared) :]


def step_taken(task, fit_once, **kw):
    """Fit for one iteration, and for one more; return the state between, and the move.

    With a step size of 1 the move is minus the gradient, at parameters that no longer
    are the same for all tasks.
    """
    X, y, groups = make_data(task)
    sample_weight = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    kw = {"optimizer": "sgd", "learning_rate": "constant", "alpha": 0.3} | kw
    if task in ("regression", "targets"):
        kw["normalize_y"] = False
        y = y - y.mean(axis=0)
    model = make(task, max_iter=1, warm_start=True, learning_rate_init=0.1, **kw)
    fit_once(model, X, y, groups, sample_weight)
    model.set_params(max_iter=5)
    fit_once(model, X, y, groups, sample_weight)
    objective = Objective(model, X, y, groups, sample_weight)
    model.set_params(max_iter=1, learning_rate_init=1.0)
    fit_once(model, X, y, groups, sample_weight)
    after = Objective(model, X, y, groups, sample_weight)
    move = [
        [(a - b).detach() for a, b in zip(*sides, strict=True)]
        for sides in ((after.shared, objective.shared), (after.own, objective.own))
    ]
    return objective, *move


def fit(model, X, y, groups, sample_weight):
    model.fit(X, y, groups=groups, sample_weight=sample_weight)


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)

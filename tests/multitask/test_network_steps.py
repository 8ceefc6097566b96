# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps of multi-task networks against plain automatic differentiation."""

import numpy as np
import pytest
import torch
from sklearn.base import is_classifier

from skdg.multitask import (
    MultiTaskNetworkClassifier,
    MultiTaskNetworkRegressor,
)
from skdg.multitask._combinations import COMBINATIONS

# As the rows name them; sorting turns them round.
DOMAINS = ["q", "t", "b"]
TASKS = ["binary", "classes", "regression", "targets"]
LAYERS = [(), (4,), (4, 3)]


def make_data(task, equal, n=42):
    """Rows of three tasks, with offsets of 0 and a target of size 1."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 3 if equal else np.arange(n) % 7 % 3
    X, codes = rng.normal(size=(n, 3)), rng.permutation(codes)
    signal = np.sin(X[:, 0] * (1 + codes)) + X[:, 1] * (codes - 1)
    y = {
        "binary": (signal > 0).astype(int),
        "classes": np.digitize(signal, [-0.7, 0.7]),
        "regression": signal,
        "targets": np.column_stack([signal, X[:, 2] * codes]),
    }[task]
    names = dict(zip(dict.fromkeys(codes.tolist()), DOMAINS, strict=True))
    return X, y, np.array([names[code] for code in codes.tolist()])


def small_module(n_features):
    return torch.nn.Sequential(torch.nn.Linear(n_features, 4), torch.nn.Tanh())


class Objective:
    """The documented objective, for autograd, in terms of fitted attributes."""

    def __init__(self, model, X, y, groups, sample_weight):
        self.model = model
        self.X, self.y, self.weight = map(torch.tensor, (X, y, sample_weight))
        self.rows = [np.flatnonzero(groups == domain) for domain in model.domains_]
        n_shared = len(model.coefs_) - len(model.task_coefs_)
        module = getattr(model, "module_state_", {})
        self.names = list(module)
        self.shared = self.leaves(
            *module.values(), *model.coefs_[:n_shared], *model.intercepts_[:n_shared]
        )
        self.own = self.leaves(*model.task_coefs_, *model.task_intercepts_)

    @staticmethod
    def leaves(*arrays):
        return [torch.tensor(array).requires_grad_() for array in arrays]

    @staticmethod
    def pairs(tensors):
        half = len(tensors) // 2
        return list(zip(tensors[:half], tensors[half:], strict=True))

    def layers(self, task):
        """Return weights and offsets of a task's linear layers."""
        shared = self.shared[len(self.names) :]
        return self.pairs(shared) + self.pairs([tensor[task] for tensor in self.own])

    def outputs(self, task, inputs):
        if self.names:
            module = dict(zip(self.names, self.shared, strict=True))
            inputs = torch.tanh(inputs @ module["0.weight"].T + module["0.bias"])
        *hidden, (head, offsets) = self.layers(task)
        for weights, hidden_offsets in hidden:
            inputs = torch.tanh(inputs @ weights + hidden_offsets)
        return inputs @ head + offsets

    def risk(self, task):
        rows = self.rows[task]
        y, weight = self.y[rows], self.weight[rows]
        outputs = self.outputs(task, self.X[rows])
        if not is_classifier(self.model):
            losses = (outputs - y.reshape(len(y), -1)).square().mean(1)
        elif outputs.shape[1] == 1:
            losses = torch.log1p(torch.exp((1.0 - 2.0 * y) * outputs[:, 0]))
        else:
            losses = -torch.log_softmax(outputs, 1)[torch.arange(len(y)), y]
        return weight @ losses / weight.sum()

    def penalty(self, task):
        """Half of alpha times the squared weights of a task's network."""
        weights = [weights for weights, _ in self.layers(task)]
        weights += self.shared[: len(self.names) : 2]
        return 0.5 * self.model.alpha * sum(w.square().sum() for w in weights)

    def distances(self, task):
        """Squared distance of each layer of a task to the mean over tasks."""
        return [
            sum((part[task] - part.mean(0)).square().sum() for part in layer)
            for layer in self.pairs(self.own)
        ]

    def mean(self, function):
        return sum(map(function, range(3))) / 3

    def gradients(self, scalar, leaves):
        return torch.autograd.grad(scalar, leaves, retain_graph=True)


def step_taken(task, equal=False, **kw):
    """Return the objective where tasks are in conflict, and the move that a step makes.

    The step is one of gradient descent with a step size of 1.
    """
    cls = MultiTaskNetworkRegressor
    if task in ("binary", "classes"):
        cls = MultiTaskNetworkClassifier
    elif "normalize_y" not in kw:
        kw["normalize_y"] = False
    kw = {"hidden_layer_sizes": (4,), "activation": "tanh", "alpha": 0.3} | kw
    model = cls(optimizer="sgd", learning_rate="constant", random_state=0, **kw)
    model.set_params(batch_size=None, warm_start=True)
    X, y, groups = make_data(task, equal)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    objectives = []
    for n, rate in ((60, 0.3), (1, 1.0)):
        model.set_params(max_iter=n, learning_rate_init=rate)
        model.fit(X, y, groups=groups, sample_weight=weight)
        objectives.append(Objective(model, X, y, groups, weight))
    before, after = objectives
    assert before.own[-1].std(0).max() > 1e-4
    return before, [
        [(b - a).detach() for a, b in zip(*sides, strict=True)]
        for sides in ((before.shared, after.shared), (before.own, after.own))
    ]


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("equal", [True, False], ids=["equal", "ragged"])
@pytest.mark.parametrize("hidden", LAYERS, ids=len)
@pytest.mark.parametrize("task", TASKS)
def test_hard_sharing(task, hidden, equal):
    objective, (shared, own) = step_taken(task, equal, hidden_layer_sizes=hidden)
    total = objective.mean(lambda t: objective.risk(t) + objective.penalty(t))
    leaves = [*objective.shared, *objective.own]
    expected = [-gradient for gradient in objective.gradients(total, leaves)]
    assert_equal([*shared, *own], expected)


@pytest.mark.parametrize("task", TASKS)
def test_hard_sharing_of_a_module(task):
    objective, (shared, own) = step_taken(task, module=small_module)
    assert len(shared) == 2
    total = objective.mean(lambda t: objective.risk(t) + objective.penalty(t))
    leaves = [*objective.shared, *objective.own]
    expected = [-gradient for gradient in objective.gradients(total, leaves)]
    assert_equal([*shared, *own], expected)


@pytest.mark.parametrize("module", [None, small_module])
@pytest.mark.parametrize("rule", COMBINATIONS)
@pytest.mark.parametrize("task", TASKS)
def test_combinations_of_gradients(task, rule, module):
    objective, (shared, own) = step_taken(
        task, gradient_combination=rule, module=module, alpha=0.0
    )
    # PCGrad's random orders refer to tasks as the rows first name them. The third
    # generator that a seed gives rise to is that of the method.
    tasks = np.searchsorted(sorted(DOMAINS), DOMAINS)
    parent = np.random.RandomState(0)
    random_state = [np.random.RandomState(parent.randint(2**31 - 1)) for _ in "123"][2]
    gradients = torch.stack(
        [flat(objective.gradients(objective.risk(t), objective.shared)) for t in tasks]
    ).numpy()
    direction = COMBINATIONS[rule](gradients @ gradients.T, random_state) @ gradients
    np.testing.assert_allclose(flat(shared), -direction, rtol=1e-7, atol=1e-9)
    # It is another one than the mean.
    assert np.abs(direction - gradients.mean(axis=0)).max() > 1e-3
    in_own = objective.gradients(objective.mean(objective.risk), objective.own)
    assert_equal(own, [-gradient for gradient in in_own])


@pytest.mark.parametrize("equal", [True, False], ids=["equal", "ragged"])
@pytest.mark.parametrize("hidden", LAYERS, ids=len)
@pytest.mark.parametrize("task", TASKS)
def test_soft_sharing(task, hidden, equal):
    weights = np.array([0.5, 0.0, 4.0])[: len(hidden) + 1]
    objective, (shared, own) = step_taken(
        task, equal, sharing="soft", sharing_weight=weights, hidden_layer_sizes=hidden
    )
    assert not shared
    # Three times the documented objective: each task's step is its own risk's.
    total = 3 * objective.mean(
        lambda t: (
            objective.risk(t)
            + objective.penalty(t)
            + sum(w * d for w, d in zip(weights, objective.distances(t), strict=True))
        )
    )
    gradients = objective.gradients(total, objective.own)
    expected = [
        -(weight * gradient.mean(0) + gradient) / (1.0 + weight)
        for weight, gradient in zip([*weights, *weights], gradients, strict=True)
    ]
    assert_equal(own, expected)
    history = objective.model.history_
    distances = objective.mean(lambda t: sum(objective.distances(t))).item()
    np.testing.assert_allclose(history["penalty"], [distances], rtol=1e-12)
    risks = [objective.risk(t).item() for t in range(3)]
    np.testing.assert_allclose(history["risk"], [risks], rtol=1e-12)

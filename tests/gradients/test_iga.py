# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.gradients import IGAClassifier, IGARegressor
from skdg.gradients._idgm import gradient_disagreement
from skdg.gradients._iga import gradient_spread, spread_derivative


@pytest.mark.parametrize("n_domains", [1, 2, 5])
def test_penalty_is_the_sum_of_squared_distances_to_the_mean_gradient(n_domains):
    gradients = np.random.default_rng(n_domains).normal(size=(n_domains, 7))
    expected = 0.0
    for own in gradients:
        for k in range(7):
            mean = sum(other[k] for other in gradients) / n_domains
            expected += (own[k] - mean) ** 2
    found = gradient_spread(torch.tensor(gradients))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_domains", [1, 2, 5])
def test_derivative_is_that_of_autograd(n_domains):
    leaf = torch.tensor(np.random.default_rng(n_domains).normal(size=(n_domains, 7)))
    leaf.requires_grad_()
    (expected,) = torch.autograd.grad(gradient_spread(leaf), leaf)
    found = spread_derivative(leaf.detach().clone())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_domains", [2, 3, 6])
def test_penalty_is_that_of_idgm_and_one_on_norms(n_domains):
    # sum |G_e - mean|^2 = (S - 1) / S sum |G_e|^2 - 1 / S sum over i != j of G_i.G_j
    gradients = torch.tensor(
        np.random.default_rng(n_domains).normal(size=(n_domains, 9))
    )
    norms = gradients.square().sum()
    expected = (n_domains - 1) * (norms / n_domains + gradient_disagreement(gradients))
    np.testing.assert_allclose(gradient_spread(gradients), expected, rtol=1e-12)


TASKS = {"binary": (LOG_LOSS, 1), "classes": (CROSS_ENTROPY, 3)}
TASKS["squared"] = (SQUARED_ERROR, 2)


def make_rows(task, sizes, seed=0):
    loss, n_outputs = TASKS[task]
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    if loss is LOG_LOSS:
        y = rng.integers(0, 2, (n, 1)).astype(float)
    elif loss is CROSS_ENTROPY:
        y = np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
    else:
        y = rng.normal(size=(n, n_outputs))
    arrays = (rng.normal(size=(n, 3)), y, rng.uniform(0.2, 3.0, n))
    return DomainRows(*map(torch.tensor, arrays), sizes)


def own_risk(task, flat, rows, activation, e):
    """Risk of one domain, written for autograd."""
    n_outputs = TASKS[task][1]
    first, offsets, last, offset = flat.split([12, 4, 4 * n_outputs, n_outputs])
    X, y, w = (
        values.split(rows.sizes)[e]
        for values in (rows.inputs, rows.targets, rows.sample_weight)
    )
    hidden = activation(X @ first.reshape(3, 4) + offsets)
    f = hidden @ last.reshape(4, n_outputs) + offset
    if task == "binary":
        losses = (torch.nn.functional.softplus(f) - y * f)[:, 0]
    elif task == "classes":
        losses = -(y * torch.log_softmax(f, 1)).sum(1)
    else:
        losses = ((f - y) ** 2).mean(1)
    return w @ losses / w.sum()


@pytest.mark.parametrize("sizes", [(5, 5), (5, 2, 9)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
@pytest.mark.parametrize("task", TASKS)
def test_step_follows_the_exact_gradient_of_the_objective(task, activation, sizes):
    rows = make_rows(task, sizes)
    loss, n_outputs = TASKS[task]
    function = {"tanh": torch.tanh, "relu": torch.relu, "logistic": torch.sigmoid}
    flat = torch.tensor(
        np.random.default_rng(2).normal(size=16 + 5 * n_outputs), requires_grad=True
    )
    risks = [
        own_risk(task, flat, rows, function[activation], e) for e in range(len(sizes))
    ]
    gradients = [torch.autograd.grad(r, flat, create_graph=True)[0] for r in risks]
    mean = sum(gradients) / len(sizes)
    penalty = sum((own - mean).square().sum() for own in gradients)
    # The weight does not divide the objective, however large.
    objective = sum(risks) / len(sizes) + 5.0 * penalty
    (expected,) = torch.autograd.grad(objective, flat)
    estimator = IGARegressor if task == "squared" else IGAClassifier
    step = estimator(penalty_weight=5.0)._make_step(np.random.RandomState(0))
    network = DenseNetwork((3, 4, n_outputs), activation, flat.detach().clone())
    optimizer = Optimizer(network.parameters, "sgd", 1.0)
    record = step.advance(network, rows, loss, optimizer, 0)
    found = flat.detach() - network.parameters
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(record.penalties[0], penalty.detach(), rtol=1e-10)
    assert penalty > 0.01


def make_regression(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [20, 8, 12])
    X = rng.normal(size=(40, 2))
    y = (1.0 + groups) * X[:, 0] + rng.normal(size=40)
    return X, y, groups


def test_weight_is_0_while_annealing():
    X, y, groups = make_regression()
    options = {"max_iter": 12, "random_state": 0}
    plain = IGARegressor(penalty_weight=0.0, **options).fit(X, y, groups=groups)
    late = IGARegressor(penalty_weight=5.0, penalty_anneal_iters=8, **options)
    late.fit(X, y, groups=groups)
    first, second = plain.history_["risk"], late.history_["risk"]
    np.testing.assert_allclose(first[:9], second[:9], rtol=1e-9)
    assert np.abs(first[9] - second[9]).min() > 1e-8
    assert late.history_["penalty"].shape == (12,)
    assert late.history_["penalty"].min() > 0


def test_weights_count_repetitions_of_rows():
    X, y, groups = make_regression()
    weight = np.random.default_rng(4).integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    model = IGARegressor(max_iter=20, random_state=0)
    first = model.fit(X, y, groups=groups, sample_weight=weight).predict(X)
    second = model.fit(X[again], y[again], groups=groups[again]).predict(X)
    np.testing.assert_allclose(first, second, rtol=1e-7)


def test_a_large_weight_brings_gradients_together():
    X, y, groups = make_regression()
    options = {"hidden_layer_sizes": (), "max_iter": 800}
    weak, strong = (
        IGARegressor(penalty_weight=weight, **options).fit(X, y, groups=groups)
        for weight in (1e-9, 10.0)
    )
    assert strong.history_["penalty"][-1] < 0.5 * weak.history_["penalty"][-1]

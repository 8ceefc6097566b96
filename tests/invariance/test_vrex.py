# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import LOG_LOSS
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.invariance import ERMRegressor, VRExClassifier, VRExRegressor
from skdg.invariance._vrex import risk_variance

SIZES = (5, 2, 9)
LAYERS = (3, 4, 1)


def make_rows(sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    X, y = rng.normal(size=(n, LAYERS[0])), rng.integers(0, 2, (n, 1)).astype(float)
    arrays = (X, y, rng.uniform(0.2, 3.0, n))
    return DomainRows(*map(torch.tensor, arrays), sizes)


def make_batch(rows, seed=1):
    rng = np.random.default_rng(seed)
    outputs = torch.tensor(rng.normal(size=(len(rows.inputs), 1)))
    head = torch.ones(3, 1, dtype=torch.float64)
    return DomainBatch.from_outputs(rows, outputs, rows.inputs, head, LOG_LOSS)


def risks_by_loops(rows, outputs):
    risks, start = [], 0
    for size in rows.sizes:
        total = mass = 0.0
        for row in range(start, start + size):
            f, y = float(outputs[row, 0]), float(rows.targets[row, 0])
            weight = float(rows.sample_weight[row])
            total += weight * (np.log1p(np.exp(f)) - y * f)
            mass += weight
        risks.append(total / mass)
        start += size
    return np.array(risks)


def own_risks(flat, rows):
    """Risks of a network with one hidden layer, written for autograd."""
    first, offsets, last, offset = flat.split([12, 4, 4, 1])
    hidden = torch.tanh(rows.inputs @ first.reshape(3, 4) + offsets)
    f = hidden @ last + offset
    losses = torch.nn.functional.softplus(f) - rows.targets[:, 0] * f
    parts = zip(
        losses.split(rows.sizes), rows.sample_weight.split(rows.sizes), strict=True
    )
    return torch.stack([(a * w).sum() / w.sum() for a, w in parts])


def step_gradient(step, rows, flat, iteration):
    network = DenseNetwork(LAYERS, "tanh", flat.clone())
    optimizer = Optimizer(network.parameters, "sgd", 1.0)
    step.advance(network, rows, LOG_LOSS, optimizer, iteration)
    return flat - network.parameters


def test_penalty_is_the_population_variance_of_the_risks():
    rows = make_rows()
    batch = make_batch(rows)
    expected = np.var(risks_by_loops(rows, batch.outputs))
    np.testing.assert_allclose(risk_variance(batch), expected, rtol=1e-12)
    assert expected > 1e-3


def test_for_two_domains_it_is_a_quarter_of_the_squared_difference():
    rows = make_rows((4, 7))
    batch = make_batch(rows)
    first, second = risks_by_loops(rows, batch.outputs)
    expected = (first - second) ** 2 / 4
    np.testing.assert_allclose(risk_variance(batch), expected, rtol=1e-12)


def test_one_domain_has_no_variance():
    assert float(risk_variance(make_batch(make_rows((8,))))) == 0.0


@pytest.mark.parametrize("weight", [0.3, 25.0])
@pytest.mark.parametrize("iteration", [1, 2])
def test_step_follows_the_gradient_of_the_stated_objective(weight, iteration):
    rows = make_rows()
    flat = torch.tensor(np.random.default_rng(2).normal(size=21), requires_grad=True)
    in_force = weight if iteration >= 2 else min(1.0, weight)
    risks = own_risks(flat, rows)
    variance = (risks - risks.mean()).square().mean()
    objective = (risks.mean() + in_force * variance) / max(1.0, in_force)
    (expected,) = torch.autograd.grad(objective, flat)
    model = VRExClassifier(penalty_weight=weight, penalty_anneal_iters=2)
    step = model._make_step(np.random.RandomState(0))
    found = step_gradient(step, rows, flat.detach(), iteration)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    assert expected.abs().max() > 1e-3


def make_regression(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [30, 20, 10])
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, -1.0] + (groups + 0.1) * rng.normal(size=60)
    return X, y, groups


def test_a_large_weight_equalises_risks():
    X, y, groups = make_regression()
    options = {"hidden_layer_sizes": (), "max_iter": 1000, "random_state": 0}
    erm = ERMRegressor(**options).fit(X, y, groups=groups)
    vrex = VRExRegressor(penalty_weight=1e4, **options).fit(X, y, groups=groups)
    assert np.var(vrex.history_["risk"][-1]) < 0.05 * np.var(erm.history_["risk"][-1])
    np.testing.assert_allclose(
        vrex.history_["penalty"], np.var(vrex.history_["risk"], axis=1), atol=1e-12
    )


def test_weights_count_repetitions_of_rows():
    X, y, groups = make_regression(3)
    weight = np.random.default_rng(4).integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    options = {"max_iter": 20, "random_state": 0}
    first = VRExRegressor(**options).fit(X, y, groups=groups, sample_weight=weight)
    second = VRExRegressor(**options).fit(X[again], y[again], groups=groups[again])
    np.testing.assert_allclose(first.predict(X), second.predict(X), rtol=1e-8)

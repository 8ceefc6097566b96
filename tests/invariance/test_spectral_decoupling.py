# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from skdg._training.batch import DomainBatch
from skdg._training.losses import CROSS_ENTROPY
from skdg._training.rows import DomainRows
from skdg.invariance import SpectralDecouplingClassifier, SpectralDecouplingRegressor
from skdg.invariance._spectral_decoupling import mean_squared_output


def make_batch(sizes, n_outputs, seed=0):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    X, y = rng.normal(size=(n, 2)), rng.uniform(size=(n, n_outputs))
    rows = DomainRows(*map(torch.tensor, (X, y, rng.uniform(0.2, 3.0, n))), sizes)
    outputs = torch.tensor(rng.normal(size=(n, n_outputs)))
    head = torch.ones(2, n_outputs, dtype=torch.float64)
    return DomainBatch.from_outputs(rows, outputs, rows.inputs, head, CROSS_ENTROPY)


@pytest.mark.parametrize("sizes", [(4, 4), (5, 2, 7), (6,)])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_penalty_is_the_mean_square_with_equal_domains(sizes, n_outputs):
    batch = make_batch(sizes, n_outputs)
    total, row = 0.0, 0
    for size in sizes:
        own = mass = 0.0
        for _ in range(size):
            weight = float(batch.rows.sample_weight[row])
            for k in range(n_outputs):
                own += weight * float(batch.outputs[row, k]) ** 2 / n_outputs
            mass += weight
            row += 1
        total += own / mass / len(sizes)
    np.testing.assert_allclose(mean_squared_output(batch), total, rtol=1e-12)


def make_rows(seed=1):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1], [40, 15])
    X = rng.normal(size=(55, 2))
    y = X @ [1.0, 0.5] + 0.5 * rng.normal(size=55)
    return X, y, groups, rng.uniform(0.2, 3.0, 55)


OPTIONS = {
    "hidden_layer_sizes": (),
    "alpha": 0.0,
    "max_iter": 2000,
    "learning_rate_init": 0.05,
}


def test_linear_classifier_minimizes_the_objective():
    X, y, groups, weight = make_rows()
    labels = (y > 0).astype(int)
    share = np.zeros(len(y))
    for e in (0, 1):
        share[groups == e] = weight[groups == e] / weight[groups == e].sum() / 2

    def objective(v):
        f = X @ v[:2] + v[2]
        return share @ (np.logaddexp(0.0, f) - labels * f + 0.4 * f**2)

    best = minimize(objective, np.zeros(3), tol=1e-12).x
    model = SpectralDecouplingClassifier(penalty_weight=0.4, **OPTIONS)
    model.fit(X, labels, groups=groups, sample_weight=weight)
    found = np.append(model.coef_[0], model.intercept_)
    np.testing.assert_allclose(found, best, atol=1e-4)


def test_regression_is_shrunk_to_the_mean_by_a_known_factor():
    # The squared error and lambda times the square have their minimum at the least
    # squares solution divided by 1 + lambda, in units of standardized targets.
    X, y, groups, weight = make_rows()
    fits = {"groups": groups, "sample_weight": weight}
    plain = SpectralDecouplingRegressor(penalty_weight=0.0, **OPTIONS).fit(X, y, **fits)
    half = SpectralDecouplingRegressor(penalty_weight=1.0, **OPTIONS).fit(X, y, **fits)
    np.testing.assert_allclose(half.coef_, plain.coef_ / 2, atol=1e-5)


def test_weight_is_0_while_annealing():
    X, y, groups, _ = make_rows()
    options = {"hidden_layer_sizes": (6,), "max_iter": 12, "random_state": 0}
    plain = SpectralDecouplingRegressor(penalty_weight=0.0, **options)
    late = SpectralDecouplingRegressor(
        penalty_weight=5.0, penalty_anneal_iters=8, **options
    )
    first = plain.fit(X, y, groups=groups).history_["risk"]
    second = late.fit(X, y, groups=groups).history_["risk"]
    np.testing.assert_allclose(first[:9], second[:9], rtol=1e-10)
    assert np.abs(first[9] - second[9]).min() > 1e-6
    assert late.history_["penalty"].shape == (12,)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from skdg.datasets import make_fish_linear
from skdg.invariance import EQRMClassifier, EQRMRegressor, ERMClassifier, ERMRegressor
from skdg.invariance._eqrm import quantile_weights


def quantile_by_scipy(risks, quantile):
    bandwidth = 1.06 * np.std(risks, ddof=1) * len(risks) ** -0.2

    def excess(value):
        return norm.cdf((value - risks) / bandwidth).mean() - quantile

    spread = 20 * bandwidth
    return brentq(excess, risks.min() - spread, risks.max() + spread, xtol=1e-15)


def quantile_and_gradient(risks, quantile):
    gradient = quantile_weights(torch.tensor(risks), quantile).numpy()
    return gradient @ risks, gradient


@pytest.mark.parametrize("n_domains", [2, 3, 7])
@pytest.mark.parametrize("quantile", [0.02, 0.5, 0.75, 0.99])
def test_value_solves_the_mixture_of_normal_distributions(n_domains, quantile):
    risks = np.random.default_rng(n_domains).uniform(0.1, 3.0, n_domains)
    value, _ = quantile_and_gradient(risks, quantile)
    np.testing.assert_allclose(value, quantile_by_scipy(risks, quantile), rtol=1e-10)


def test_value_where_risks_are_clustered_or_far_apart():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n_domains = rng.integers(2, 60)
        for risks in (
            rng.lognormal(0.0, 2.0, n_domains),
            np.where(rng.random(n_domains) < 0.5, 0.1, 5.0)
            + 0.01 * rng.random(n_domains),
            np.append(10.0, 1e-3 * rng.random(n_domains)),
        ):
            quantile = rng.choice([0.001, 0.1, 0.5, 0.9, 0.999, rng.random()])
            value, _ = quantile_and_gradient(risks, quantile)
            bandwidth = np.std(risks)
            error = value - quantile_by_scipy(risks, quantile)
            assert abs(error) <= 1e-9 * bandwidth


@pytest.mark.parametrize("n_domains", [2, 5])
@pytest.mark.parametrize("quantile", [0.1, 0.75, 0.95])
def test_gradient_agrees_with_finite_differences(n_domains, quantile):
    risks = np.random.default_rng(10 + n_domains).uniform(0.1, 3.0, n_domains)
    _, gradient = quantile_and_gradient(risks, quantile)
    step, differences = 1e-5, []
    for e in range(n_domains):
        move = step * np.eye(n_domains)[e]
        up = quantile_by_scipy(risks + move, quantile)
        down = quantile_by_scipy(risks - move, quantile)
        differences.append((up - down) / (2 * step))
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8)


def test_the_median_of_symmetric_risks_is_their_mean():
    value, _ = quantile_and_gradient(np.array([1.0, 2.0, 3.0]), 0.5)
    np.testing.assert_allclose(value, 2.0, rtol=1e-12)


def test_quantiles_follow_shifts_and_scales():
    risks = np.array([0.4, 1.0, 0.2, 3.0])
    value, gradient = quantile_and_gradient(risks, 0.8)
    moved, _ = quantile_and_gradient(5.0 * risks + 2.0, 0.8)
    np.testing.assert_allclose(moved, 5.0 * value + 2.0, rtol=1e-12)
    # Euler's relations of the same two facts.
    np.testing.assert_allclose(gradient.sum(), 1.0, rtol=1e-9)
    np.testing.assert_allclose(gradient @ risks, value, rtol=1e-9)


def test_one_domain_is_its_own_quantile():
    value, gradient = quantile_and_gradient(np.array([0.7]), 0.9)
    assert value == 0.7
    np.testing.assert_array_equal(gradient, [1.0])


@pytest.mark.parametrize("level", [0.0, 1e-8, 0.7, 1e6])
@pytest.mark.parametrize("quantile", [0.01, 0.75, 0.999])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_risks_have_that_quantile(level, quantile, dtype):
    value, gradient = quantile_and_gradient(np.full(4, level, dtype=dtype), quantile)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, level, rtol=10 * eps, atol=10 * eps)
    np.testing.assert_allclose(gradient, 0.25, rtol=1e-3)


def test_fit_is_that_of_erm_up_to_the_end_of_the_burn_in():
    X, y, groups = make_fish_linear(random_state=0)
    options = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
    erm = ERMClassifier(**options).fit(X, y, groups=groups)
    whole = EQRMClassifier(burn_in_iters=30, **options).fit(X, y, groups=groups)
    part = EQRMClassifier(burn_in_iters=10, **options).fit(X, y, groups=groups)
    reference = erm.history_["risk"]
    np.testing.assert_array_equal(whole.history_["risk"], reference)
    # The risks of iteration 10 are those before the first step on the quantile.
    np.testing.assert_allclose(part.history_["risk"][:11], reference[:11], rtol=1e-8)
    assert np.abs(part.history_["risk"][11] - reference[11]).min() > 1e-5


def test_fit_descends_on_the_quantile():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [60, 40, 20])
    X = rng.normal(size=(120, 2))
    y = np.array([1.0, 1.5, -1.0])[groups] * X[:, 0] + X[:, 1]
    y += 0.3 * rng.normal(size=120)
    options = {"hidden_layer_sizes": (), "max_iter": 600, "random_state": 0}
    erm = ERMRegressor(**options).fit(X, y, groups=groups)
    model = EQRMRegressor(quantile=0.9, **options).fit(X, y, groups=groups)
    ends = [quantile_by_scipy(m.history_["risk"][-1], 0.9) for m in (erm, model)]
    assert ends[1] < ends[0] - 0.1


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
def test_one_domain_gives_the_model_of_erm():
    X, y, _ = make_fish_linear(random_state=0)
    options = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
    model = EQRMClassifier(burn_in_iters=0, **options).fit(X, y)
    erm = ERMClassifier(**options).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), erm.predict_proba(X), rtol=1e-8, atol=1e-12
    )

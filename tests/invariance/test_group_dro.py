# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from scipy.special import expit

from skdg.invariance import (
    ERMClassifier,
    ERMRegressor,
    GroupDROClassifier,
    GroupDRORegressor,
)
from skdg.invariance._group_dro import WorstDomainWeights


def make_classes(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [12, 5, 8])
    X = rng.normal(size=(25, 3))
    y = (X[:, 0] + groups * X[:, 1] + rng.normal(size=25) > 0).astype(int)
    return X, y, groups, rng.uniform(0.2, 3.0, 25)


def test_weights_are_updated_before_the_loss_is_formed():
    rng = np.random.default_rng(0)
    weigh, q = WorstDomainWeights(0.7), np.full(4, 0.25)
    for _ in range(30):
        risks = rng.uniform(0.0, 2.0, 4)
        q = q * np.exp(0.7 * risks)
        q /= q.sum()
        weights = weigh(torch.tensor(risks))
        np.testing.assert_allclose(weights, q, rtol=1e-11)


def test_fit_is_the_recursion_by_numpy():
    X, y, groups, weight = make_classes()
    model = GroupDROClassifier(
        step_size=0.5,
        hidden_layer_sizes=(),
        alpha=0.0,
        optimizer="sgd",
        learning_rate="constant",
        learning_rate_init=0.3,
        max_iter=25,
    ).fit(X, y, groups=groups, sample_weight=weight)
    coef, offset, q = np.zeros(3), 0.0, np.ones(3) / 3
    history = []
    for _ in range(25):
        f = X @ coef + offset
        risks, slopes = np.zeros(3), np.zeros((3, 4))
        for e in range(3):
            rows = groups == e
            w = weight[rows] / weight[rows].sum()
            risks[e] = w @ (np.logaddexp(0.0, f[rows]) - y[rows] * f[rows])
            residual = w * (expit(f[rows]) - y[rows])
            slopes[e] = np.append(residual @ X[rows], residual.sum())
        q = q * np.exp(0.5 * risks)
        q /= q.sum()
        step = 0.3 * q @ slopes
        coef, offset = coef - step[:3], offset - step[3]
        history.append(risks)
    np.testing.assert_allclose(model.history_["risk"], history, rtol=1e-10)
    np.testing.assert_allclose(model.coef_[0], coef, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, [offset], rtol=1e-10)
    assert q.min() < 0.2


@pytest.mark.parametrize(
    ("dro", "erm"),
    [(GroupDROClassifier, ERMClassifier), (GroupDRORegressor, ERMRegressor)],
)
def test_step_size_0_gives_the_model_of_erm(dro, erm):
    X, y, groups, weight = make_classes(1)
    options = {"max_iter": 50, "random_state": 0, "hidden_layer_sizes": (5,)}
    fits = {"groups": groups, "sample_weight": weight}
    first = dro(step_size=0.0, **options).fit(X, y, **fits)
    second = erm(**options).fit(X, y, **fits)
    for a, b in zip(first.coefs_, second.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_large_step_size_gives_the_worst_risk():
    risks = torch.tensor([0.3, 0.9, 0.8], dtype=torch.float64)
    weights = WorstDomainWeights(1e4)(risks)
    np.testing.assert_array_equal(weights, [0.0, 1.0, 0.0])


def test_weights_do_not_overflow_in_thousands_of_steps():
    weigh = WorstDomainWeights(1.0)
    risks = torch.tensor([500.0, 501.0, 499.0])
    for _ in range(5000):
        weights = weigh(risks)
    np.testing.assert_array_equal(weights, [0.0, 1.0, 0.0])


def test_each_fit_starts_from_uniform_weights():
    X, y, groups, _ = make_classes(2)
    model = GroupDROClassifier(step_size=5.0, max_iter=30, random_state=0)
    first = model.fit(X, y, groups=groups).predict_proba(X)
    np.testing.assert_array_equal(
        model.fit(X, y, groups=groups).predict_proba(X), first
    )


def test_worst_risk_is_lower_than_that_of_erm():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [60, 40, 20])
    X = rng.normal(size=(120, 2))
    y = np.array([1.0, 1.5, -1.0])[groups] * X[:, 0] + X[:, 1]
    y += 0.3 * rng.normal(size=120)
    options = {"hidden_layer_sizes": (), "max_iter": 800, "random_state": 0}
    erm = ERMRegressor(**options).fit(X, y, groups=groups)
    dro = GroupDRORegressor(step_size=0.1, **options).fit(X, y, groups=groups)
    before, after = (model.history_["risk"][-1] for model in (erm, dro))
    assert before.argmax() == 2
    assert after.max() < before.max() - 0.1
    # At the saddle point the domains that carry weight have the same risk.
    np.testing.assert_allclose(after[1], after[2], rtol=0.02)


def test_weights_count_repetitions_of_rows():
    X, y, groups, _ = make_classes(3)
    weight = np.random.default_rng(4).integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    model = GroupDRORegressor(max_iter=20, step_size=1.0, random_state=0)
    first = model.fit(X, y, groups=groups, sample_weight=weight).predict(X)
    second = model.fit(X[again], y[again], groups=groups[again]).predict(X)
    np.testing.assert_allclose(first, second, rtol=1e-8)

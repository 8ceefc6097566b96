# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from skdg.datasets import make_irm_sem
from skdg.invariance import AnchorClassifier, AnchorRegression


def make_rows(seed=0, sizes=(30, 12, 7, 20)):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    hidden = rng.normal(size=len(groups))
    shift = rng.normal(size=(len(sizes), 2))[groups]
    X = 2.0 * shift + hidden[:, None] + rng.normal(size=(len(groups), 2))
    y = X @ [1.0, -2.0] + 3.0 * hidden + rng.normal(size=len(groups)) + 5.0
    return X, y, groups, rng.uniform(0.2, 3.0, len(groups))


def assert_same_line(model, other, rtol=1e-9):
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=rtol)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=rtol)


def test_gamma_1_is_least_squares():
    X, y, groups, weight = make_rows()
    model = AnchorRegression(gamma=1.0, alpha=0.0)
    model.fit(X, y, groups=groups, sample_weight=weight)
    assert_same_line(model, LinearRegression().fit(X, y, sample_weight=weight))


def test_gamma_1_is_ridge_with_alpha_times_the_total_weight():
    X, y, groups, weight = make_rows()
    model = AnchorRegression(gamma=1.0, alpha=0.3)
    model.fit(X, y, groups=groups, sample_weight=weight)
    ridge = Ridge(alpha=0.3 * weight.sum())
    assert_same_line(model, ridge.fit(X, y, sample_weight=weight))


def test_gamma_0_is_regression_with_an_offset_for_each_domain():
    X, y, groups, weight = make_rows()
    dummies = np.eye(4)[groups]
    root = np.sqrt(weight)[:, None]
    fixed = np.linalg.lstsq(root * np.hstack([X, dummies]), root[:, 0] * y)[0]
    model = AnchorRegression(gamma=0.0, alpha=0.0)
    model.fit(X, y, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, fixed[:2], rtol=1e-9)


def test_a_large_gamma_is_two_stage_least_squares():
    X, y, groups, _ = make_rows(sizes=(300, 120, 70, 200))
    dummies = np.eye(4)[groups]
    first_stage = dummies @ np.linalg.lstsq(dummies, X)[0]
    second_stage = LinearRegression().fit(first_stage, y)
    model = AnchorRegression(gamma=1e9, alpha=0.0).fit(X, y, groups=groups)
    np.testing.assert_allclose(model.coef_, second_stage.coef_, rtol=1e-5)
    # The causal coefficients are (1, -2); the hidden variable misleads least squares.
    errors = [
        np.abs(coef - [1.0, -2.0]).max()
        for coef in (model.coef_, LinearRegression().fit(X, y).coef_)
    ]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("gamma", [0.0, 0.4, 7.0])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_gradient_of_the_objective_is_0(gamma, alpha):
    X, y, groups, weight = make_rows(1)
    Y = np.stack([y, np.sin(y)], axis=1)
    model = AnchorRegression(gamma=gamma, alpha=alpha)
    model.fit(X, Y, groups=groups, sample_weight=weight)
    W, D = np.diag(weight), np.eye(4)[groups]
    projection = D @ np.linalg.inv(D.T @ W @ D) @ D.T @ W
    within = np.eye(len(y)) - projection
    mean = weight / weight.sum()
    design, response = X - mean @ X, Y - mean @ Y

    def objective(coef):
        residual = response - design @ coef.T
        inner, outer = within @ residual, projection @ residual
        fit = np.sum(weight[:, None] * (inner**2 + gamma * outer**2))
        return fit + alpha * weight.sum() * np.sum(coef**2)

    best = objective(model.coef_)
    for k in range(4):
        move = 1e-3 * np.eye(4)[k].reshape(2, 2)
        up, down = objective(model.coef_ + move), objective(model.coef_ - move)
        # The objective is quadratic: central differences are exact.
        assert min(up, down) > best
        np.testing.assert_allclose((up - down) / 2e-3, 0.0, atol=1e-7 * best)
    np.testing.assert_allclose(mean @ (Y - model.predict(X)), 0.0, atol=1e-10)


def test_large_columns_that_are_copies_share_the_coefficient_of_one():
    X, y, groups, _ = make_rows()
    large = 1e12 * X[:, :1]
    alone = AnchorRegression().fit(large, y, groups=groups)
    model = AnchorRegression().fit(large.repeat(2, axis=1), y, groups=groups)
    np.testing.assert_allclose(model.coef_, alone.coef_[[0, 0]] / 2, rtol=1e-9)


@pytest.mark.parametrize("model", [AnchorRegression(), AnchorClassifier()])
def test_weights_count_repetitions_of_rows(model):
    X, y, groups, _ = make_rows(2)
    y = np.round(y).astype(int) % 3
    weight = np.random.default_rng(3).integers(0, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    model.fit(X, y, groups=groups, sample_weight=weight)
    coef, offset = model.coef_, model.intercept_
    model.fit(X[again], y[again], groups=groups[again])
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, offset, rtol=1e-8)


def test_a_domain_of_weight_0_is_not_there():
    X, y, groups, weight = make_rows(2)
    weight[groups == 1] = 0.0
    kept = groups != 1
    first = AnchorRegression().fit(X, y, groups=groups, sample_weight=weight)
    second = AnchorRegression().fit(
        X[kept], y[kept], groups=groups[kept], sample_weight=weight[kept]
    )
    np.testing.assert_array_equal(first.domains_, [0, 2, 3])
    assert_same_line(first, second)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifier_is_the_regression_on_indicators(n_classes):
    X, y, groups, weight = make_rows(3)
    labels = np.array(["a", "b", "c"])[np.digitize(y, np.quantile(y, [0.3, 0.7]))]
    labels[labels == "c"] = "abc"[n_classes - 1]
    model = AnchorClassifier(gamma=4.0)
    model.fit(X, labels, groups=groups, sample_weight=weight)
    targets = np.where(labels[:, None] == model.classes_, 1.0, -1.0)
    reference = AnchorRegression(gamma=4.0)
    reference.fit(X, targets, groups=groups, sample_weight=weight)
    scores = reference.predict(X)
    expected = scores[:, 1] if n_classes == 2 else scores
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-9)
    np.testing.assert_array_equal(
        model.predict(X), model.classes_[scores.argmax(axis=1)]
    )


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
@pytest.mark.parametrize("gamma", [0.0, 1.0, 50.0])
def test_with_one_domain_gamma_means_nothing(gamma):
    X, y, _, _ = make_rows(4)
    model = AnchorRegression(gamma=gamma, alpha=0.0).fit(X, y)
    assert_same_line(model, LinearRegression().fit(X, y))


def test_domains_of_equal_means_teach_it_nothing():
    X, y, groups = make_irm_sem("FOU", n_samples=50, random_state=0)
    Z = np.column_stack([X, y])
    for e in np.unique(groups):
        Z[groups == e] -= Z[groups == e].mean(axis=0)
    first, second = (
        AnchorRegression(gamma=gamma).fit(Z[:, :-1], Z[:, -1], groups=groups)
        for gamma in (0.0, 100.0)
    )
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=1e-9)


def test_one_class_is_an_error():
    X, y, groups, _ = make_rows(5)
    with pytest.raises(ValueError, match="only one class: 'a'"):
        AnchorClassifier().fit(X, np.full(len(y), "a"), groups=groups)


@pytest.mark.parametrize("value", [0.1, 1000000.1, 123456.789])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_column_has_no_coefficient(value, gamma, weighted):
    X, y, groups, weight = make_rows()
    known = {"groups": groups, "sample_weight": weight if weighted else None}
    model = AnchorRegression(gamma=gamma, alpha=0.0)
    expected = model.fit(X, y, **known).coef_
    constant = np.full(len(X), value)
    model.fit(np.c_[X, constant], y, **known)
    np.testing.assert_allclose(model.coef_, [*expected, 0.0], rtol=1e-9)
    assert model.coef_[2] == 0.0


def test_a_column_that_is_constant_in_each_domain_is_no_effect_within_domains():
    X, y, groups, weight = make_rows()
    by_domain = np.array([0.1, 0.7, 1.0 / 3.0, 12.3])[groups]
    model = AnchorRegression(gamma=0.0, alpha=0.0)
    expected = model.fit(X, y, groups=groups, sample_weight=weight).coef_
    model.fit(np.c_[X, by_domain], y, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, [*expected, 0.0], rtol=1e-9)

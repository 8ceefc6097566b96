# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Logarithms of probabilities: exact where the probabilities are 0 or 1 to rounding."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import skdg
from skdg._probabilities import log_probabilities
from skdg._registry import ESTIMATORS
from skdg.invariance import AnchorClassifier, DomainRobustClassifier, ERMClassifier
from skdg.multitask import (
    MultiTaskLinearClassifier,
    MultiTaskLinearSVC,
    MultiTaskNetworkClassifier,
)

# Near the logarithm of 1 a sum of exponentials is exact to the rounding of 1, and a
# single sigmoid to its own.
SUMS = {"rtol": 1e-12, "atol": 4 * np.finfo(float).eps}

LOGITS = [0.0, -0.3, 2.0, 40.0, -40.0, 800.0, -800.0, 1e4, -1e5]


def log_shares(scores):
    """Logarithms of exp(score) over their sum, in 400 digits."""
    with localcontext(prec=400):
        powers = [Decimal(float(score)).exp() for score in scores]
        return [float((power / sum(powers)).ln()) for power in powers]


def log_sigmoid(value):
    """Logarithm of 1 / (1 + exp(-value)), in 400 digits."""
    return log_shares([value, 0.0])[0]


def make_rows(n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(["b", "a", "c"], [20, 24, 16])
    X = rng.normal(size=(60, 2))
    y = np.arange(60) % n_classes
    return X + y[:, None], y, groups


def extreme(X):
    """Rows whose decision values go far beyond what exp can represent."""
    return np.vstack([X[:4], 50.0 * X[:4], 1e5 * X[:4], -1e5 * X[:4]])


def test_two_classes_in_400_digits():
    expected = [[log_sigmoid(-f), log_sigmoid(f)] for f in LOGITS]
    found = log_probabilities(np.array(LOGITS))
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert np.isfinite(found).all()
    assert found[5, 1] == -math.exp(-800.0) == 0.0
    assert found[3, 1] == pytest.approx(-math.exp(-40.0), rel=1e-13)


def test_several_classes_in_400_digits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(12, 4)) * np.repeat([1.0, 30.0, 1e4], 4)[:, None]
    expected = [log_shares(row) for row in logits]
    np.testing.assert_allclose(log_probabilities(logits), expected, **SUMS)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("known", [True, False])
def test_multi_task_networks(n_classes, known):
    X, y, groups = make_rows(n_classes)
    model = MultiTaskNetworkClassifier(max_iter=20, random_state=0)
    model.fit(X, y, groups=groups)
    rows = extreme(X)
    options = {"groups": np.resize(["a", "b", "new"], len(rows))} if known else {}
    logits = model.decision_function(rows, **options)
    assert np.abs(logits).max() > 1e4
    found = model.predict_log_proba(rows, **options)
    if n_classes == 2:
        expected = [[log_sigmoid(-f), log_sigmoid(f)] for f in logits]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    else:
        expected = [log_shares(row) for row in logits]
        np.testing.assert_allclose(found, expected, **SUMS)
    probabilities = model.predict_proba(rows, **options)
    np.testing.assert_allclose(np.exp(found), probabilities, **SUMS)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("known", [True, False])
def test_multi_task_linear_models(n_classes, known):
    X, y, groups = make_rows(n_classes)
    model = MultiTaskLinearClassifier().fit(X, y, groups=groups)
    rows = extreme(X)
    options = {"groups": np.resize(["a", "b", "new"], len(rows))} if known else {}
    scores = model.decision_function(rows, **options)
    assert np.abs(scores).max() > 1e4
    found = model.predict_log_proba(rows, **options)
    if n_classes == 2:
        expected = [[log_sigmoid(-f), log_sigmoid(f)] for f in scores]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    else:
        # Each class against the rest, and these shares scaled to sum 1: a softmax of
        # the logarithms of the shares.
        expected = [log_shares([log_sigmoid(f) for f in row]) for row in scores]
        np.testing.assert_allclose(found, expected, **SUMS)
    probabilities = model.predict_proba(rows, **options)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(np.exp(found), probabilities)


def test_probabilities_of_linear_models_without_underflow_are_ratios_of_sigmoids():
    X, y, groups = make_rows(3)
    model = MultiTaskLinearClassifier().fit(X, y, groups=groups)
    sigmoids = 1.0 / (1.0 + np.exp(-model.decision_function(X)))
    np.testing.assert_allclose(
        model.predict_proba(X),
        sigmoids / sigmoids.sum(axis=1, keepdims=True),
        rtol=1e-12,
    )


class Ungrouped(ClassifierMixin, BaseEstimator):
    """A multi-task network whose tasks are every second row, so that it needs none."""

    def fit(self, X, y, sample_weight=None):
        self.network_ = MultiTaskNetworkClassifier(max_iter=20, random_state=0)
        tasks = np.arange(len(y)) % 2
        self.network_.fit(X, y, groups=tasks, sample_weight=sample_weight)
        self.classes_ = self.network_.classes_
        return self

    def predict(self, X):
        return self.network_.predict(X)

    def predict_proba(self, X):
        return self.network_.predict_proba(X)

    def predict_log_proba(self, X):
        return self.network_.predict_log_proba(X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_networks(n_classes, dtype):
    X, y, groups = make_rows(n_classes)
    model = ERMClassifier(max_iter=20, random_state=0)
    model.fit(X.astype(dtype), y, groups=groups)
    rows = extreme(X).astype(dtype)
    logits = model.decision_function(rows)
    assert np.abs(logits).max() > 1e4
    found = model.predict_log_proba(rows)
    assert found.dtype == dtype
    if n_classes == 2:
        expected = [[log_sigmoid(-f), log_sigmoid(f)] for f in logits]
    else:
        expected = [log_shares(row) for row in logits]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected, rtol=1e3 * eps, atol=4 * eps)
    assert found.min() < -1e4


@pytest.mark.parametrize("name", ESTIMATORS)
def test_who_gives_probabilities_gives_logarithms(name):
    model = getattr(skdg, name)()
    assert hasattr(model, "predict_proba") == hasattr(model, "predict_log_proba")


def test_average_of_models_that_are_sure():
    X, y, groups = make_rows()
    model = DomainRobustClassifier(Ungrouped(), n_rounds=3, step_size=5.0)
    model.fit(X, y, groups=groups)
    rows = extreme(X)
    logits = [m.network_.decision_function(rows) for m in model.estimators_]
    expected = []
    with localcontext(prec=400):
        for values in np.transpose(logits):
            powers = [Decimal(float(f)).exp() for f in values]
            first = sum(1 / (1 + power) for power in powers) / len(powers)
            second = sum(power / (1 + power) for power in powers) / len(powers)
            expected.append([float(first.ln()), float(second.ln())])
    found = model.predict_log_proba(rows)
    np.testing.assert_allclose(found, expected, **SUMS)
    assert found.min() < -1e4
    np.testing.assert_allclose(np.exp(found), model.predict_proba(rows), **SUMS)


def test_models_without_logarithms_and_probabilities_of_0():
    X, y, groups = make_rows(3)

    class Tree(DecisionTreeClassifier):
        predict_log_proba = property()

    for tree in (DecisionTreeClassifier(max_depth=2), Tree(max_depth=2)):
        model = DomainRobustClassifier(tree, n_rounds=2).fit(X, y, groups=groups)
        probabilities = model.predict_proba(X)
        logs = model.predict_log_proba(X)
        assert (probabilities == 0).any()
        np.testing.assert_array_equal(logs == -np.inf, probabilities == 0)
        np.testing.assert_allclose(np.exp(logs), probabilities, rtol=1e-13)


def test_who_gives_no_probabilities_gives_no_logarithms():
    for model in (
        AnchorClassifier(),
        MultiTaskLinearSVC(),
        MultiTaskLinearClassifier(loss="hinge"),
        DomainRobustClassifier(LinearSVC()),
    ):
        assert not hasattr(model, "predict_proba")
        assert not hasattr(model, "predict_log_proba")


@pytest.mark.parametrize(
    "estimator", [MultiTaskLinearClassifier, MultiTaskNetworkClassifier]
)
def test_logarithms_of_a_task_ask_for_the_groups(estimator):
    requests = estimator().get_metadata_routing()
    assert requests.predict_log_proba.requests == {"groups": True}

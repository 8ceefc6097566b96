# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    StackingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdg.invariance import DomainRobustClassifier, DomainRobustRegressor
from skdg.invariance._domain_mixture import split_domains

SIZES = (60, 25, 40)


def make_rows(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(["c", "a", "b"], SIZES)
    slope = np.repeat([[1.0, 1.0], [-1.0, 1.0], [0.2, 0.5]], SIZES, axis=0)
    X = rng.normal(size=(sum(SIZES), 2))
    y = (X * slope).sum(axis=1) + 0.7 * rng.normal(size=len(X))
    return X, y, groups, rng.uniform(0.2, 3.0, len(X))


def recursion(base, X, y, groups, weight, losses_of, n_rounds, step_size):
    """The stated algorithm, domain by domain."""
    domains = sorted(set(groups))
    q = {e: 1.0 / len(domains) for e in domains}
    models, weights, losses = [], [], []
    for _ in range(n_rounds):
        shares = np.zeros(len(y))
        for i, e in enumerate(groups):
            mass = sum(w for w, d in zip(weight, groups, strict=True) if d == e)
            shares[i] = q[e] * weight[i] / mass
        model = clone(base).fit(X, y, sample_weight=shares * weight.sum())
        loss = {e: losses_of(model, groups == e) for e in domains}
        models.append(model)
        weights.append([q[e] for e in domains])
        losses.append([loss[e] for e in domains])
        q = {e: q[e] * np.exp(step_size * loss[e]) for e in domains}
        q = {e: q[e] / sum(q.values()) for e in domains}
    return models, weights, losses


def test_rounds_of_a_classifier_follow_the_recursion():
    X, y, groups, weight = make_rows()
    labels = np.digitize(y, [-0.7, 0.7])

    def losses_of(model, rows):
        p = model.predict_proba(X[rows])
        return log_loss(labels[rows], p, sample_weight=weight[rows], labels=[0, 1, 2])

    arguments = (X, labels, groups, weight)
    models, weights, losses = recursion(
        LogisticRegression(), *arguments, losses_of, n_rounds=6, step_size=2.0
    )
    robust = DomainRobustClassifier(n_rounds=6, step_size=2.0)
    robust.fit(X, labels, groups=groups, sample_weight=weight)
    np.testing.assert_array_equal(robust.domains_, ["a", "b", "c"])
    np.testing.assert_allclose(robust.domain_weights_, weights, rtol=1e-6)
    np.testing.assert_allclose(robust.domain_losses_, losses, rtol=1e-6)
    average = sum(model.predict_proba(X) for model in models) / 6
    np.testing.assert_allclose(robust.predict_proba(X), average, rtol=1e-5)
    np.testing.assert_array_equal(robust.predict(X), average.argmax(axis=1))
    assert np.ptp(robust.domain_weights_[-1]) > 0.1


def test_rounds_of_a_regressor_follow_the_recursion():
    X, y, groups, weight = make_rows(1)
    mean = np.average(y, weights=weight)
    variance = np.average((y - mean) ** 2, weights=weight)

    def losses_of(model, rows):
        squares = (y[rows] - model.predict(X[rows])) ** 2
        return np.average(squares, weights=weight[rows]) / variance

    models, weights, losses = recursion(
        LinearRegression(), X, y, groups, weight, losses_of, n_rounds=5, step_size=3.0
    )
    robust = DomainRobustRegressor(LinearRegression(), n_rounds=5, step_size=3.0)
    robust.fit(X, y, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(robust.domain_weights_, weights, rtol=1e-9)
    np.testing.assert_allclose(robust.domain_losses_, losses, rtol=1e-9)
    average = sum(model.predict(X) for model in models) / 5
    np.testing.assert_allclose(robust.predict(X), average, rtol=1e-9)
    last = DomainRobustRegressor(
        LinearRegression(), n_rounds=5, step_size=3.0, combine="last"
    ).fit(X, y, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(last.predict(X), models[-1].predict(X), rtol=1e-9)
    assert len(last.estimators_) == 1
    assert len(robust.estimators_) == 5


def test_step_size_0_is_one_fit_with_balanced_domains():
    X, y, groups, _ = make_rows(2)
    sizes = {e: (groups == e).sum() for e in "abc"}
    balanced = np.array([len(y) / 3 / sizes[e] for e in groups])
    robust = DomainRobustRegressor(step_size=0.0, n_rounds=3).fit(X, y, groups=groups)
    plain = Ridge().fit(X, y, sample_weight=balanced)
    np.testing.assert_allclose(robust.predict(X), plain.predict(X), rtol=1e-9)
    np.testing.assert_allclose(robust.domain_weights_, 1 / 3)


def test_worst_loss_falls_from_the_first_round_on():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], [50, 50])
    X = rng.normal(size=(100, 1)) * np.where(groups == 0, 2.0, 1.0)[:, None]
    y = np.where(groups == 0, 1.0, 3.0) * X[:, 0] + 0.1 * rng.normal(size=100)
    robust = DomainRobustRegressor(n_rounds=30).fit(X, y, groups=groups)
    first, last = robust.domain_losses_[[0, -1]]
    assert first.argmax() == 1
    # Both domains have the loss (4 / 3)^2 at a slope of 5 / 3. Equal weights give the
    # slope 1.4 and losses of 0.64 and 2.56.
    assert last.max() < 0.75 * first.max()
    errors = (y - robust.predict(X)) ** 2 / np.var(y)
    averaged = max(errors[groups == e].mean() for e in (0, 1))
    assert averaged < 0.8 * first.max()
    # The saddle point has equal losses.
    np.testing.assert_allclose(last[0], last[1], rtol=0.1)


def test_weights_count_repetitions_of_rows():
    X, y, groups, _ = make_rows(3)
    weight = np.random.default_rng(4).integers(0, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    first = DomainRobustRegressor(n_rounds=4, step_size=2.0)
    first.fit(X, y, groups=groups, sample_weight=weight)
    second = clone(first).fit(X[again], y[again], groups=groups[again])
    np.testing.assert_allclose(first.predict(X), second.predict(X), rtol=1e-8)
    np.testing.assert_allclose(first.domain_losses_, second.domain_losses_, rtol=1e-8)


def test_a_domain_of_weight_0_is_not_there():
    X, y, groups, weight = make_rows(3)
    weight[groups == "b"] = 0.0
    robust = DomainRobustRegressor(n_rounds=3)
    robust.fit(X, y, groups=groups, sample_weight=weight)
    np.testing.assert_array_equal(robust.domains_, ["a", "c"])
    assert robust.domain_losses_.shape == (3, 2)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_split_takes_its_share_of_each_domain(fraction):
    codes = np.random.default_rng(0).permutation(np.repeat(range(4), [40, 11, 2, 1]))
    train, measure = split_domains(codes, fraction, 0)
    held = np.bincount(codes[measure], minlength=4)
    expected = [min(n - 1, max(1, round(fraction * n))) for n in (40, 11, 2)]
    np.testing.assert_array_equal(held, [*expected, 1])
    # Only the row of the domain of one row is in both.
    both = np.intersect1d(train, measure)
    np.testing.assert_array_equal(codes[both], [3])
    np.testing.assert_array_equal(np.union1d(train, measure), np.arange(54))
    again = split_domains(codes, fraction, 0)
    np.testing.assert_array_equal(measure, again[1])
    other = split_domains(codes, fraction, 1)
    assert not np.array_equal(measure, other[1])


class RecordingTree(DecisionTreeClassifier):
    """A tree that remembers its training rows."""

    def fit(self, X, y, sample_weight=None):
        self.rows_, self.weight_ = X.copy(), sample_weight
        return super().fit(X, y, sample_weight=sample_weight)


def test_validation_rows_measure_and_the_others_train():
    X, y, groups, weight = make_rows(5)
    labels = (y > 0).astype(int)
    tree = RecordingTree(random_state=0)
    blind = DomainRobustClassifier(tree, n_rounds=2)
    blind.fit(X, labels, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(blind.domain_losses_, 0.0, atol=1e-10)
    robust = clone(blind).set_params(validation_fraction=0.4, random_state=7)
    robust.fit(X, labels, groups=groups, sample_weight=weight)
    codes = np.unique(groups, return_inverse=True)[1]
    fitted = robust.estimators_[0]
    trained = (X[:, None] == fitted.rows_).all(axis=2).any(axis=1)
    train, measure = np.flatnonzero(trained), np.flatnonzero(~trained)
    np.testing.assert_array_equal(np.bincount(codes[measure]), [10, 16, 24])
    mass = np.bincount(codes[train], weights=weight[train])
    shares = weight[train] / mass[codes[train]] / 3 * weight[train].sum()
    np.testing.assert_allclose(np.sort(fitted.weight_), np.sort(shares), rtol=1e-10)
    plain = clone(tree).fit(X[train], labels[train], sample_weight=shares)
    wrong = plain.predict(X[measure]) != labels[measure]
    # A tree's leaves are pure, so that a wrong answer costs the cap.
    losses = -np.log(np.where(wrong, np.finfo(float).eps, 1.0))
    expected = [
        np.average(losses[own], weights=weight[measure][own])
        for own in (codes[measure] == e for e in range(3))
    ]
    np.testing.assert_allclose(robust.domain_losses_[0], expected, rtol=1e-10)
    assert robust.domain_losses_[0].min() > 1.0


class Unweighted(BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


@pytest.mark.parametrize(
    ("robust", "base"),
    [
        (DomainRobustClassifier, KNeighborsClassifier()),
        (DomainRobustClassifier, Unweighted()),
        # Before it is fitted it has no `predict`.
        (DomainRobustRegressor, StackingRegressor([("k", KNeighborsRegressor())])),
    ],
)
def test_an_estimator_without_sample_weight_is_a_clear_error(robust, base):
    X, y, groups, _ = make_rows()
    y = y if robust is DomainRobustRegressor else (y > 0).astype(int)
    message = (
        f"must take sample_weight in fit, which {type(base).__name__} does not.*"
        f"scaler, {robust.__name__}"
    )
    with pytest.raises(ValueError, match=message):
        robust(base).fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("robust", "base", "right"),
    [
        (DomainRobustClassifier, Ridge, "DomainRobustRegressor"),
        (DomainRobustRegressor, LogisticRegression, "DomainRobustClassifier"),
    ],
)
def test_an_estimator_of_the_other_kind_is_a_clear_error(robust, base, right):
    X, y, groups, _ = make_rows()
    message = f"{base.__name__} is a .*, for which there is {right}"
    with pytest.raises(ValueError, match=message):
        robust(base()).fit(X, (y > 0).astype(int), groups=groups)


def test_a_frame_with_categories_reaches_gradient_boosting():
    X, y, groups, _ = make_rows(6)
    rng = np.random.default_rng(0)
    # More categories than an order of codes could separate with few leaves.
    kind = rng.integers(0, 8, len(y))
    effect = np.array([5.0, -5.0, 5.0, -5.0, 5.0, -5.0, 5.0, -5.0])[kind]
    frame = pd.DataFrame({"x": X[:, 0], "kind": pd.Categorical(list("ahbgcfde"))[kind]})
    boosting = HistGradientBoostingRegressor(
        categorical_features="from_dtype", max_leaf_nodes=2, max_iter=30, random_state=0
    )
    robust = DomainRobustRegressor(boosting, n_rounds=2)
    robust.fit(frame, y + effect, groups=groups)
    np.testing.assert_array_equal(robust.feature_names_in_, ["x", "kind"])
    assert all(m.is_categorical_.tolist() == [False, True] for m in robust.estimators_)
    assert robust.score(frame, y + effect) > 0.9
    labels = np.where(effect > 0, "up", "down")
    classifier = DomainRobustClassifier(
        HistGradientBoostingClassifier(max_leaf_nodes=2, max_iter=30), n_rounds=2
    ).fit(frame, labels, groups=groups)
    np.testing.assert_array_equal(classifier.predict(frame), labels)


def test_missing_values_are_left_to_the_estimator():
    X, y, groups, _ = make_rows(6)
    X[::3, 0] = np.nan
    boosting = HistGradientBoostingRegressor(max_iter=5)
    robust = DomainRobustRegressor(boosting, n_rounds=2).fit(X, y, groups=groups)
    assert np.isfinite(robust.predict(X)).all()
    with pytest.raises(ValueError, match="NaN"):
        DomainRobustRegressor(n_rounds=2).fit(X, y, groups=groups)


@pytest.mark.parametrize("fraction", [None, 0.3])
def test_sparse_input_gives_the_model_of_dense_input(fraction):
    X, y, groups, _ = make_rows(7)
    X[np.abs(X) < 0.7] = 0.0
    labels = (y > 0).astype(int)
    robust = DomainRobustClassifier(
        n_rounds=3, validation_fraction=fraction, random_state=0
    )
    dense = robust.fit(X, labels, groups=groups).predict_proba(X)
    sparse = csr_array(X)
    robust.fit(sparse, labels, groups=groups)
    np.testing.assert_allclose(robust.predict_proba(sparse), dense, rtol=1e-6)


def test_without_probabilities_models_vote_and_errors_are_the_loss():
    X, y, groups, weight = make_rows(8)
    labels = np.array(["l", "m", "h"])[np.digitize(y, [-0.7, 0.7])]
    base = LinearSVC(random_state=0)
    robust = DomainRobustClassifier(base, n_rounds=5, step_size=4.0)
    assert not hasattr(robust, "predict_proba")
    robust.fit(X, labels, groups=groups, sample_weight=weight)
    predicted = np.array([model.predict(X) for model in robust.estimators_])
    for r in range(5):
        for k, e in enumerate(robust.domains_):
            own = groups == e
            wrong = predicted[r, own] != labels[own]
            share = np.average(wrong, weights=weight[own])
            np.testing.assert_allclose(robust.domain_losses_[r, k], share)
    votes = np.array([(predicted == c).sum(axis=0) for c in robust.classes_])
    np.testing.assert_array_equal(
        robust.predict(X), robust.classes_[votes.argmax(axis=0)]
    )
    assert (predicted != predicted[0]).any()


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
def test_one_domain_is_one_round():
    X, y, _, _ = make_rows(9)
    robust = DomainRobustRegressor().fit(X, y)
    assert len(robust.estimators_) == 1
    np.testing.assert_allclose(robust.predict(X), Ridge().fit(X, y).predict(X))


def test_one_class_is_an_error():
    X, y, groups, _ = make_rows()
    with pytest.raises(ValueError, match="only one class: 'a'"):
        DomainRobustClassifier().fit(X, np.full(len(y), "a"), groups=groups)


def test_a_constant_target_is_predicted():
    X, y, groups, _ = make_rows()
    robust = DomainRobustRegressor(n_rounds=3).fit(X, np.full(len(y), 3.5), groups)
    np.testing.assert_allclose(robust.predict(X), 3.5)


def test_numpys_global_generator_is_left_alone():
    X, y, groups, _ = make_rows()
    _, before, place, *_ = np.random.get_state()  # noqa: NPY002
    DomainRobustRegressor(validation_fraction=0.3, n_rounds=2).fit(X, y, groups=groups)
    _, after, place_after, *_ = np.random.get_state()  # noqa: NPY002
    assert place_after == place
    np.testing.assert_array_equal(after, before)

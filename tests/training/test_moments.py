# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Points with the moments of the rows give the model that the rows give."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skdg
from skdg import ERMClassifier, ERMRegressor, IRMRegressor
from skdg._registry import ESTIMATORS
from skdg._training import estimators, moments, together
from skdg._training.estimators import NetworkEstimator
from skdg._training.moments import moment_points
from skdg._training.together import fit_models

REGRESSORS = [
    name
    for name in ESTIMATORS
    if name.endswith("Regressor") and issubclass(getattr(skdg, name), NetworkEstimator)
]
# These see more than moments: single gradients, kernels, drawn rows, a discriminator.
OF_ROWS = {"Fishr", "MMD", "CausIRL", "Mixup", "DANN"}
OF_MOMENTS = [name for name in REGRESSORS if name[: -len("Regressor")] not in OF_ROWS]


def make_data(n=150, n_targets=2, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 4)) + groups[:, None] * [0.0, 0.5, 0.0, -1.0]
    y = X @ rng.normal(size=(4, n_targets)) + X[:, :1] ** 2 + groups[:, None]
    return X, y, groups, rng.integers(0, 4, n) * rng.uniform(0.5, 1.0, n)


def make(name, **kw):
    return getattr(skdg, name)(**{"hidden_layer_sizes": (), "random_state": 0} | kw)


@pytest.fixture
def seen(monkeypatch):
    """Keep the rows on which networks are trained."""
    rows_seen = []
    for module in (estimators, together):
        choose = module.rows_to_see

        def keep(*arguments, choose=choose):
            rows_seen.append(choose(*arguments))
            return rows_seen[-1]

        monkeypatch.setattr(module, "rows_to_see", keep)
    return rows_seen


@pytest.fixture
def on_all_rows(monkeypatch):
    """Return a function that fits with the replacement of rows turned off."""

    def fit(model, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(estimators, "rows_to_see", lambda rows, *_: rows)
            return clone(model).fit(*arguments)

    return fit


def assert_same_fit(model, other, rtol=1e-9):
    pairs = [*zip(model.coefs_, other.coefs_, strict=True)]
    pairs += zip(model.intercepts_, other.intercepts_, strict=True)
    pairs += [(values, other.history_[key]) for key, values in model.history_.items()]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)
    assert model.history_.keys() == other.history_.keys()


# The points


def test_moments_are_those_of_the_rows(monkeypatch):
    X, Y, _, weight = make_data()
    # A constant, a collinear, a huge and a tiny column.
    X = np.column_stack([X, np.full(len(X), 3.0), X[:, 0] - 2 * X[:, 1]])
    X = np.column_stack([X, 1e12 * (1 + X[:, 2] ** 2), 1e-12 * X[:, 3] ** 3])
    X, Y, weight = X[weight > 0], Y[weight > 0], weight[weight > 0]
    monkeypatch.setattr(moments, "_NUMBERS_AT_ONCE", 1)  # several parts
    points, targets, mass = moment_points(*map(torch.tensor, (X, Y, weight)))
    assert len(points) == len(targets) == len(mass) == X.shape[1] + Y.shape[1] + 1
    np.testing.assert_allclose(mass, weight.sum() / len(mass), rtol=1e-14)
    rows, few = np.hstack([X, Y]), np.hstack([points, targets])
    mean = np.average(rows, axis=0, weights=weight)
    np.testing.assert_allclose(few.mean(0), mean, rtol=1e-12, atol=1e-24)
    expected = np.cov(rows.T, aweights=weight, ddof=0)
    scale = np.sqrt(expected.diagonal() + mean**2)
    found = np.cov(few.T, ddof=0)
    np.testing.assert_allclose(
        found / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-13
    )


def test_as_many_rows_as_points_stay_as_they_are():
    X, Y, _, weight = (torch.tensor(values[:7]) for values in make_data())
    assert moment_points(X, Y, weight) == (X, Y, weight)


def test_zeros_stay_zeros():
    X, Y, _, weight = map(torch.tensor, make_data())
    X[:, 1], Y[:] = 0.0, 0.0
    points, targets, _ = moment_points(X, Y, weight + 0.1)
    assert not points[:, 1].any()
    assert not targets.any()


# The models


@pytest.mark.parametrize("name", REGRESSORS)
def test_who_needs_moments_alone(name):
    step = make(name)._make_step(np.random.RandomState(0))
    assert step.needs_moments_alone == (name in OF_MOMENTS)


@pytest.mark.parametrize("hidden", [(), (3,)], ids=len)
@pytest.mark.parametrize("name", OF_MOMENTS)
def test_models_are_those_of_the_rows(name, hidden, seen, on_all_rows):
    data = make_data()
    model = make(name, hidden_layer_sizes=hidden, activation="identity", max_iter=20)
    model.set_params(batch_size=None)
    model.fit(*data)
    assert_same_fit(model, on_all_rows(model, *data))
    (rows,) = seen
    assert rows.sizes == (7, 7, 7)


@pytest.mark.parametrize("dummy", ["scalar", "affine", "vector"])
def test_side_by_side_each_with_rows_of_its_own(dummy, seen, on_all_rows):
    tables = [make_data(n_targets=1, seed=seed)[:3] for seed in range(2)]
    tables = [(X[np.argsort(g)], y, np.sort(g)) for X, y, g in tables]
    tables = [(X, y.ravel(), tables[0][2]) for X, y, _ in tables]
    kw = {"penalty_anneal_iters": 5, "dummy": dummy, "max_iter": 20}
    models = [make("IRMRegressor", penalty_weight=w, **kw) for w in (0.5, 2.0)]
    data = [
        models[0]._validate(X, y, None, *models[0]._encode_domains(X, groups))
        for X, y, groups in tables
    ]
    fit_models(models, data)
    assert [rows.sizes for rows in seen] == [(6, 6, 6)] * 2
    for model, table in zip(models, tables, strict=True):
        assert_same_fit(model, on_all_rows(model, *table))


def test_single_precision(on_all_rows):
    X, y, *rest = make_data()
    data = (X.astype(np.float32), y.astype(np.float32), *rest)
    # (Adam would make a step of a gradient that is 0 but for rounding.)
    model = make("IRMRegressor", optimizer="sgd", learning_rate_init=0.1).fit(*data)
    assert model.coef_.dtype == np.float32
    assert_same_fit(model, on_all_rows(model, *data), rtol=1e-5)


def test_fitted_models_and_warm_starts(on_all_rows):
    data = make_data()
    model = make("ERMRegressor", warm_start=True, max_iter=30, batch_size=None)
    other = on_all_rows(model, *data)
    assert_same_fit(model.fit(*data).fit(*data), other.fit(*data))
    # A pass over all rows at once is a single step, which is not worth the points.
    assert_same_fit(model.partial_fit(*data), other.partial_fit(*data))


@pytest.mark.parametrize(
    "model",
    [
        make("ERMRegressor", batch_size=30),
        make("ERMRegressor", max_iter=1),
        make("ERMRegressor", hidden_layer_sizes=(3,), activation="relu", max_iter=5),
        make("ERMRegressor", module=lambda n: torch.nn.Linear(n, 3), max_iter=5),
        make("IRMRegressor", penalty_estimate="unbiased"),
        make("MMDRegressor", penalty_weight=0.1, max_iter=50),
        ERMClassifier(hidden_layer_sizes=(), max_iter=50),
    ],
    ids=[
        "batches",
        "one step",
        "hidden layer",
        "module",
        "unbiased",
        "MMD",
        "classifier",
    ],
)
def test_rows_are_seen_one_by_one(model, seen):
    X, y, groups, weight = make_data(n_targets=1)
    y = y.ravel() > 0 if isinstance(model, ERMClassifier) else y.ravel()
    model.fit(X, y, groups, weight)
    (rows,) = seen
    assert sum(rows.sizes) == np.count_nonzero(weight)


def test_bits_depend_on_rows_of_a_weight_alone_and_not_on_threads():
    X, y, groups, weight = make_data(400)
    coefs, before = [], torch.get_num_threads()
    for number in (1, 2):
        torch.set_num_threads(number)
        for kept in (slice(None), weight > 0):
            data = (values[kept] for values in (X, y, groups, weight))
            coefs.append(ERMRegressor(hidden_layer_sizes=()).fit(*data).coef_)
        assert torch.get_num_threads() == number
    torch.set_num_threads(before)
    assert len({values.tobytes() for values in coefs}) == 1


def test_divergence_is_noticed():
    X, y, groups, weight = make_data()
    model = IRMRegressor(hidden_layer_sizes=(), optimizer="sgd", learning_rate_init=9.0)
    with pytest.raises(skdg.DivergenceError, match="Training diverged"):
        model.fit(X, y, groups, weight)

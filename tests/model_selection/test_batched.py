# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Batched searches find what the ordinary ones find."""

import os
import threading
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skdg
from skdg import (
    ERMClassifier,
    ERMRegressor,
    IRMClassifier,
    SingleDomainWarning,
    VRExRegressor,
)
from skdg._registry import ESTIMATORS
from skdg.exceptions import OrdinarySearchWarning
from skdg.model_selection import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    _batched_evaluation,
    _batched_fits,
    _batches,
)

NETWORKS = [name for name in ESTIMATORS if hasattr(getattr(skdg, name)(), "optimizer")]
BY_THEMSELVES = {"MultiTaskNetworkClassifier", "MultiTaskNetworkRegressor"}
# A number of the method itself, and values that are not its default.
OWN = {
    "penalty_weight": [0.0, 0.3],
    "gamma": [0.0, 0.02],
    "step_size": [0.1, 0.5],
    "quantile": [0.4, 0.6],
    "agreement_threshold": [0.3, 0.6],
    "meta_learning_rate": [0.3, 1.0],
    "concentration": [0.5, 1.0],
    "alpha": [0.0, 0.1],
}
SHORT = {"activation": "tanh", "max_iter": 12, "random_state": 0}


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def make_data(name="ERMClassifier", sizes=(10, 14, 16), seed=0):
    rng = np.random.default_rng(seed)
    X, groups = rng.normal(size=(sum(sizes), 3)), np.repeat(["a", "b", "c"], sizes)
    signal = X @ [1.0, -1.0, 0.5] + 0.5 * (groups == "b") + rng.normal(size=len(X))
    return X, (signal > 0).astype(int) if "Classifier" in name else signal, groups


def loss_of(name):
    return "neg_log_loss" if "Classifier" in name else "neg_mean_squared_error"


def assert_same_search(search, other):
    found, expected = search.cv_results_, other.cv_results_
    assert list(found) == list(expected)
    assert found["params"] == expected["params"]
    for key, values in expected.items():
        if key.endswith("_time") or key == "params" or key.startswith("rank"):
            assert len(found[key]) == len(values)
        elif key.startswith("param_"):
            assert found[key].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(found[key], values, rtol=0, atol=1e-6)
    assert search.n_splits_ == other.n_splits_
    assert search.multimetric_ == other.multimetric_


def no_fit(*args, **kw):
    raise AssertionError("fitted by itself")


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        *((name, "domains") for name in NETWORKS),
        *((name, "folds") for name in ("IRMClassifier", "FishRegressor")),
    ],
)
def test_equals_the_ordinary_search(name, splits, monkeypatch):
    if splits == "domains":  # batches so small would be trained one after the other
        monkeypatch.setattr(_batches, "_VALUES_OF_A_THREAD", 0)
    X, y, groups = make_data(name)
    model = getattr(skdg, name)(hidden_layer_sizes=(4,), **SHORT)
    own = next(n for n in OWN if n in model.get_params())
    grid = [
        {
            own: OWN[own],
            "learning_rate_init": [0.01, 0.03],
            "hidden_layer_sizes": [(4,)],
        },
        {"random_state": [1, 2], "hidden_layer_sizes": [(), (4,)], "batch_size": [6]},
    ]
    cv = LeaveOneGroupOut() if splits == "domains" else KFold(4)
    given = {"scoring": loss_of(name), "cv": cv, "return_train_score": True}
    other = GridSearchCV(clone(model), grid, **given).fit(X, y, groups=groups)
    search = BatchedGridSearchCV(model, grid, **given)
    if name in BY_THEMSELVES:
        with pytest.warns(OrdinarySearchWarning, match="not a plain stack of layers"):
            search.fit(X, y, groups=groups)
    else:
        monkeypatch.setattr(_batched_evaluation, "_fit_and_score", no_fit)
        search.fit(X, y, groups=groups)
    assert_same_search(search, other)
    assert search.best_params_ == other.best_params_
    for a, b in zip(
        search.best_estimator_.coefs_, other.best_estimator_.coefs_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_pipeline_fits_what_comes_before_once_per_fold(monkeypatch):
    fits = []

    class Scaler(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            fits.append(len(X))
            return super().fit(X, y)

    X, y, groups = make_data()
    X[:, 0] *= 30.0
    pipeline = make_pipeline(Scaler(), IRMClassifier(hidden_layer_sizes=(3,), **SHORT))
    grid = {"irmclassifier__penalty_weight": [0.1, 1.0, 10.0]}
    given = {"cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}
    other = GridSearchCV(pipeline, grid, **given).fit(X, y, groups=groups)
    monkeypatch.setattr(_batched_evaluation, "_fit_and_score", no_fit)
    del fits[:]
    search = BatchedGridSearchCV(pipeline, grid, **given).fit(X, y, groups=groups)
    assert fits == [30, 26, 24, 40]
    assert_same_search(search, other)
    np.testing.assert_allclose(search.predict(X), other.predict(X))
    # Other steps before are fitted for themselves.
    grid["scaler__with_mean"] = [True, False]
    other = GridSearchCV(pipeline, grid, **given).fit(X, y, groups=groups)
    monkeypatch.undo()
    search = BatchedGridSearchCV(pipeline, grid, **given).fit(X, y, groups=groups)
    assert_same_search(search, other)


def test_metadata_of_steps_and_scorer():
    X, y, groups = make_data()
    weight = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=True),
        ERMClassifier(hidden_layer_sizes=(), **SHORT).set_fit_request(
            sample_weight="own_weight", groups=True
        ),
    )
    grid = {"ermclassifier__alpha": [0.1, 1.0]}
    passed = {"groups": groups, "sample_weight": weight, "own_weight": weight[::-1]}
    searches = [
        kind(
            pipeline,
            grid,
            cv=LeaveOneGroupOut(),
            scoring=get_scorer("neg_log_loss").set_score_request(sample_weight=True),
        ).fit(X, y, **passed)
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


def test_without_routing_groups_reach_the_splitter_alone():
    X, y, groups = make_data()
    searches = [
        kind(
            ERMClassifier(hidden_layer_sizes=(3,), **SHORT),
            {"alpha": [0.1, 1.0]},
            cv=LeaveOneGroupOut(),
            scoring="neg_log_loss",
        )
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    for search in searches:
        with (
            config_context(enable_metadata_routing=False),
            pytest.warns(SingleDomainWarning),
        ):
            search.fit(X, y, groups=groups)
    assert_same_search(*searches)


def test_randomized_search():
    X, y, groups = make_data("VRExRegressor")
    space = {"penalty_weight": loguniform(0.1, 10), "learning_rate_init": [0.01, 0.1]}
    searches = [
        kind(
            VRExRegressor(hidden_layer_sizes=(4,), **SHORT),
            space,
            n_iter=5,
            cv=LeaveOneGroupOut(),
            random_state=3,
        ).fit(X, y, groups=groups)
        for kind in (BatchedRandomizedSearchCV, RandomizedSearchCV)
    ]
    assert_same_search(*searches)
    assert searches[0].best_params_ == searches[1].best_params_


def test_several_scores_and_refit_by_a_function():
    X, y, groups = make_data()
    searches = [
        kind(
            ERMClassifier(hidden_layer_sizes=(3,), **SHORT),
            {"alpha": [0.1, 1.0]},
            scoring=["accuracy", "neg_log_loss"],
            refit=lambda results: int(results["mean_test_neg_log_loss"].argmin()),
        ).fit(X, y, groups=groups)
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)
    assert searches[0].best_index_ == searches[1].best_index_
    assert not hasattr(searches[0], "best_score_")
    assert set(searches[0].scorer_) == {"accuracy", "neg_log_loss"}


def test_a_fit_that_diverges_is_reported_as_usual():
    X, y, groups = make_data("VRExRegressor")
    model = VRExRegressor(
        hidden_layer_sizes=(), optimizer="sgd", learning_rate="constant", max_iter=60
    )
    grid = {"learning_rate_init": [0.01, 1e6, 0.02]}
    searches, messages = [], []
    for kind in (BatchedGridSearchCV, GridSearchCV):
        search = kind(model, grid, cv=LeaveOneGroupOut())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            searches.append(search.fit(X, y, groups=groups))
        failed = [w for w in caught if issubclass(w.category, FitFailedWarning)]
        messages.append(str(failed[0].message).splitlines()[:4])
    assert messages[0] == messages[1]
    assert_same_search(*searches)
    assert np.isnan(searches[0].cv_results_["mean_test_score"]).tolist() == [0, 1, 0]
    with pytest.raises(skdg.DivergenceError, match="learning_rate_init"):
        BatchedGridSearchCV(model, grid, error_score="raise").fit(X, y, groups=groups)


def test_a_parameter_that_is_wrong_is_reported_as_usual():
    X, y, groups = make_data()
    search = BatchedGridSearchCV(ERMClassifier(**SHORT), {"alpha": [0.1, -1.0]})
    with (
        pytest.warns(FitFailedWarning, match="'alpha' parameter"),
        pytest.warns(UserWarning, match="scores are non-finite"),
    ):
        search.fit(X, y, groups=groups)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_other_estimators_and_mixed_grids():
    X, y, groups = make_data()
    for estimator, grid, message in [
        (LogisticRegression(), {"C": [0.1, 1.0]}, "LogisticRegression does not train"),
        (
            ERMClassifier(hidden_layer_sizes=(3,), **SHORT),
            [{"alpha": [0.1, 1.0]}, {"module": [nn.Identity, None]}],
            "ERMClassifier has a module",
        ),
    ]:
        given = {"cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}
        if "module" in message:
            grid[1]["module"] = [lambda n_features: nn.Linear(n_features, 2), None]
        other = GridSearchCV(estimator, grid, **given).fit(X, y, groups=groups)
        search = BatchedGridSearchCV(estimator, grid, **given)
        with pytest.warns(OrdinarySearchWarning, match=message):
            search.fit(X, y, groups=groups)
        assert_same_search(search, other)


@pytest.mark.parametrize("at_once", [2**8, 2**10, 2**30])
def test_size_of_batches_does_not_matter(at_once, monkeypatch):
    X, y, groups = make_data(sizes=(10, 10, 10))
    model = IRMClassifier(hidden_layer_sizes=(4,), **SHORT)
    grid = {"penalty_weight": np.logspace(-2, 1, 20)}
    given = {"cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}
    other = GridSearchCV(model, grid, **given).fit(X, y, groups=groups)
    monkeypatch.setattr(_batches, "_NUMBERS_AT_ONCE", at_once)
    if at_once == 2**10:  # then folds are not waited for either
        monkeypatch.setattr(_batched_fits, "_MANY", 0)
    sizes = []

    def train(jobs, *stop):
        sizes.append(len(jobs))
        return _batches.train_batch(jobs, *stop)

    monkeypatch.setattr(_batched_evaluation, "train_batch", train)
    search = BatchedGridSearchCV(model, grid, **given)
    if at_once == 2**8:
        with pytest.warns(OrdinarySearchWarning, match="fills the cores"):
            search.fit(X, y, groups=groups)
    else:
        search.fit(X, y, groups=groups)
    assert_same_search(search, other)
    # An even number for each of three folds of 20, although three would do for it.
    expected = {2**8: [], 2**10: [5] * 12, 2**30: [20] * 3}
    assert sizes == expected[at_once]


@pytest.mark.parametrize(("n_hidden", "beside"), [(40, False), (70, True)])
def test_small_batches_are_trained_in_the_thread_of_the_search(
    n_hidden, beside, monkeypatch, two_threads
):
    X, y, groups = make_data(sizes=(12, 12, 12))
    model = IRMClassifier(hidden_layer_sizes=(n_hidden,), **SHORT)
    meeting = threading.Barrier(2 if beside else 1, timeout=60)
    seen = set()

    def train(jobs, *stop):
        meeting.wait()  # until another thread trains, too
        seen.add(threading.get_ident())
        return _batches.train_batch(jobs, *stop)

    monkeypatch.setattr(_batched_evaluation, "train_batch", train)
    # Of 20 models, 18 rows and the hidden units with the output.
    monkeypatch.setattr(_batches, "_VALUES_OF_A_THREAD", 20 * 18 * 60)
    grid = {"penalty_weight": np.logspace(-2, 1, 20)}
    folds = GroupKFold(2).split(X, y, [0] * 18 + [1] * 18)
    search = BatchedGridSearchCV(model, grid, cv=list(folds), refit=False)
    search.fit(X, y, groups=groups)
    assert len(seen) == (2 if beside else 1)
    assert (threading.get_ident() in seen) != beside


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("scaled", [False, True])
def test_jobs_are_worker_processes(backend, scaled):
    """They train the same models and score them, too."""

    def score_and_process(estimator, X, y):
        return {"score": estimator.decision_function(X).sum(), "process": os.getpid()}

    X, y, groups = make_data(sizes=(10, 10, 12))
    model = IRMClassifier(hidden_layer_sizes=(4,), **SHORT)
    grid = {"penalty_weight": np.logspace(-2, 1, 5), "hidden_layer_sizes": [(3,), (4,)]}
    if scaled:
        model = make_pipeline(StandardScaler(), model)
        grid = {f"irmclassifier__{name}": values for name, values in grid.items()}
    given = {"cv": LeaveOneGroupOut(), "scoring": score_and_process, "refit": False}
    given["return_train_score"] = True
    alone = BatchedGridSearchCV(model, grid, **given).fit(X, y, groups=groups)
    with joblib.parallel_config(backend):
        search = BatchedGridSearchCV(model, grid, **given, n_jobs=2)
        search.fit(X, y, groups=groups)
    for split in range(3):
        assert (alone.cv_results_[f"split{split}_test_process"] == os.getpid()).all()
        here = search.cv_results_[f"split{split}_test_process"] == os.getpid()
        assert here.all() if backend == "threading" else not here.any()
        for part in ("train", "test"):
            name = f"split{split}_{part}_score"
            assert_array_equal(search.cv_results_[name], alone.cv_results_[name])


def test_points_in_place_of_rows_are_few(monkeypatch):
    """As rows they would be too many to train side by side."""
    X, y, groups = make_data("ERMRegressor")
    grid = {"alpha": [0.1, 1.0, 3.0]}
    given = {"cv": LeaveOneGroupOut(), "scoring": "neg_mean_squared_error"}
    monkeypatch.setattr(_batches, "_NUMBERS_AT_ONCE", 2**6)
    for name, alone in (("ERMRegressor", False), ("MMDRegressor", True)):
        model = getattr(skdg, name)(hidden_layer_sizes=(), **SHORT)
        other = GridSearchCV(model, grid, **given).fit(X, y, groups=groups)
        search = BatchedGridSearchCV(model, grid, **given)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search.fit(X, y, groups=groups)
        assert [w.category for w in caught] == [OrdinarySearchWarning] * alone
        assert_same_search(search, other)


def test_nothing_to_fit():
    X, y, _ = make_data()
    with pytest.raises(ValueError, match="there are 2 candidates and 0 folds"):
        BatchedGridSearchCV(ERMClassifier(), {"alpha": [0.1, 1.0]}, cv=[]).fit(X, y)


def test_useless_models_are_warned_of():
    X, y, groups = make_data("ERMRegressor")
    model = ERMRegressor(hidden_layer_sizes=(5,), max_iter=1, random_state=0)
    given = {"cv": 2, "refit": False}
    counts = []
    for kind in (GridSearchCV, BatchedGridSearchCV):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind(model, {"alpha": [0.1, 0.2]}, **given).fit(30 * X, y, groups=groups)
        counts.append(sum(w.category is ConvergenceWarning for w in caught))
    assert counts[0] == counts[1] > 0

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import sklearn
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skdg import (
    ERMClassifier,
    ERMRegressor,
    FishClassifier,
    IDGMClassifier,
    IRMClassifier,
    SingleDomainWarning,
)

METHODS = pytest.mark.parametrize(
    "method", [ERMClassifier, IRMClassifier, IDGMClassifier, FishClassifier]
)
ROUTING = pytest.mark.parametrize("routing", [False, True])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)
    return X, y, rng.integers(0, 3, 60)


@pytest.fixture(autouse=True)
def routing_off():
    with sklearn.config_context(enable_metadata_routing=False):
        yield


class Watcher:
    """Keep what the hooks are told; stop or fail after some iterations."""

    def __init__(self, stop_after=None, fail_after=None):
        self.stop_after, self.fail_after = stop_after, fail_after
        self.events, self.scores, self.models = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(("end", context.task_name, context.task_id))
        if context.task_name != "iteration":
            return False
        self.models.append(fitted_estimator)
        self.scores.append(fitted_estimator.score(X, y))
        if context.task_id + 1 == self.fail_after:
            raise RuntimeError("the callback broke")
        return context.task_id + 1 == self.stop_after


def same_bits(a, b):
    return all(
        np.array_equal(x, y)
        for x, y in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    )


@METHODS
def test_hooks_are_called_in_order(data, method):
    X, y, groups = data
    watcher = Watcher()
    method(max_iter=2).set_callbacks(watcher).fit(X, y, groups=groups)
    assert watcher.events == [
        "setup",
        ("begin", "fit", 0),
        ("begin", "iteration", 0),
        ("end", "iteration", 0),
        ("begin", "iteration", 1),
        ("end", "iteration", 1),
        ("end", "fit", 0),
        "teardown",
    ]


@METHODS
def test_watching_changes_nothing(data, method):
    X, y, groups = data
    kw = {"hidden_layer_sizes": (5,), "max_iter": 6, "batch_size": 4}
    plain = method(random_state=0, **kw).fit(X, y, groups=groups)
    watched = method(random_state=0, **kw).set_callbacks(Watcher())
    assert same_bits(watched.fit(X, y, groups=groups), plain)


@METHODS
@pytest.mark.parametrize("hidden", [(), (5,)], ids=len)
def test_hooks_see_the_model_of_their_iteration(data, method, hidden):
    X, y, groups = data
    watcher = Watcher()
    kw = {"hidden_layer_sizes": hidden, "learning_rate": "constant", "random_state": 0}
    model = method(max_iter=5, **kw).set_callbacks(watcher).fit(X, y, groups=groups)
    assert len(watcher.models) == 5
    for n_iter, seen in enumerate(watcher.models, 1):
        own = method(max_iter=n_iter, **kw).fit(X, y, groups=groups)
        np.testing.assert_array_equal(seen.predict_proba(X), own.predict_proba(X))
    np.testing.assert_array_equal(
        watcher.models[-1].predict_proba(X), model.predict_proba(X)
    )


def test_hooks_see_a_regressor_in_the_units_of_y(data):
    X, y, groups = data
    watcher = Watcher()
    model = ERMRegressor(max_iter=30, random_state=0).set_callbacks(watcher)
    model.fit(X, 1000.0 + 50.0 * y, groups=groups)
    assert watcher.scores[-1] == model.score(X, 1000.0 + 50.0 * y)
    assert np.all(np.abs(watcher.models[0].predict(X) - 1000.0) < 1000.0)


@METHODS
def test_callback_stops_training(data, method):
    X, y, groups = data
    kw = {"hidden_layer_sizes": (5,), "learning_rate": "constant", "random_state": 0}
    stopped = method(max_iter=80, **kw).set_callbacks(Watcher(stop_after=3))
    stopped.fit(X, y, groups=groups)
    assert stopped.n_iter_ == 3
    assert all(len(values) == 3 for values in stopped.history_.values())
    assert same_bits(stopped, method(max_iter=3, **kw).fit(X, y, groups=groups))


def test_stopping_does_not_change_the_cosine(data):
    X, y, groups = data
    watcher = Watcher()
    kw = {"hidden_layer_sizes": (), "random_state": 0}
    ERMClassifier(max_iter=9, **kw).set_callbacks(watcher).fit(X, y, groups=groups)
    stopped = ERMClassifier(max_iter=9, **kw).set_callbacks(Watcher(stop_after=3))
    assert same_bits(stopped.fit(X, y, groups=groups), watcher.models[2])


def test_error_of_a_callback_leaves_the_estimator_as_it_was(data):
    X, y, groups = data
    model = ERMClassifier(max_iter=5, random_state=0).fit(X, y, groups=groups)
    before = dict(vars(model))
    watcher = Watcher(fail_after=2)
    model.set_callbacks(watcher)
    with pytest.raises(RuntimeError, match="the callback broke"):
        model.fit(-X, y, groups=groups)
    assert watcher.events[-1] == "teardown"
    model.set_callbacks()
    after = vars(model)
    assert after.keys() == before.keys()
    assert all(after[name] is value for name, value in before.items())


def test_callbacks_watch_partial_fit(data):
    X, y, groups = data
    watcher = Watcher()
    model = ERMClassifier(batch_size=4, random_state=0).set_callbacks(watcher)
    model.partial_fit(X, y, groups=groups, classes=[0, 1])
    # One pass over the largest domain.
    n_iter = max(np.bincount(groups)) // 4
    assert len(watcher.scores) == model.n_iter_ == n_iter
    model.partial_fit(X, y, groups=groups)
    assert len(watcher.scores) == model.n_iter_ == 2 * n_iter
    assert watcher.events.count("teardown") == 2


@METHODS
def test_scoring_monitor_without_groups(data, method):
    X, y, _ = data
    monitor = ScoringMonitor(scoring="accuracy")
    model = method(max_iter=4, random_state=0).set_callbacks(monitor)
    with pytest.warns(SingleDomainWarning):
        model.fit(X, y)
    log = monitor.get_logs().data
    assert [row["task_name"] for row in log] == ["fit"] + ["iteration"] * 4
    assert log[0]["accuracy"] == log[-1]["accuracy"] == model.score(X, y)


@ROUTING
@METHODS
def test_scoring_monitor_with_groups(data, method, routing):
    X, y, groups = data
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    watcher = Watcher()
    with sklearn.config_context(enable_metadata_routing=routing):
        model = method(max_iter=4, random_state=0).set_callbacks(monitor, watcher)
        model.fit(X, y, groups=groups)
    log = monitor.get_logs().data
    assert [row["accuracy"] for row in log[1:]] == watcher.scores
    assert log[0]["accuracy"] == model.score(X, y)


def test_progress_bar_reaches_its_end(data, capsys):
    X, y, groups = data
    model = ERMClassifier(max_iter=4, random_state=0).set_callbacks(ProgressBar())
    model.fit(X, y, groups=groups)
    shown = capsys.readouterr().out
    assert "ERMClassifier - fit" in shown
    assert "100%" in shown


def test_progress_bar_ends_with_an_early_stop(data, capsys):
    X, y, groups = data
    model = ERMClassifier(max_iter=50, random_state=0)
    model.set_callbacks(ProgressBar(), Watcher(stop_after=3)).fit(X, y, groups=groups)
    assert model.n_iter_ == 3
    assert "100%" in capsys.readouterr().out


def test_callback_inside_a_search_over_a_pipeline(data):
    X, y, groups = data
    kw = {"max_iter": 20, "hidden_layer_sizes": (), "random_state": 0}

    def search(*callbacks):
        model = IRMClassifier(**kw)
        if callbacks:
            model.set_callbacks(*callbacks)
        return GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"irmclassifier__penalty_weight": [0.0, 10.0]},
            cv=GroupKFold(3),
        ).fit(X, y, groups=groups)

    watcher = Watcher(stop_after=3)
    with sklearn.config_context(enable_metadata_routing=True):
        watched = search(watcher)
        assert watched.best_estimator_[-1].n_iter_ == 3
        assert watched.best_estimator_[-1].n_domains_ == 3
        # Watching without stopping gives the scores of no watching.
        np.testing.assert_array_equal(
            search(Watcher()).cv_results_["mean_test_score"],
            search().cv_results_["mean_test_score"],
        )
    # Two candidates on three folds, and the refit.
    assert watcher.events.count("setup") == watcher.events.count("teardown") == 7
    assert len(watcher.scores) == 7 * 3


class GradientWatcher:
    """Look at the gradients of all domains after each iteration."""

    def __init__(self):
        self.gradients = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "iteration":
            self.gradients.append(estimator._training_gradients())


def plain_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 4), nn.Tanh())


def norm_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 4), nn.BatchNorm1d(4), nn.ReLU())


def dropout_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 9), nn.ReLU(), nn.Dropout(0.5))


@pytest.mark.parametrize("module", [None, plain_module, norm_module, dropout_module])
@pytest.mark.parametrize("batch_size", [None, 5])
def test_looking_at_gradients_changes_nothing(data, module, batch_size):
    X, y, groups = data
    kw = {"module": module, "max_iter": 6, "batch_size": batch_size, "random_state": 0}
    plain = IRMClassifier(**kw).fit(X, y, groups=groups)
    watcher = GradientWatcher()
    watched = IRMClassifier(**kw).set_callbacks(watcher).fit(X, y, groups=groups)
    assert len(watcher.gradients) == 6
    assert all(gradients.shape[0] == 3 for gradients in watcher.gradients)
    np.testing.assert_array_equal(watched.history_["risk"], plain.history_["risk"])
    np.testing.assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))


def test_gradients_are_those_of_all_rows(data):
    X, y, groups = data
    watcher = GradientWatcher()
    # A linear model starts from 0; a tiny step leaves it there.
    model = ERMClassifier(
        hidden_layer_sizes=(), max_iter=1, batch_size=5, learning_rate_init=1e-300
    )
    model.set_callbacks(watcher).fit(X, y, groups=groups)
    order = np.argsort([np.flatnonzero(groups == domain)[0] for domain in range(3)])
    for domain, found in zip(order, watcher.gradients[0], strict=True):
        own = groups == domain
        residual = 0.5 - y[own]
        expected = [*(X[own] * residual[:, None]).mean(0), residual.mean()]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Groups reach fit through scikit-learn's tools, exactly those of the training rows."""

import inspect
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

import skdg
from skdg import SingleDomainWarning
from skdg._registry import ESTIMATORS

Call = namedtuple("Call", ["rows", "groups", "sample_weight", "domains"])

# Folds of very few rows have metrics that say so; that is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*R.2 score is not well-defined")


def recording(name):
    """Return a quick estimator whose class notes what reaches its fit.

    The last column of X holds the number of the row.
    """
    base = getattr(skdg, name)

    class Recording(base):
        calls: list = []  # noqa: RUF012

        def fit(self, X, y, groups=None, sample_weight=None):
            super().fit(X, y, groups=groups, sample_weight=sample_weight)
            rows = np.rint(1000 * np.asarray(X)[:, -1]).astype(int)
            self.calls.append(Call(rows, groups, sample_weight, self.domains_))
            return self

    quick = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    known = base().get_params(deep=False)
    estimator = Recording(**{k: v for k, v in quick.items() if k in known})
    return estimator, Recording.calls


# A transformer is tried in a pipeline, with its own tests. Networks inherit all that
# has to do with groups, so that those of the first methods stand for the others.
FIRST = ("ERM", "IRM", "IDGM", "Fish")
ROUTED = [
    name
    for name in ESTIMATORS
    if hasattr(recording(name)[0], "predict")
    and (
        not hasattr(recording(name)[0], "module")
        or name.removesuffix("Classifier").removesuffix("Regressor") in FIRST
    )
]
CLASSIFIERS = [name for name in ROUTED if is_classifier(recording(name)[0])]
REGRESSORS = [name for name in ROUTED if name not in CLASSIFIERS]

N = 48
GROUPS = np.array(list("fbadce"))[np.random.RandomState(1).permutation(N) % 6]
X = np.random.RandomState(0).normal(size=(N, 3))
X[:, 2] = np.arange(N) / 1000
LABELS = (X[:, 0] + 0.1 * X[:, 1] > 0).astype(int)
VALUES = X[:, 0] + 0.1 * X[:, 1]

SPLITTERS = {
    "GroupKFold": GroupKFold(3),
    "LeaveOneGroupOut": LeaveOneGroupOut(),
    "StratifiedGroupKFold": StratifiedGroupKFold(3),
}
every_splitter = pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
every_estimator = pytest.mark.parametrize("name", ROUTED)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def data_for(name, cv=None):
    """X and y; all estimators get labels where the splitter stratifies by them."""
    stratified = isinstance(cv, StratifiedGroupKFold)
    return X, LABELS if name in CLASSIFIERS or stratified else VALUES


def parameter(estimator):
    """A parameter to search over, with two values."""
    known = estimator.get_params(deep=False)
    if "alpha" in known:
        return "alpha", [0.0, 0.1]
    name = next(k for k, v in known.items() if type(v) is float and v > 0)
    return name, [known[name], known[name] / 2]


def grid(estimator, prefix=""):
    name, values = parameter(estimator)
    return {prefix + name: values}


def pipeline(estimator):
    """Standardize all columns but the last, which numbers the rows."""
    columns = ColumnTransformer(
        [("scale", StandardScaler(), [0, 1])], remainder="passthrough"
    )
    return Pipeline([("columns", columns), ("model", estimator)])


def folds(cv, y, rows=None):
    rows = np.arange(N) if rows is None else rows
    return [
        rows[train].tolist() for train, _ in cv.split(X[rows], y[rows], GROUPS[rows])
    ]


def assert_recorded(calls, expected):
    """Compare what reached fit with the rows that ought to, in any order of calls."""
    assert len(calls) > 0
    for call in calls:
        assert call.groups is not None
        assert np.asarray(call.groups).tolist() == GROUPS[call.rows].tolist()
        assert call.domains.tolist() == sorted(set(GROUPS[call.rows]))
    assert sorted(call.rows.tolist() for call in calls) == sorted(expected)


ALL = list(range(N))


# Routing on


@pytest.mark.usefixtures("routing")
class TestRoutingOn:
    @every_estimator
    def test_fit_itself(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        estimator.fit(X, y, groups=GROUPS)
        assert_recorded(calls, [ALL])

    @every_estimator
    def test_pipeline(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        model = pipeline(estimator).fit(X, y, groups=GROUPS)
        assert_recorded(calls, [ALL])
        assert model[-1].domains_.tolist() == list("abcdef")

    @every_estimator
    def test_pipeline_in_a_pipeline(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        make_pipeline(pipeline(estimator)).fit(X, y, groups=GROUPS)
        assert_recorded(calls, [ALL])

    @every_splitter
    @every_estimator
    def test_grid_search(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        search = GridSearchCV(pipeline(estimator), grid(estimator, "model__"), cv=cv)
        search.fit(X, y, groups=GROUPS)
        assert_recorded(calls, [*folds(cv, y), *folds(cv, y), ALL])
        assert search.best_estimator_[-1].domains_.tolist() == list("abcdef")

    @every_splitter
    @every_estimator
    def test_randomized_search(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        search = RandomizedSearchCV(
            estimator, grid(estimator), n_iter=2, cv=cv, random_state=0
        )
        search.fit(X, y, groups=GROUPS)
        assert_recorded(calls, [*folds(cv, y), *folds(cv, y), ALL])

    @pytest.mark.parametrize("halving", [HalvingGridSearchCV, HalvingRandomSearchCV])
    @every_estimator
    def test_halving_search(self, name, halving):
        estimator, calls = recording(name)
        X, y = data_for(name)
        cv = GroupKFold(2)
        search = halving(
            estimator,
            grid(estimator),
            cv=cv,
            factor=2,
            min_resources=N // 2,
            random_state=0,
            **({"n_candidates": 2} if halving is HalvingRandomSearchCV else {}),
        )
        search.fit(X, y, groups=GROUPS)
        # In the first round half of each fold is drawn, in the second there is all.
        first, rest = calls[:4], calls[4:]
        wanted = folds(cv, y)
        for call in first:
            assert call.groups.tolist() == GROUPS[call.rows].tolist()
            assert any(set(call.rows) < set(fold) for fold in wanted)
        assert_recorded(rest, [call.rows.tolist() for call in rest])
        assert sorted(sorted(call.rows) for call in rest) == sorted([*wanted, ALL])

    @every_splitter
    @every_estimator
    def test_cross_validate(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        result = cross_validate(
            pipeline(estimator),
            X,
            y,
            cv=cv,
            params={"groups": GROUPS},
            return_estimator=True,
        )
        assert_recorded(calls, folds(cv, y))
        for model, fold in zip(result["estimator"], folds(cv, y), strict=True):
            assert model[-1].domains_.tolist() == sorted(set(GROUPS[fold]))

    @every_splitter
    @every_estimator
    def test_cross_val_predict(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        predicted = cross_val_predict(estimator, X, y, cv=cv, params={"groups": GROUPS})
        assert_recorded(calls, folds(cv, y))
        # Each row is predicted by the model that was fitted without its domain's fold.
        for train, test in cv.split(X, y, GROUPS):
            model = recording(name)[0].fit(X[train], y[train], groups=GROUPS[train])
            np.testing.assert_array_equal(predicted[test], model.predict(X[test]))

    @every_estimator
    def test_other_curves_and_scores(self, name):
        X, y = data_for(name)
        cv = GroupKFold(2)
        params = {"groups": GROUPS}
        estimator, calls = recording(name)
        cross_val_score(estimator, X, y, cv=cv, params=params)
        assert_recorded(calls, folds(cv, y))
        estimator, calls = recording(name)
        validation_curve(
            estimator,
            X,
            y,
            param_name=parameter(estimator)[0],
            param_range=parameter(estimator)[1],
            cv=cv,
            params=params,
        )
        assert_recorded(calls, [*folds(cv, y), *folds(cv, y)])
        estimator, calls = recording(name)
        learning_curve(estimator, X, y, train_sizes=[1.0], cv=cv, params=params)
        assert_recorded(calls, folds(cv, y))
        estimator, calls = recording(name)
        permutation_test_score(
            estimator, X, y, cv=cv, n_permutations=2, random_state=0, params=params
        )
        assert_recorded(calls, folds(cv, y) * 3)

    @every_splitter
    @every_estimator
    def test_nested_search(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        inner = GroupKFold(2)
        search = GridSearchCV(estimator, grid(estimator), cv=inner)
        cross_validate(search, X, y, cv=cv, params={"groups": GROUPS})
        expected = []
        for fold in folds(cv, y):
            expected += [*folds(inner, y, np.array(fold)) * 2, fold]
        assert_recorded(calls, expected)

    @every_estimator
    def test_voting(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        voting = VotingClassifier if name in CLASSIFIERS else VotingRegressor
        voting([("one", pipeline(estimator)), ("two", estimator)]).fit(
            X, y, groups=GROUPS
        )
        assert_recorded(calls, [ALL, ALL])

    @every_estimator
    def test_bagging(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        bagging = BaggingClassifier if name in CLASSIFIERS else BaggingRegressor
        model = bagging(estimator, n_estimators=3, random_state=0)
        model.fit(X, y, groups=GROUPS)
        drawn = [rows.tolist() for rows in model.estimators_samples_]
        assert len(drawn) == 3
        assert_recorded(calls, drawn)

    @pytest.mark.parametrize("name", CLASSIFIERS)
    @every_splitter
    def test_calibration(self, name, cv):
        estimator, calls = recording(name)
        model = CalibratedClassifierCV(pipeline(estimator), cv=cv)
        model.fit(X, LABELS, groups=GROUPS)
        assert_recorded(calls, folds(cv, LABELS))

    @pytest.mark.parametrize("name", CLASSIFIERS)
    def test_one_against_the_rest(self, name):
        estimator, calls = recording(name)
        OneVsRestClassifier(estimator).fit(X, np.arange(N) % 3, groups=GROUPS)
        assert_recorded(calls, [ALL, ALL, ALL])

    @pytest.mark.parametrize("name", REGRESSORS)
    def test_transformed_target(self, name):
        estimator, calls = recording(name)
        model = TransformedTargetRegressor(estimator, transformer=StandardScaler())
        model.fit(X, VALUES, groups=GROUPS)
        assert_recorded(calls, [ALL])

    @every_estimator
    def test_groups_of_the_splitter_and_of_fit_can_differ(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        estimator.set_fit_request(groups="domains")
        if get_routing_for_object(estimator).consumes("score", ["groups"]):
            # Otherwise rows would be scored under labels that fit has never seen.
            estimator.set_score_request(groups="domains")
        cv = GroupKFold(2)
        other = np.arange(N) // 5
        params = {"groups": other, "domains": GROUPS}
        cross_validate(estimator, X, y, cv=cv, params=params)
        expected = [train.tolist() for train, _ in cv.split(X, y, other)]
        assert_recorded(calls, expected)

    @every_estimator
    def test_sample_weight_beside_groups(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        weight = 1.0 + np.arange(N)
        scale = StandardScaler(with_mean=False, with_std=False)
        model = make_pipeline(
            scale.set_fit_request(sample_weight=False),
            estimator.set_fit_request(sample_weight=True).set_score_request(
                sample_weight=True
            ),
        )
        cv = GroupKFold(3)
        params = {"groups": GROUPS, "sample_weight": weight}
        cross_validate(model, X, y, cv=cv, params=params, error_score="raise")
        assert_recorded(calls, folds(cv, y))
        for call in calls:
            assert call.sample_weight.tolist() == weight[call.rows].tolist()

    @every_estimator
    @pytest.mark.parametrize(
        "container",
        [list, pd.Series, lambda g: pd.Series(g, index=np.arange(N)[::-1])],
        ids=["list", "Series", "Series with an odd index"],
    )
    def test_groups_go_by_position(self, name, container):
        estimator, calls = recording(name)
        X, y = data_for(name)
        cv = GroupKFold(3)
        search = GridSearchCV(estimator, grid(estimator), cv=cv)
        search.fit(X, y, groups=container(GROUPS))
        assert_recorded(calls, [*folds(cv, y), *folds(cv, y), ALL])

    @every_estimator
    def test_predict_takes_groups_only_where_it_says_so(self, name):
        estimator, _ = recording(name)
        X, y = data_for(name)
        model = pipeline(estimator).fit(X, y, groups=GROUPS)
        inner = model[-1]
        takes = "groups" in inspect.signature(inner.predict).parameters
        requests = inner.get_metadata_routing()
        if not takes:
            with pytest.raises(TypeError, match="groups"):
                model.predict(X, groups=GROUPS)
            return
        assert requests.predict.requests["groups"] is True
        assert requests.score.requests["groups"] is True
        columns = model[:-1].transform(X)
        np.testing.assert_array_equal(
            model.predict(X, groups=GROUPS), inner.predict(columns, groups=GROUPS)
        )
        assert model.score(X, y, groups=GROUPS) == inner.score(
            columns, y, groups=GROUPS
        )

    @every_estimator
    def test_one_loop_over_all_methods(self, name):
        # ERM is a baseline with the same code as any other method.
        estimator, calls = recording(name)
        X, y = data_for(name)
        for cv in (GroupKFold(2), LeaveOneGroupOut()):
            del calls[:]
            scores = cross_val_score(
                pipeline(estimator), X, y, cv=cv, params={"groups": GROUPS}
            )
            assert np.isfinite(scores).all()
            assert_recorded(calls, folds(cv, y))


# Routing off: every form that works without it


class TestRoutingOff:
    @every_estimator
    def test_fit_itself(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        estimator.fit(X, y, groups=GROUPS)
        assert_recorded(calls, [ALL])

    @every_estimator
    def test_pipeline_with_the_name_of_the_step(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        pipeline(estimator).fit(X, y, model__groups=GROUPS)
        assert_recorded(calls, [ALL])

    @every_splitter
    @pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
    @every_estimator
    def test_search_with_the_name_of_the_step(self, name, search, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        options = {"n_iter": 2} if search is RandomizedSearchCV else {}
        search(pipeline(estimator), grid(estimator, "model__"), cv=cv, **options).fit(
            X, y, groups=GROUPS, model__groups=GROUPS
        )
        assert_recorded(calls, [*folds(cv, y), *folds(cv, y), ALL])

    @every_splitter
    @every_estimator
    def test_cross_validation_with_groups_twice(self, name, cv):
        X, y = data_for(name, cv)
        for function in (cross_validate, cross_val_score, cross_val_predict):
            estimator, calls = recording(name)
            function(estimator, X, y, cv=cv, groups=GROUPS, params={"groups": GROUPS})
            assert_recorded(calls, folds(cv, y))

    @every_estimator
    def test_curves_with_groups_twice(self, name):
        X, y = data_for(name)
        cv = GroupKFold(2)
        estimator, calls = recording(name)
        learning_curve(
            estimator,
            X,
            y,
            train_sizes=[1.0],
            cv=cv,
            groups=GROUPS,
            params={"groups": GROUPS},
        )
        assert_recorded(calls, folds(cv, y))

    @every_splitter
    @every_estimator
    def test_silent_loss_in_a_search_is_told(self, name, cv):
        estimator, calls = recording(name)
        X, y = data_for(name, cv)
        search = GridSearchCV(estimator, grid(estimator), cv=cv)
        with pytest.warns(SingleDomainWarning, match="enable_metadata_routing=True"):
            search.fit(X, y, groups=GROUPS)
        assert [call.groups for call in calls] == [None] * len(calls)
        assert search.best_estimator_.n_domains_ == 1
        # In every single fit, and not only in the first.
        assert len(calls) == 2 * cv.get_n_splits(X, y, GROUPS) + 1

    @every_estimator
    def test_silent_loss_in_cross_validation_is_told(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        for function in (cross_validate, cross_val_score, cross_val_predict):
            with pytest.warns(SingleDomainWarning, match="groups=None") as caught:
                function(estimator, X, y, groups=GROUPS, cv=GroupKFold(3))
            told = [w for w in caught if w.category is SingleDomainWarning]
            assert len(told) == 3
        assert [call.groups for call in calls] == [None] * 9

    @every_estimator
    def test_silent_loss_in_a_pipeline_is_told(self, name):
        estimator, calls = recording(name)
        X, y = data_for(name)
        with pytest.warns(SingleDomainWarning, match=r"turned on: sklearn\.set_config"):
            pipeline(estimator).fit(X, y)
        assert [call.groups for call in calls] == [None]

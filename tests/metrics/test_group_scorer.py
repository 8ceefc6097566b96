# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from skdg.metrics import GroupScorer


class CountingRidge(RegressorMixin, BaseEstimator):
    calls = 0

    def fit(self, X, y):
        self.inner_ = Ridge().fit(X, y)
        return self

    def predict(self, X):
        type(self).calls += 1
        return self.inner_.predict(X)


def by_hand(right, groups):
    return pd.Series(np.asarray(right, dtype=float)).groupby(np.asarray(groups)).mean()


@pytest.mark.parametrize("on", [False, True])
def test_value_by_hand(data, on):
    X, y, groups = data
    model = LogisticRegression().fit(X, y)
    accuracy = by_hand(model.predict(X) == y, groups)
    with sklearn.config_context(enable_metadata_routing=on):
        for reduction, expected in {
            "worst": accuracy.min(),
            "mean": accuracy.mean(),
            np.median: accuracy.median(),
        }.items():
            scorer = GroupScorer("accuracy", reduction=reduction)
            assert scorer(model, X, y, groups=groups) == pytest.approx(expected)
            assert scorer.score(model, X, y, groups=groups) == pytest.approx(expected)


def test_default_is_what_score_computes(data):
    X, y, groups = data
    model = LogisticRegression().fit(X, y)
    accuracy = by_hand(model.predict(X) == y, groups)
    assert GroupScorer()(model, X, y, groups=groups) == pytest.approx(accuracy.min())
    model = Ridge().fit(X, X[:, 0] + y)
    scores = [model.score(X[groups == g], (X[:, 0] + y)[groups == g]) for g in "abcdef"]
    worst = GroupScorer()(model, X, X[:, 0] + y, groups=groups)
    assert worst == pytest.approx(min(scores))


def test_errors_are_negated(data):
    X, _, groups = data
    y = X[:, 1] * (1 + (groups == "c"))
    model = DummyRegressor().fit(X, y)
    worst = max(np.abs(y - y.mean())[groups == g].mean() for g in "abcdef")
    named = GroupScorer("neg_mean_absolute_error")
    made = GroupScorer(make_scorer(mean_absolute_error, greater_is_better=False))
    assert named(model, X, y, groups=groups) == pytest.approx(-worst)
    assert made(model, X, y, groups=groups) == pytest.approx(-worst)


@pytest.mark.parametrize("on", [False, True])
def test_scores_that_need_probabilities(data, on):
    X, y, groups = data
    model = LogisticRegression().fit(X, y)
    probability = model.predict_proba(X)[:, 1]
    worst = min(
        roc_auc_score(y[groups == g], probability[groups == g]) for g in "abcdef"
    )
    with sklearn.config_context(enable_metadata_routing=on):
        assert GroupScorer("roc_auc")(model, X, y, groups=groups) == pytest.approx(
            worst
        )


def test_sample_weight(data, routing):
    X, y, groups = data
    model = LogisticRegression().fit(X, y)
    weight = np.random.default_rng(3).integers(3, size=len(y)) * (groups != "f")
    again = np.repeat(np.arange(len(y)), weight)
    accuracy = by_hand((model.predict(X) == y)[again], groups[again])
    scorer = GroupScorer("accuracy")
    weighted = scorer(model, X, y, groups=groups, sample_weight=weight)
    assert weighted == pytest.approx(accuracy.min())

    scorer.set_score_request(sample_weight=True)
    model = LogisticRegression().set_fit_request(sample_weight=True)
    scores = cross_val_score(
        model,
        X,
        y,
        cv=GroupKFold(2),
        scoring=scorer,
        params={"groups": groups, "sample_weight": weight},
    )
    for score, (train, test) in zip(
        scores, GroupKFold(2).split(X, y, groups), strict=True
    ):
        model.fit(X[train], y[train], sample_weight=weight[train])
        again = np.repeat(test, weight[test])
        right = model.predict(X[again]) == y[again]
        assert score == pytest.approx(by_hand(right, groups[again]).min())


def test_one_prediction_for_all_domains(data):
    X, y, groups = data
    model = CountingRidge().fit(X, y)
    CountingRidge.calls = 0
    GroupScorer("r2")(model, X, y, groups=groups)
    assert CountingRidge.calls == 1


def test_scorer_that_changes_the_rows(data):
    X, y, groups = data
    model = LogisticRegression().fit(X, y)

    def mirrored(estimator, X, y):
        return np.mean(estimator.predict(-X) == y)

    expected = by_hand(model.predict(-X) == y, groups).min()
    assert GroupScorer(mirrored)(model, X, y, groups=groups) == pytest.approx(expected)


def test_request():
    scorer = GroupScorer()
    request = get_routing_for_object(scorer).score.requests
    assert request == {"groups": True, "sample_weight": None}
    with sklearn.config_context(enable_metadata_routing=True):
        scorer.set_score_request(groups="domains")
    assert clone(scorer).get_metadata_routing().score.requests["groups"] == "domains"


def test_search(data, routing):
    X, y, groups = data
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [1e-4, 1.0]},
        cv=GroupKFold(2),
        scoring=GroupScorer("accuracy"),
    ).fit(X, y, groups=groups)
    for k, (train, test) in enumerate(GroupKFold(2).split(X, y, groups)):
        for i, C in enumerate([1e-4, 1.0]):
            model = LogisticRegression(C=C).fit(X[train], y[train])
            expected = by_hand(model.predict(X[test]) == y[test], groups[test]).min()
            found = search.cv_results_[f"split{k}_test_score"][i]
            assert found == pytest.approx(expected)
    best = by_hand(search.predict(X) == y, groups).min()
    assert search.score(X, y, groups=groups) == pytest.approx(best)


def test_multimetric_frames_and_labels_of_text(data, routing):
    X, y, groups = data
    frame = pd.DataFrame(X, columns=list("abc"), index=np.arange(140)[::-1])
    text = pd.Series(np.array(["no", "yes"])[y])
    result = cross_validate(
        make_pipeline(StandardScaler(), LogisticRegression()),
        frame,
        text,
        cv=LeaveOneGroupOut(),
        scoring={"plain": "accuracy", "worst": GroupScorer("accuracy")},
        params={"groups": pd.Series(groups)},
        error_score="raise",
    )
    # A fold holds one domain, so its worst domain is its only one.
    np.testing.assert_allclose(result["test_worst"], result["test_plain"])


def test_two_processes(data, routing):
    X, y, groups = data
    scores = [
        cross_val_score(
            LogisticRegression(),
            X,
            y,
            cv=GroupKFold(3),
            scoring=GroupScorer("accuracy"),
            params={"groups": groups},
            n_jobs=n_jobs,
            error_score="raise",
        )
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_clone_pickle_and_repr():
    scorer = GroupScorer("r2", reduction="mean")
    for copy in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert copy.get_params() == scorer.get_params()
        assert copy.get_metadata_routing().score.requests["groups"] is True
    assert repr(scorer) == "GroupScorer(reduction='mean', scoring='r2')"
    assert "GroupScorer" in scorer._repr_html_()
    nested = clone(GroupScorer(get_scorer("roc_auc")))
    assert "roc_auc" in repr(nested)


class TestErrors:
    def test_no_groups(self, data):
        X, y, _ = data
        model = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            GroupScorer("accuracy")(model, X, y)

    def test_routing_off(self, data):
        X, y, groups = data
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            cross_val_score(
                LogisticRegression(),
                X,
                y,
                groups=groups,
                cv=GroupKFold(2),
                scoring=GroupScorer("accuracy"),
                error_score="raise",
            )

    def test_wrong_length(self, data):
        X, y, _ = data
        model = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match="2 labels, X has 140 rows"):
            GroupScorer("accuracy")(model, X, y, groups=[0, 1])

    @pytest.mark.parametrize(
        "parameters", [{"scoring": "accurate"}, {"reduction": "least"}]
    )
    def test_bad_parameter(self, data, parameters):
        X, y, groups = data
        model = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match=f"The {next(iter(parameters))!r} param"):
            GroupScorer(**parameters)(model, X, y, groups=groups)

    def test_a_domain_that_lacks_a_class_is_named(self, data):
        X, y, groups = data
        y = np.where(groups == "c", 1, y)
        model = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match="domain 'c' failed: y_true contains only"):
            GroupScorer("neg_log_loss")(model, X, y, groups=groups)
        # As the docstring has it.
        told = make_scorer(
            log_loss,
            response_method="predict_proba",
            greater_is_better=False,
            labels=[0, 1],
        )
        probability = model.predict_proba(X)[np.arange(len(y)), y]
        by_hand = pd.Series(np.log(probability)).groupby(groups).mean()
        assert GroupScorer(told)(model, X, y, groups=groups) == pytest.approx(
            by_hand.min()
        )

    def test_a_scorer_of_domains_within_another(self, data):
        X, y, groups = data
        model = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match=r"Pass .* by: scoring='f1'"):
            GroupScorer(GroupScorer("f1"))(model, X, y, groups=groups)

    def test_response_that_the_model_lacks(self, data):
        X, y, groups = data
        model = Ridge().fit(X, y)
        with pytest.raises(AttributeError, match="predict_proba"):
            GroupScorer("neg_log_loss")(model, X, y, groups=groups)


def test_import_loads_no_torch():
    code = "import sys, skdg.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

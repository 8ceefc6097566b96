# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""GroupScorer with models that predict with groups."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import MultiTaskLinearSVC
from skdg.metrics import GroupScorer, group_scores


class MajorityByDomain(ClassifierMixin, BaseEstimator):
    """Predict the majority of the row's domain; 0 where no domain is given."""

    __metadata_request__fit: ClassVar = {"groups": True}
    __metadata_request__predict: ClassVar = {"groups": True}
    __metadata_request__predict_proba: ClassVar = {"groups": True}

    def __init__(self, power=1.0):
        self.power = power

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        self.share_ = pd.Series(y).groupby(np.asarray(groups)).mean()
        return self

    def predict_proba(self, X, groups=None):
        share = np.zeros(len(X))
        if groups is not None:
            share = self.share_.reindex(groups).fillna(0.0).to_numpy() ** self.power
        return np.column_stack([1 - share, share])

    def predict(self, X, groups=None):
        return self.classes_[self.predict_proba(X, groups).argmax(axis=1)]


def by_hand(right, groups):
    return pd.Series(np.asarray(right, dtype=float)).groupby(np.asarray(groups)).mean()


@pytest.fixture
def expected(data):
    _, y, groups = data
    share = by_hand(y, groups)
    return np.maximum(share, 1 - share).min()


@pytest.mark.parametrize("on", [False, True])
def test_directly(data, expected, on):
    X, y, groups = data
    model = MajorityByDomain().fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=on):
        worst = GroupScorer("accuracy")(model, X, y, groups=groups)
    assert worst == pytest.approx(expected)
    # It is another number without groups, so they must have got there.
    assert by_hand(model.predict(X) == y, groups).min() < expected


@pytest.mark.parametrize("on", [False, True])
def test_as_last_step(data, expected, on):
    X, y, groups = data
    pipeline = make_pipeline(StandardScaler(), MajorityByDomain())
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline.fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=on):
        for scoring in ("accuracy", "neg_log_loss"):
            GroupScorer(scoring)(pipeline, X, y, groups=groups)
        worst = GroupScorer("accuracy")(pipeline, X, y, groups=groups)
    assert worst == pytest.approx(expected)


def test_in_a_search(data, expected, routing):
    X, y, groups = data
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MajorityByDomain()),
        {"majoritybydomain__power": [1.0, 9.0]},
        cv=[(np.arange(140), np.arange(140))],
        scoring=GroupScorer("accuracy"),
        error_score="raise",
    ).fit(X, y, groups=groups)
    assert search.best_score_ == pytest.approx(expected)
    assert search.best_params_ == {"majoritybydomain__power": 1.0}
    # GridSearchCV.predict takes no groups; the scorer looks through it.
    assert search.score(X, y, groups=groups) == pytest.approx(expected)


def test_probabilities_get_groups(data):
    X, y, groups = data
    model = MajorityByDomain().fit(X, y, groups=groups)
    share = by_hand(y, groups)
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    worst = GroupScorer("neg_log_loss")(model, X, y, groups=groups)
    assert worst == pytest.approx(-entropy.max())


def test_request_turned_off(data, routing):
    X, y, groups = data
    model = MajorityByDomain().set_predict_request(groups=False)
    model.fit(X, y, groups=groups)
    expected = by_hand(y == 0, groups).min()
    worst = GroupScorer("accuracy")(model, X, y, groups=groups)
    assert worst == pytest.approx(expected)


@pytest.mark.parametrize("on", [False, True])
def test_the_multi_task_machine(data, on):
    X, _, groups = data
    # The sign of a slope differs between domains, so no shared model can be right.
    y = np.where(np.isin(groups, ["a", "b", "c"]), X[:, 0], -X[:, 0]) > 0
    pipeline = make_pipeline(StandardScaler(), MultiTaskLinearSVC(lambda_task=0.1))
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline.fit(X, y, groups=groups)
    Z = pipeline[0].transform(X)
    model = pipeline[1]
    own = by_hand(model.predict(Z, groups=groups) == y, groups).min()
    shared = by_hand(model.predict(Z) == y, groups).min()
    assert own > 0.8 > 0.5 > shared
    with sklearn.config_context(enable_metadata_routing=on):
        scorer = GroupScorer("accuracy")
        assert scorer(pipeline, X, y, groups=groups) == pytest.approx(own)
        assert scorer(model, Z, y, groups=groups) == pytest.approx(own)
        decision = model.decision_function(Z, groups=groups)
        area = group_scores(y, decision, groups=groups, metric=roc_auc_score)
        worst = GroupScorer("roc_auc")(model, Z, y, groups=groups)
        assert worst == pytest.approx(min(area.values()))


def test_unseen_domains_of_the_multi_task_machine(data, routing):
    X, y, groups = data
    scores = cross_val_score(
        MultiTaskLinearSVC(),
        X,
        y,
        cv=LeaveOneGroupOut(),
        scoring=GroupScorer("accuracy"),
        params={"groups": groups},
        error_score="raise",
    )
    for score, domain in zip(scores, "abcdef", strict=True):
        away = groups == domain
        model = MultiTaskLinearSVC().fit(X[~away], y[~away], groups=groups[~away])
        assert score == pytest.approx(np.mean(model.predict(X[away]) == y[away]))

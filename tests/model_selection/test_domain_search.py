# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    LeaveOneGroupOut,
    ParameterSampler,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skdg import (
    AnchorClassifier,
    ERMClassifier,
    MultiTaskLinearRegressor,
    SingleDomainWarning,
)
from skdg.exceptions import OracleSelectionWarning
from skdg.model_selection import DomainHoldout, DomainSearchCV

SPACE = {"gamma": [0.0, 0.1, 1.0, 10.0, 1e3, 1e5]}


@pytest.fixture(scope="module")
def data():
    """Domains of unequal size, and a shortcut that the last one turns around."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), [90, 30, 50, 60])
    y = rng.integers(2, size=len(codes))
    flip = rng.uniform(size=len(codes)) < np.array([0.02, 0.15, 0.3, 0.9])[codes]
    X = np.column_stack(
        [y + rng.normal(size=len(codes)), (y ^ flip) + 0.3 * rng.normal(size=len(y))]
    )
    groups = np.array(["a", "b", "c", "d"])[codes]
    seen = codes < 3
    return X[seen], y[seen], groups[seen], (X[~seen], y[~seen])


def scores_by_hand(X, y, groups, rule, test, rng):
    """Loop over candidates, splits and domains as the rules are told in words."""
    drawn = list(ParameterSampler(SPACE, 3, random_state=rng))
    if rule == "training-domain":
        splits = list(DomainHoldout(random_state=rng).split(X, groups=groups))
    elif rule == "leave-one-domain-out":
        splits = [(groups != d, groups == d) for d in "abc"]
    else:
        splits = [(np.ones(len(y), dtype=bool), None)]
    means = []
    for parameters in [{}, *drawn]:
        scores = []
        for train, held_out in splits:
            model = AnchorClassifier(**parameters)
            model.fit(X[train], y[train], groups=groups[train])
            if held_out is None:
                scores.append(accuracy_score(test[1], model.predict(test[0])))
                continue
            for domain in np.unique(groups[held_out]):
                rows = np.zeros(len(y), dtype=bool)
                rows[held_out] = True
                rows &= groups == domain
                scores.append(accuracy_score(y[rows], model.predict(X[rows])))
        means.append(np.mean(scores))
    return [{}, *drawn], means


@pytest.mark.parametrize("rule", ["training-domain", "leave-one-domain-out", "oracle"])
@pytest.mark.filterwarnings("ignore::skdg.exceptions.OracleSelectionWarning")
def test_scores_are_those_of_the_rule(data, rule):
    X, y, groups, test = data
    search = DomainSearchCV(
        AnchorClassifier(), SPACE, rule=rule, n_candidates=4, random_state=3
    )
    search.fit(X, y, groups=groups, test=test if rule == "oracle" else None)
    candidates, means = scores_by_hand(
        X, y, groups, rule, test, np.random.RandomState(3)
    )
    assert search.cv_results_["params"] == candidates
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], means, rtol=0, atol=1e-15
    )
    best = int(np.argmax(means))
    assert (search.best_index_, search.best_params_) == (best, candidates[best])
    assert search.best_score_ == pytest.approx(means[best], abs=1e-15)
    assert search.rule_ == rule
    assert search.selected_with_test_domain_ == (rule == "oracle")
    # The refit takes all training rows, and never those of the test domain.
    model = AnchorClassifier(**candidates[best]).fit(X, y, groups=groups)
    np.testing.assert_array_equal(search.best_estimator_.coef_, model.coef_)
    np.testing.assert_array_equal(search.predict(X), model.predict(X))
    assert search.score(*test) == accuracy_score(test[1], model.predict(test[0]))


def test_rules_disagree_where_they_should(data):
    X, y, groups, test = data
    chosen = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OracleSelectionWarning)
        for rule in ("training-domain", "oracle"):
            search = DomainSearchCV(
                AnchorClassifier(), SPACE, rule=rule, n_candidates=7, random_state=0
            )
            search.fit(X, y, groups=groups, test=test if rule == "oracle" else None)
            chosen[rule] = search.score(*test)
    assert chosen["oracle"] > chosen["training-domain"]


def test_the_oracle_says_that_it_cheats(data):
    X, y, groups, test = data
    search = DomainSearchCV(AnchorClassifier(), SPACE, rule="oracle", n_candidates=2)
    with pytest.warns(OracleSelectionWarning, match="no estimate") as caught:
        search.fit(X, y, groups=groups, test=test)
    assert caught[0].filename == __file__


def test_only_the_oracle_takes_test_rows_and_needs_them(data):
    X, y, groups, test = data
    with pytest.raises(ValueError, match="needs the rows of the test domain"):
        DomainSearchCV(AnchorClassifier(), SPACE, rule="oracle").fit(
            X, y, groups=groups
        )
    with pytest.raises(ValueError, match="must not see the test domain"):
        DomainSearchCV(AnchorClassifier(), SPACE).fit(X, y, groups=groups, test=test)


def test_leave_one_domain_out_needs_two():
    search = DomainSearchCV(LogisticRegression(), {}, rule="leave-one-domain-out")
    with (
        pytest.warns(SingleDomainWarning),
        pytest.raises(ValueError, match="two domains at least"),
    ):
        search.fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    assert not hasattr(search, "domains_")


def test_one_domain_is_told_once():
    search = DomainSearchCV(ERMClassifier(max_iter=2), {"alpha": [0.1, 1.0]})
    with pytest.warns(SingleDomainWarning) as caught:
        search.fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    assert len(caught) == 1


def test_estimators_that_know_no_domains(data):
    X, y, groups, _ = data
    model = make_pipeline(StandardScaler(), LogisticRegression())
    for labels in (groups, groups.tolist(), [1 if g == "a" else g for g in groups]):
        for rule in ("training-domain", "leave-one-domain-out"):
            search = DomainSearchCV(model, rule=rule, n_candidates=3, random_state=0)
            search.fit(X, y, groups=labels)
            assert search.n_domains_ == 3
            assert len(search.cv_results_["params"]) == 3
    assert set(search.cv_results_["params"][1]) == {"logisticregression__C"}


def test_multi_task_models_predict_held_out_rows_by_their_domain():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], 40)
    X = rng.normal(size=(120, 1))
    y = np.array([1.0, -1.0, 3.0])[codes] * X[:, 0]
    search = DomainSearchCV(
        MultiTaskLinearRegressor(lambda_task=1e-4), {}, random_state=0
    ).fit(X, y, groups=codes)
    assert search.best_score_ > 0.99
    assert search.score(X, y) < 0.8


@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_a_failing_candidate_loses_and_one_error_alone_is_shown(data):
    X, y, groups, _ = data
    space = {"gamma": [-1.0]}
    search = DomainSearchCV(AnchorClassifier(), space, n_candidates=2)
    with pytest.warns(sklearn.exceptions.FitFailedWarning):
        search.fit(X, y, groups=groups)
    assert search.best_params_ == {}
    search = DomainSearchCV(AnchorClassifier(gamma=-1.0), {}, n_candidates=1)
    with pytest.raises(ValueError, match=r"^The 'gamma' parameter"):
        search.fit(X, y, groups=groups)


@pytest.mark.parametrize("routing", [False, True])
def test_nested_in_a_cross_validation(data, routing):
    X, y, groups, _ = data
    search = DomainSearchCV(AnchorClassifier(), SPACE, n_candidates=3, random_state=0)
    outer = LeaveOneGroupOut()
    with sklearn.config_context(enable_metadata_routing=routing):
        twice = {} if routing else {"groups": groups}
        scores = cross_val_score(
            search, X, y, cv=outer, params={"groups": groups}, **twice
        )
    expected = [
        clone(search)
        .fit(X[train], y[train], groups=groups[train])
        .score(X[test], y[test])
        for train, test in outer.split(X, y, groups)
    ]
    np.testing.assert_array_equal(scores, expected)


def test_fewer_points_than_candidates_are_all_tried(data):
    X, y, groups, _ = data
    search = DomainSearchCV(AnchorClassifier(), SPACE).fit(X, y, groups=groups)
    tried = [p.get("gamma") for p in search.cv_results_["params"]]
    assert tried[0] is None
    assert sorted(tried[1:]) == SPACE["gamma"]


def test_jobs_and_pickling_change_nothing(data):
    X, y, groups, _ = data
    one, two = (
        DomainSearchCV(AnchorClassifier(), SPACE, n_jobs=n, random_state=0).fit(
            X, y, groups=groups
        )
        for n in (1, 2)
    )
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    loaded = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(loaded.decision_function(X), two.decision_function(X))


@pytest.mark.filterwarnings(
    "ignore::skdg.exceptions.SingleDomainWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
    "ignore::sklearn.exceptions.FitFailedWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
    "ignore:One or more of the test scores:UserWarning",
    "ignore:Scoring failed:UserWarning",
)
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (LogisticRegression(), {"C": [0.1, 1.0]}),
        (Ridge(), {"alpha": [0.1, 1.0]}),
        (ERMClassifier(max_iter=20, random_state=0), {"alpha": [0.1, 1.0]}),
        (MultiTaskLinearRegressor(), {"lambda_task": [0.1, 1.0]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_estimator_checks(estimator, space, routing):
    search = DomainSearchCV(estimator, space, n_candidates=2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=routing):
        results = check_estimator(search, on_fail=None)
    assert len(results) > 45
    failed = [r for r in results if r["status"] not in ("passed", "skipped")]
    assert not failed, failed
    # Without SCIPY_ARRAY_API scikit-learn skips this one itself.
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped == {"check_array_api_input"}

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, cross_val_score

from skdg.model_selection import DomainShuffleSplit, LeaveOneDomainOut

GROUPS = np.array(list("bacbacadda"))
X = np.arange(10.0)[:, None]


@pytest.mark.parametrize(
    "groups",
    [
        GROUPS,
        list(GROUPS),
        pd.Categorical(GROUPS),
        pd.to_datetime(pd.Series([f"2{ord(g):03d}-01-01" for g in GROUPS])),
        [{"a": 1, "b": 2, "c": 3, "d": 4}[g] for g in GROUPS],
    ],
)
def test_each_domain_is_left_out_once_in_order(groups):
    cv = LeaveOneDomainOut()
    splits = list(cv.split(X, groups=groups))
    assert len(splits) == cv.get_n_splits(groups=groups) == 4
    for label, (train, test) in zip("abcd", splits, strict=True):
        assert test.tolist() == [i for i, g in enumerate(GROUPS) if g == label]
        assert train.tolist() == [i for i, g in enumerate(GROUPS) if g != label]


def test_nested_splits_are_of_the_training_rows_alone():
    seen = []
    for train, test, inner in LeaveOneDomainOut().split_nested(X, None, GROUPS):
        (out,) = set(GROUPS[test])
        own = GROUPS[train]
        assert out not in own
        assert len(inner) == 3
        for inner_train, validation in inner:
            (judge,) = set(own[validation])
            assert set(own[inner_train]) == set("abcd") - {out, judge}
            assert len(inner_train) + len(validation) == len(train)
            seen.append(out + judge)
    assert seen == [a + b for a in "abcd" for b in "abcd" if a != b]


def test_a_nested_search_by_hand():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(10, 3))
    y = Z[:, 0] + rng.normal(size=10)
    alphas = [0.1, 10.0]
    cv = LeaveOneDomainOut()
    for train, _, inner in cv.split_nested(Z, y, GROUPS):
        search = GridSearchCV(
            Ridge(), {"alpha": alphas}, cv=inner, scoring="neg_mean_squared_error"
        ).fit(Z[train], y[train])
        for alpha, found in zip(
            alphas, search.cv_results_["mean_test_score"], strict=True
        ):
            errors = []
            for judge in np.unique(GROUPS[train]):
                fitted = train[GROUPS[train] != judge]
                rows = judge == GROUPS
                model = Ridge(alpha=alpha).fit(Z[fitted], y[fitted])
                errors.append(mean_squared_error(y[rows], model.predict(Z[rows])))
            assert found == pytest.approx(-np.mean(errors))


def test_sets_of_domains_are_held_out_whole_and_each_as_often():
    groups = np.repeat(np.arange(10), np.arange(1, 11))
    cv = DomainShuffleSplit(400, test_size=0.3, random_state=0)
    counts = np.zeros(10)
    for train, test in cv.split(groups, groups=groups):
        out, left = np.unique(groups[test]), np.unique(groups[train])
        assert len(out) == 3
        assert sorted([*out, *left]) == list(range(10))
        counts[out] += 1
    # Each count is binomial with mean 120 and standard deviation 9.2.
    assert (np.abs(counts - 120) < 5 * 9.2).all()
    again = list(cv.split(groups, groups=groups))
    for (a, b), (c, d) in zip(again, cv.split(groups, groups=groups), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_sets_of_domains_are_those_of_scikit_learn_for_the_same_seed():
    options = {"n_splits": 6, "test_size": 2, "train_size": 1, "random_state": 3}
    found = DomainShuffleSplit(**options).split(X, groups=GROUPS)
    expected = GroupShuffleSplit(**options).split(X, groups=GROUPS)
    for parts in zip(found, expected, strict=True):
        for own, other in zip(*parts, strict=True):
            np.testing.assert_array_equal(own, other)


def test_sets_of_domains_leave_the_global_generator_alone():
    rows = np.arange(30)
    before = np.random.get_state()[1:]  # noqa: NPY002
    first, second = (
        [test.tolist() for _, test in DomainShuffleSplit(9).split(rows, groups=rows)]
        for _ in range(2)
    )
    after = np.random.get_state()[1:]  # noqa: NPY002
    for own, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(own, other)
    assert first != second


@pytest.mark.parametrize(
    "cv", [LeaveOneDomainOut(), DomainShuffleSplit(4, test_size=1)]
)
def test_a_cross_validation_passes_groups(cv):
    y = np.tile([0, 1], 5)
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            DummyClassifier(), X, y, cv=cv, params={"groups": GROUPS}
        )
    assert len(scores) == 4


@pytest.mark.parametrize(
    ("split", "groups", "message"),
    [
        (LeaveOneDomainOut().split, None, "LeaveOneDomainOut holds out domains"),
        (LeaveOneDomainOut().split, ["a"] * 10, "needs 2 domains at least.*has 1: a"),
        (
            LeaveOneDomainOut().split_nested,
            ["a", "b"] * 5,
            "split_nested needs 3 domains at least, but groups has 2: a, b",
        ),
        (LeaveOneDomainOut().split, ["a"] * 9, "9"),
        (DomainShuffleSplit().split, None, "DomainShuffleSplit holds out domains"),
        (DomainShuffleSplit().split, ["a"] * 10, "needs 2 domains at least"),
        (DomainShuffleSplit(test_size=4).split, GROUPS, "test_size=4"),
    ],
)
def test_what_is_wrong_is_named(split, groups, message):
    with pytest.raises(ValueError, match=message):
        list(split(X, None, groups))


def test_the_number_of_splits_needs_groups():
    with pytest.raises(ValueError, match="needs groups"):
        LeaveOneDomainOut().get_n_splits(X)
    assert DomainShuffleSplit(7).get_n_splits() == 7

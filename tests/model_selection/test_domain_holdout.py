# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from collections import Counter

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.utils.metadata_routing import get_routing_for_object

from skdg import ERMClassifier
from skdg.model_selection import DomainHoldout

GROUPS = np.repeat(["b", "a", "c"], [10, 25, 3])
X = np.zeros((38, 1))


def test_each_domain_gives_its_share_rounded_and_every_row_is_used_once():
    for test_size in (0.01, 0.2, 0.5, 0.99):
        ((train, test),) = DomainHoldout(test_size=test_size, random_state=0).split(
            X, groups=GROUPS
        )
        assert sorted([*train, *test]) == list(range(38))
        assert Counter(GROUPS[test].tolist()) == {
            label: min(max(1, round(test_size * n)), n - 1)
            for label, n in (("a", 25), ("b", 10), ("c", 3))
        }


@pytest.mark.parametrize("stratify", [False, True])
def test_every_row_of_a_domain_is_as_likely(stratify):
    # 4000 draws: the share of each row is within 5 standard deviations of its domain's.
    y = np.arange(38) % 3 > 0
    counts = np.zeros(38)
    cv = DomainHoldout(4000, stratify=stratify, random_state=1)
    for _, test in cv.split(X, y, GROUPS):
        counts[test] += 1
    expected = {"a": 5 / 25, "b": 2 / 10, "c": 1 / 3}
    for label, share in expected.items():
        error = 5 * np.sqrt(share * (1 - share) / 4000)
        rows = label == GROUPS
        assert np.abs(counts[rows] / 4000 - share).max() < error


def test_strata_are_in_proportion_to_the_nearest_rows():
    y = np.array(["no", "no", "no", "yes"] * 9 + ["no", "yes"])
    cv = DomainHoldout(50, test_size=0.3, stratify=True, random_state=0)
    for _, test in cv.split(X, y, GROUPS):
        for label in "abc":
            rows = label == GROUPS
            drawn = test[rows[test]]
            for klass in ("no", "yes"):
                exact = len(drawn) * np.mean(y[rows] == klass)
                count = np.sum(y[drawn] == klass)
                assert np.floor(exact) <= count <= np.ceil(exact)


def test_plain_draws_are_not_in_proportion():
    y = np.array([0, 1] * 19)
    shares = {
        y[test][GROUPS[test] == "a"].sum()
        for _, test in DomainHoldout(50, random_state=0).split(X, y, GROUPS)
    }
    assert len(shares) > 2


def test_draws_differ_and_a_seed_repeats_them():
    def held_out(seed):
        return [
            test.tolist()
            for _, test in DomainHoldout(3, random_state=seed).split(X, groups=GROUPS)
        ]

    assert held_out(0) == held_out(0)
    assert held_out(0) != held_out(1)
    assert held_out(0)[0] != held_out(0)[1]


def test_it_is_a_splitter_of_scikit_learn():
    cv = DomainHoldout(3, stratify=True)
    assert cv.get_n_splits() == 3
    assert repr(cv) == (
        "DomainHoldout(n_splits=3, random_state=None, stratify=True, test_size=0.2)"
    )
    own, theirs = (get_routing_for_object(c).split for c in (cv, GroupKFold()))
    assert own.requests == theirs.requests == {"groups": True}


def test_a_cross_validation_passes_groups():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(38, 2))
    y = (X[:, 0] > 0).astype(int)
    cv = DomainHoldout(2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        result = cross_validate(
            ERMClassifier(max_iter=3, random_state=0),
            X,
            y,
            cv=cv,
            params={"groups": GROUPS},
            return_estimator=True,
        )
    assert [model.n_domains_ for model in result["estimator"]] == [3, 3]


@pytest.mark.parametrize(
    ("cv", "y", "groups", "message"),
    [
        (DomainHoldout(), None, None, "needs groups"),
        (DomainHoldout(), None, ["a"] * 37 + ["lone"], "'lone'.*row 37"),
        (DomainHoldout(), None, ["a"] * 37, "37 labels, X has 38 rows"),
        (DomainHoldout(0), None, GROUPS, "n_splits must be 1 or more, got 0"),
        (DomainHoldout(test_size=1.0), None, GROUPS, r"test_size.*got 1\.0"),
        (DomainHoldout(test_size=3), None, GROUPS, "test_size.*got 3"),
        (DomainHoldout(stratify=True), None, GROUPS, "needs the class labels"),
        (DomainHoldout(stratify=True), X[:, 0] + 0.5, GROUPS, "y is continuous"),
    ],
)
def test_what_is_wrong_is_named(cv, y, groups, message):
    with pytest.raises(ValueError, match=message):
        list(cv.split(X, y, groups))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The protocol, against the same computed by hand."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

from skdg.study._compare import (
    Outcome,
    held_out_rows,
    leave_one_domain_out,
    summarize,
)
from skdg.study._measures import MEASURES
from skdg.study._methods import Method
from skdg.study._table import DomainTable, prepare_table

RMSE = MEASURES["regression"]["rmse"]
ACCURACY = MEASURES["classification"]["accuracy"]


class GroupMeans(RegressorMixin, BaseEstimator):
    """Predict the mean of the row's domain, and 0 for a row without one."""

    seen: ClassVar[list] = []

    def __init__(self, predict_alone=0.0):
        self.predict_alone = predict_alone

    def fit(self, X, y, groups=None):
        self.means_ = pd.Series(y).groupby(groups).mean()
        self.seen.append((X, y, groups))
        return self

    def predict(self, X, groups=None):
        if groups is None:
            return np.full(len(X), self.predict_alone)
        return self.means_.loc[groups].to_numpy()


class FailsWithoutNorth(GroupMeans):
    def fit(self, X, y, groups=None):
        if "north" not in groups:
            raise FloatingPointError("lost\n  the north")
        return super().fit(X, y, groups)


LINEAR = Method("linear", LinearRegression(), True, False, False)
MEANS = Method("means", GroupMeans(), False, True, True)


@pytest.fixture
def table():
    rng = np.random.default_rng(4)
    sizes = {"north": 20, "south": 31, "east": 50, "west": 44}
    domains = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
    a, b = rng.normal(size=(2, 145))
    slope = pd.Series({"north": 1.0, "south": 2.0, "east": 3.0, "west": -1.0})
    y = a + slope[domains].to_numpy() * b + rng.normal(size=145)
    frame = pd.DataFrame({"a": a, "b": b, "domain": domains, "y": y})
    return prepare_table(frame, title="t", target="y", domain="domain")


def run(table, *methods, measure=RMSE, **options):
    return list(leave_one_domain_out(table, methods, measure, **options))


def test_a_fifth_of_each_domain_is_held_out(table):
    held_out = held_out_rows(table.domains, seed=0)
    shares = pd.Series(held_out).groupby(table.domains).sum()
    assert shares.to_dict() == {"north": 4, "south": 6, "east": 10, "west": 9}
    np.testing.assert_array_equal(held_out, held_out_rows(table.domains, seed=0))
    assert (held_out != held_out_rows(table.domains, seed=1)).any()


def test_linear_model_by_hand(table):
    outcomes = run(table, LINEAR, seed=5)
    assert [o.domain for o in outcomes] == ["east", "north", "south", "west"]
    X = np.column_stack([np.ones(145), table.features["a"], table.features["b"]])
    held_out = held_out_rows(table.domains, seed=5)
    for outcome in outcomes:
        away = table.domains == outcome.domain
        fit = ~away & ~held_out
        # Standardizing does not change the predictions of least squares.
        weights, *_ = np.linalg.lstsq(X[fit], table.target[fit])
        squares = (X @ weights - table.target) ** 2
        assert outcome.unseen == pytest.approx(np.sqrt(squares[away].mean()))
        seen = ~away & held_out
        by_domain = pd.Series(squares[seen]).groupby(table.domains[seen]).mean()
        assert outcome.in_domain == pytest.approx(np.sqrt(by_domain).mean())
        assert outcome.seconds > 0
        assert outcome.error == ""


def test_model_per_domain_by_hand(table):
    GroupMeans.seen.clear()
    outcomes = run(table, MEANS)
    held_out = held_out_rows(table.domains, seed=0)
    for outcome, (X, y, groups) in zip(outcomes, GroupMeans.seen, strict=True):
        away = table.domains == outcome.domain
        fit = ~away & ~held_out
        np.testing.assert_array_equal(groups, table.domains[fit])
        np.testing.assert_array_equal(y, table.target[fit])
        np.testing.assert_allclose(X.mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(X.std(axis=0), 1.0)
        # Seen domains get their own model, an unseen one what knows no domain.
        means = pd.Series(y).groupby(groups).mean()
        errors = [
            np.sqrt(np.mean((table.target[rows] - means[domain]) ** 2))
            for domain in means.index
            for rows in [held_out & (table.domains == domain)]
        ]
        assert outcome.in_domain == pytest.approx(np.mean(errors))
        alone = np.sqrt(np.mean(table.target[away] ** 2))
        assert outcome.unseen == pytest.approx(alone)


def test_a_failure_is_its_own_row(table):
    method = Method("fails", FailsWithoutNorth(), False, True, True)
    outcomes = run(table, method, LINEAR)
    failed = [o for o in outcomes if o.error]
    assert [(o.method, o.domain) for o in failed] == [("fails", "north")]
    assert failed[0].error == "FloatingPointError: lost the north"
    assert np.isnan(failed[0].unseen)
    assert len(outcomes) == 8


def without_time(outcomes):
    return {(o.method, o.domain, o.in_domain, o.unseen, o.error) for o in outcomes}


def test_two_processes_give_the_same(table):
    one = run(table, LINEAR)
    assert without_time(run(table, LINEAR, n_jobs=2)) == without_time(one)


def test_routing_may_be_on(table):
    off = run(table, LINEAR, MEANS)
    with sklearn.config_context(
        enable_metadata_routing=True, transform_output="pandas"
    ):
        on = run(table, LINEAR, MEANS)
    assert without_time(on) == without_time(off)


def test_classes(mixed):
    class Yes(BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.full(len(X), "yes")

    table = prepare_table(mixed, title="t", target="dear", domain="region")
    outcomes = run(table, Method("yes", Yes(), True, False, False), measure=ACCURACY)
    for outcome in outcomes:
        share = (mixed["dear"][mixed["region"] == outcome.domain] == "yes").mean()
        assert outcome.unseen == pytest.approx(share)


def test_a_category_of_the_held_out_domain_alone():
    n = 60
    frame = pd.DataFrame(
        {
            "k": ["x", "y"] * (n // 2),
            "domain": np.repeat(["a", "b", "c"], n // 3),
            "y": np.arange(n) % 7 * 1.5,
        }
    )
    frame.loc[frame["domain"] == "c", "k"] = "z"
    table = prepare_table(frame, title="t", target="y", domain="domain")
    assert all(not outcome.error for outcome in run(table, LINEAR))


class TestSummarize:
    outcomes: ClassVar[list[Outcome]] = [
        Outcome("m", "a", 1.0, 2.0, 0.5),
        Outcome("m", "b", 2.0, 6.0, 0.25),
        Outcome("k", "b", 1.0, 3.0, 1.0),
        Outcome("k", "a", 1.0, 3.5, 1.0),
        Outcome("f", "a", error="ValueError: no"),
        Outcome("f", "b", error="ValueError: no"),
        Outcome("p", "a", 0.5, 1.0, 1.0),
        Outcome("p", "b", error="ValueError: no"),
    ]

    def test_errors(self):
        rows = {s.method: s for s in summarize(self.outcomes, RMSE)}
        assert list(rows) == ["p", "k", "m", "f"]
        m = rows["m"]
        assert (m.in_domain, m.unseen, m.worst, m.worst_domain) == (1.5, 4.0, 6.0, "b")
        assert (m.seconds, m.n_done, m.errors) == (0.75, 2, {})
        assert rows["k"].worst_domain == "a"
        assert (rows["p"].n_done, rows["p"].errors) == (1, {"b": "ValueError: no"})
        assert rows["f"].worst_domain is None
        assert np.isnan(rows["f"].unseen)

    def test_scores(self):
        rows = {s.method: s for s in summarize(self.outcomes, ACCURACY)}
        assert list(rows) == ["m", "k", "p", "f"]
        assert (rows["m"].worst, rows["m"].worst_domain) == (2.0, "a")


def test_table_needs_no_text(table):
    assert isinstance(table, DomainTable)
    assert table.kinds == {"a": "number", "b": "number"}

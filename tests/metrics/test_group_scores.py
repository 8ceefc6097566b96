# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_squared_error,
    r2_score,
)

from skdg.metrics import group_scores, group_summary, worst_group_score

# Three domains, worked out by hand: north 2 of 3 right, south 1 of 2, west 1 of 1.
Y_TRUE = [1, 0, 1, 1, 0, 0]
Y_PRED = [1, 0, 0, 0, 0, 0]
GROUPS = ["north", "south", "north", "south", "west", "north"]
ACCURACY = {"north": 2 / 3, "south": 1 / 2, "west": 1.0}


def test_accuracy_of_each_domain():
    scores = group_scores(Y_TRUE, Y_PRED, groups=GROUPS)
    assert scores == pytest.approx(ACCURACY)
    assert list(scores) == ["north", "south", "west"]
    assert all(type(label) is str for label in scores)
    assert all(type(score) is float for score in scores.values())


def test_worst_accuracy():
    assert worst_group_score(Y_TRUE, Y_PRED, groups=GROUPS) == pytest.approx(0.5)


def test_worst_of_an_error_is_the_largest():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 90))
    groups = rng.integers(4, size=90)
    squares = (y_true - y_pred) ** 2
    by_hand = pd.Series(squares).groupby(groups).mean()
    assert worst_group_score(
        y_true, y_pred, groups=groups, metric=mean_squared_error
    ) == pytest.approx(by_hand.max())
    assert group_scores(
        y_true, y_pred, groups=groups, metric=mean_squared_error
    ) == pytest.approx(by_hand.to_dict())


def test_r2_uses_the_mean_of_the_domain():
    y_true, y_pred = np.array([0.0, 2.0, 10.0, 14.0]), np.array([1.0, 1.0, 10.0, 13.0])
    # Domain 0: residuals 2, variation 2. Domain 1: residuals 1, variation 8.
    scores = group_scores(y_true, y_pred, groups=[0, 0, 1, 1], metric=r2_score)
    assert scores == pytest.approx({0: 0.0, 1: 1 - 1 / 8})


def test_sample_weight():
    weight = [3.0, 1.0, 1.0, 1.0, 1.0, 4.0]
    scores = group_scores(Y_TRUE, Y_PRED, groups=GROUPS, sample_weight=weight)
    assert scores == pytest.approx({"north": 7 / 8, "south": 1 / 2, "west": 1.0})


def test_integer_weight_is_repetition():
    rng = np.random.default_rng(1)
    y_true, y_pred, groups = rng.integers(2, size=(3, 40))
    weight = rng.integers(4, size=40)
    again = np.repeat(np.arange(40), weight)
    assert group_scores(
        y_true, y_pred, groups=groups, sample_weight=weight
    ) == pytest.approx(group_scores(y_true[again], y_pred[again], groups=groups[again]))


def test_domain_of_weight_zero_is_left_out():
    weight = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    scores = group_scores(Y_TRUE, Y_PRED, groups=GROUPS, sample_weight=weight)
    assert scores == pytest.approx({"north": 2 / 3, "west": 1.0})
    worst = worst_group_score(Y_TRUE, Y_PRED, groups=GROUPS, sample_weight=weight)
    assert worst == pytest.approx(2 / 3)


def test_further_arguments_reach_the_metric():
    scores = group_scores(
        Y_TRUE, Y_PRED, groups=GROUPS, metric=f1_score, pos_label=0, zero_division=0.0
    )
    # north: one of class 0, two predicted so; south: one, two predicted so.
    assert scores == pytest.approx({"north": 2 / 3, "south": 2 / 3, "west": 1.0})


def test_probabilities_with_one_column_per_class():
    y_true = np.array([0, 1, 2, 0])
    probability = np.array(
        [[0.5, 0.25, 0.25], [0.2, 0.4, 0.4], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    )
    scores = group_scores(
        y_true, probability, groups=[1, 1, 2, 2], metric=log_loss, labels=[0, 1, 2]
    )
    assert scores == pytest.approx({1: -np.log([0.5, 0.4]).mean(), 2: -np.log(0.8)})


@pytest.mark.parametrize(
    "container", [list, tuple, np.array, pd.Series, pd.Categorical, pl.Series]
)
def test_containers(container):
    assert group_scores(
        np.array(Y_TRUE), np.array(Y_PRED), groups=container(GROUPS)
    ) == pytest.approx(ACCURACY)


def test_targets_in_a_series_go_by_position():
    index = [9, 3, 3, 1, 0, 2]
    scores = group_scores(
        pd.Series(Y_TRUE, index=index), pd.Series(Y_PRED), groups=pd.Series(GROUPS)
    )
    assert scores == pytest.approx(ACCURACY)


def test_order_of_rows_changes_nothing():
    order = np.random.default_rng(2).permutation(6)
    parts = [np.array(part)[order] for part in (Y_TRUE, Y_PRED, GROUPS)]
    assert group_scores(*parts[:2], groups=parts[2]) == pytest.approx(ACCURACY)


def test_dates_stay_dates():
    days = np.array(["2024-01-02", "2024-01-01"], dtype="datetime64[ns]")
    scores = group_scores([0, 1], [0, 0], groups=days)
    assert list(scores) == [days[1], days[0]]
    assert list(scores.values()) == [0.0, 1.0]


def test_groups_are_required():
    with pytest.raises(TypeError, match="groups"):
        group_scores(Y_TRUE, Y_PRED)
    with pytest.raises(TypeError, match="groups"):
        worst_group_score(Y_TRUE, Y_PRED)


@pytest.mark.parametrize("function", [group_scores, worst_group_score])
def test_bad_groups(function):
    with pytest.raises(ValueError, match="2 labels"):
        function(Y_TRUE, Y_PRED, groups=["a", "b"])
    with pytest.raises(ValueError, match="missing value in row 5"):
        function(Y_TRUE, Y_PRED, groups=[1.0, 2.0, 1.0, 2.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="one-dimensional"):
        function(Y_TRUE, Y_PRED, groups=[[1], [2], [1], [2], [1], [2]])
    with pytest.raises(ValueError, match="single value"):
        function(Y_TRUE, Y_PRED, groups="region")


def test_targets_and_predictions_must_match():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        group_scores(Y_TRUE, Y_PRED[:-1], groups=GROUPS)


@pytest.mark.parametrize("function", [group_scores, worst_group_score, group_summary])
def test_the_name_of_a_metric_is_none(function):
    said = f"'metric' parameter of {function.__name__} must be a callable. Got 'acc"
    with pytest.raises(ValueError, match=said):
        function(Y_TRUE, Y_PRED, groups=GROUPS, metric="accuracy")


def right(y_true, y_pred):
    return np.mean(np.equal(y_true, y_pred))


def test_direction_of_an_unknown_name_must_be_given():
    arguments = {"groups": GROUPS, "metric": right}
    with pytest.raises(ValueError, match=r"name 'right' .* greater_is_better=True"):
        worst_group_score(Y_TRUE, Y_PRED, **arguments)
    low = worst_group_score(Y_TRUE, Y_PRED, greater_is_better=True, **arguments)
    high = worst_group_score(Y_TRUE, Y_PRED, greater_is_better=False, **arguments)
    assert (low, high) == (0.5, 1.0)


def test_direction_of_a_partial_is_that_of_its_function():
    metric = partial(f1_score, pos_label=0, zero_division=0.0)
    assert worst_group_score(
        Y_TRUE, Y_PRED, groups=GROUPS, metric=metric
    ) == pytest.approx(2 / 3)


def test_given_direction_wins_over_the_name():
    best = worst_group_score(
        Y_TRUE, Y_PRED, groups=GROUPS, metric=accuracy_score, greater_is_better=False
    )
    assert best == 1.0


def test_an_error_of_the_metric_names_the_domain():
    probability = [0.9, 0.2, 0.8, 0.6, 0.3, 0.4]
    with pytest.raises(
        ValueError, match="Scoring domain 'west' failed: y_true contain"
    ):
        group_scores(Y_TRUE, probability, groups=GROUPS, metric=log_loss)


def test_undefined_on_a_domain():
    def share_score(y_true, y_pred):
        return np.nan if len(y_true) == 1 else 1.0

    scores = group_scores(Y_TRUE, Y_PRED, groups=GROUPS, metric=share_score)
    assert np.isnan(scores["west"])
    worst = worst_group_score(Y_TRUE, Y_PRED, groups=GROUPS, metric=share_score)
    assert np.isnan(worst)

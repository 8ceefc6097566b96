# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, bootstrap
from sklearn.metrics import (
    accuracy_score,
    fbeta_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from skdg.metrics import group_summary


def of_accuracies(hits, sizes, **options):
    y_true = np.ones(sum(sizes), dtype=int)
    parts = [[1] * h + [0] * (n - h) for h, n in zip(hits, sizes, strict=True)]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return group_summary(y_true, np.concatenate(parts), groups=groups, **options)


def test_numbers_by_hand():
    summary = of_accuracies([9, 3, 10, 2], [10, 4, 10, 8])
    assert summary.scores == {0: 0.9, 1: 0.75, 2: 1.0, 3: 0.25}
    assert summary.mean == pytest.approx((0.9 + 0.75 + 1.0 + 0.25) / 4, abs=1e-15)
    assert (summary.worst, summary.worst_domain, summary.gap) == (0.25, 3, 0.75)
    # Between the two smallest, three tenths of the way: 0.1 times the 3 steps.
    assert summary.percentile_10 == pytest.approx(0.25 + 0.3 * 0.5, abs=1e-15)


def test_domains_seen_and_unseen():
    hits, sizes = [9, 3, 10, 2], [10, 4, 10, 8]
    for seen in ([0, 2], {0, 2}, np.array([2, 0, 7])):
        summary = of_accuracies(hits, sizes, seen=seen)
        assert summary.in_domain == pytest.approx((0.9 + 1.0) / 2, abs=1e-15)
        assert summary.unseen == pytest.approx((0.75 + 0.25) / 2, abs=1e-15)
    assert of_accuracies(hits, sizes).in_domain is None
    assert of_accuracies(hits, sizes).unseen is None
    assert of_accuracies(hits, sizes, seen=[0, 1, 2, 3]).unseen is None


def test_seen_in_a_series_goes_by_value():
    # 1 is in the index, but no value.
    summary = of_accuracies(
        [9, 3, 10], [10, 4, 10], seen=pd.Series([0, 2], index=[1, 5])
    )
    assert summary.in_domain == pytest.approx((0.9 + 1.0) / 2, abs=1e-15)
    assert summary.unseen == 0.75


def test_seen_domains_of_which_there_are_none_give_a_warning():
    with pytest.warns(
        UserWarning, match=r"type int \(0, 1\), but .* of type str \('0', '1'\)"
    ):
        summary = of_accuracies([9, 3], [10, 4], seen=["0", "1"])
    # Of one type: no warning where all domains were held out.
    assert of_accuracies([9, 3], [10, 4], seen=[7, 8]).in_domain is None
    assert summary.in_domain is None
    assert summary.unseen == summary.mean
    assert of_accuracies([9, 3], [10, 4], seen=[]).unseen == summary.mean


def test_errors_turn_the_direction():
    y_true, groups = np.zeros(6), ["a", "a", "b", "b", "c", "c"]
    y_pred = np.array([1.0, 1.0, 3.0, 3.0, 2.0, 2.0])
    summary = group_summary(
        y_true, y_pred, groups=groups, metric=mean_absolute_error, random_state=0
    )
    assert (summary.worst, summary.worst_domain, summary.gap) == (3.0, "b", 2.0)
    assert summary.percentile_10 == pytest.approx(3.0 - 0.2, abs=1e-15)
    # Equal errors have a bootstrap of one value.
    assert summary.worst_bound == 3.0


def test_bound_of_accuracy_is_that_of_clopper_and_pearson():
    hits, sizes = [9, 3, 10], [10, 4, 400]
    summary = of_accuracies(hits, sizes, confidence_level=0.9)
    lower = [beta.ppf(0.1, k, n - k + 1) for k, n in zip(hits, sizes, strict=True)]
    assert summary.worst_bound == pytest.approx(min(lower), rel=1e-9)
    # The bound may come from a small domain that is not the worst in the sample.
    summary = of_accuracies([1, 690], [1, 1000])
    assert summary.worst_domain == 1
    assert summary.worst_bound == pytest.approx(0.05, rel=1e-9)


def test_bound_holds_as_often_as_it_says_for_any_number_of_domains():
    rng = np.random.default_rng(0)
    truth = np.array([0.7, 0.72, 0.75, 0.9])
    held = [
        of_accuracies(rng.binomial(40, truth), [40] * 4, confidence_level=0.8)
        for _ in range(500)
    ]
    share = np.mean([summary.worst_bound <= 0.7 for summary in held])
    # At least 0.8 is promised; 500 draws vary by 0.018.
    assert share >= 0.8 - 3 * 0.018


def test_bootstrap_of_a_mean_is_near_the_normal_bound():
    rng = np.random.default_rng(0)
    sizes = [400, 900]
    groups = np.repeat(["a", "b"], sizes)
    y_pred = rng.normal(size=1300)
    summary = group_summary(
        np.zeros(1300),
        y_pred,
        groups=groups,
        metric=mean_squared_error,
        confidence_level=0.975,
        n_resamples=4000,
        random_state=0,
    )
    upper = []
    for label in "ab":
        squares = y_pred[groups == label] ** 2
        upper.append(squares.mean() + 1.96 * squares.std() / np.sqrt(len(squares)))
    # Bootstrap quantiles of 4000 draws vary by about 0.05 standard errors.
    assert summary.worst_bound == pytest.approx(max(upper), abs=0.015)


def test_weights_are_drawn_with_their_rows():
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 2, size=300).astype(float)
    groups = np.repeat(["a", "b", "c"], 100)
    weight[groups == "c"] = 0
    y_true, y_pred = rng.integers(2, size=300), rng.integers(2, size=300)
    options = {"groups": groups, "n_resamples": 2000, "random_state": 0}
    weighted = group_summary(y_true, y_pred, sample_weight=weight, **options)
    assert list(weighted.scores) == ["a", "b"]
    kept = weight > 0
    plain = group_summary(y_true[kept], y_pred[kept], groups=groups[kept])
    assert weighted.worst == plain.worst
    # The binomial bound and the bootstrap's agree to a grid step of 1 in 50 rows.
    assert weighted.worst_bound == pytest.approx(plain.worst_bound, abs=0.02)


def test_rows_of_weight_zero_are_not_drawn():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 90))
    groups, weight = np.repeat(["a", "b", "c"], 30), rng.uniform(1, 2, size=90)
    weight[rng.permutation(90)[:50]] = 0
    kept = weight > 0
    options = {"metric": mean_squared_error, "random_state": 0}
    weighted = group_summary(
        y_true, y_pred, groups=groups, sample_weight=weight, **options
    )
    without = group_summary(
        y_true[kept],
        y_pred[kept],
        groups=groups[kept],
        sample_weight=weight[kept],
        **options,
    )
    assert weighted.worst_bound == without.worst_bound
    # One row of 20 that counts: draws without it have no score.
    single = group_summary(
        [1] * 40,
        [0] + [1] * 39,
        groups=["a"] * 20 + ["b"] * 20,
        sample_weight=[1] + [0] * 19 + [1] * 20,
    )
    assert (single.worst, single.worst_bound) == (0.0, 0.0)


@pytest.mark.parametrize("confidence_level", [0.6, 0.95])
@pytest.mark.parametrize("metric", [r2_score, mean_squared_error])
def test_bootstrap_is_that_of_scipy_where_the_metric_is_always_defined(
    metric, confidence_level
):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 30))
    summary = group_summary(
        y_true,
        y_pred,
        groups=["a"] * 30,
        metric=metric,
        confidence_level=confidence_level,
        random_state=3,
    )
    more = metric is r2_score
    interval = bootstrap(
        (y_true, y_pred),
        metric,
        vectorized=False,
        paired=True,
        n_resamples=999,
        confidence_level=confidence_level,
        alternative="greater" if more else "less",
        method="percentile",
        rng=np.random.default_rng(np.random.RandomState(3).randint(2**31 - 1)),
    ).confidence_interval
    expected = interval.low if more else interval.high
    assert summary.worst_bound == pytest.approx(expected, rel=1e-12)


def auc_by_pairs(y_true, score):
    pairs = score[y_true == 1][:, None] - score[y_true == 0]
    return np.nan if pairs.size == 0 else np.mean((pairs > 0) + 0.5 * (pairs == 0))


def log_loss_by_hand(y_true, score):
    if len(set(y_true)) == 1:
        return np.nan
    return -np.mean(np.log(np.where(y_true == 1, score, 1 - score)))


@pytest.mark.parametrize(
    ("metric", "by_hand", "level"),
    [(roc_auc_score, auc_by_pairs, 0.05), (log_loss, log_loss_by_hand, 0.95)],
)
def test_draws_that_lack_a_class_are_left_out(metric, by_hand, level):
    rng = np.random.default_rng(0)
    y_true = np.array([0] * 18 + [1] * 2 + [0, 1] * 10)
    score = np.clip(0.3 * y_true + 0.7 * rng.uniform(size=40), 0.01, 0.99)
    summary = group_summary(
        y_true,
        score,
        groups=["a"] * 20 + ["b"] * 20,
        metric=metric,
        n_resamples=300,
        random_state=0,
    )
    seeds, bounds, left_out = np.random.RandomState(0), [], []
    for rows in (np.arange(20), np.arange(20, 40)):
        draws = np.random.default_rng(seeds.randint(2**31 - 1))
        drawn = rows[draws.integers(20, size=(300, 20))]
        values = np.array([by_hand(y_true[i], score[i]) for i in drawn])
        bounds.append(np.nanquantile(values, level))
        left_out.append(np.isnan(values).mean())
    expected = min(bounds) if metric is roc_auc_score else max(bounds)
    assert summary.worst_bound == pytest.approx(expected, rel=1e-12)
    # The docstring's share, within three standard errors.
    assert left_out[0] == pytest.approx(0.9**20, abs=3 * np.sqrt(0.12 * 0.88 / 300))
    assert left_out[1] == 0


def test_a_metric_that_is_defined_on_no_draw_has_no_bound():
    def distinct_score(y_true, y_pred):
        if len(np.unique(y_true)) < len(y_true):
            raise ValueError("rows occur twice")
        return 1.0

    summary = group_summary(
        np.arange(40), np.zeros(40), groups=["a"] * 40, metric=distinct_score
    )
    assert summary.worst == 1.0
    assert np.isnan(summary.worst_bound)


def test_arguments_reach_the_metric_and_a_seed_repeats_the_bound():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(2, size=200), rng.integers(2, size=200)
    groups = np.repeat(["a", "b"], 100)
    one, two = (
        group_summary(
            y_true,
            y_pred,
            groups=groups,
            metric=fbeta_score,
            beta=2.0,
            random_state=1,
        )
        for _ in range(2)
    )
    assert one == two
    assert one.scores["a"] == fbeta_score(y_true[:100], y_pred[:100], beta=2.0)
    assert one.worst_bound < one.worst


def test_a_domain_of_one_row():
    summary = group_summary(
        [1.0, 2.0, 3.0],
        [1.5, 2.0, 3.0],
        groups=["x", "y", "y"],
        metric=mean_absolute_error,
    )
    assert summary.worst_bound == 0.5


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="'confidence_level' parameter"):
        of_accuracies([1], [2], confidence_level=1.0)
    with pytest.raises(ValueError, match="greater_is_better"):
        of_accuracies([1], [2], metric=lambda a, b: accuracy_score(a, b))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A domain is found again, whatever holds its label."""

import datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdg import (
    MultiTaskLinearRegressor,
    MultiTaskLinearSVC,
    MultiTaskNetworkRegressor,
    SingleDomainWarning,
)
from skdg._label_lookup import find_labels, label_values
from skdg.base import encode_groups
from skdg.inspection import DomainScoreDisplay, task_affinity
from skdg.metrics import group_scores, group_summary

mpl.use("Agg")

DAYS = np.array(["2021-03-01", "2021-01-01", "2021-02-01"], dtype="datetime64[D]")
OBJECTS = np.empty(3, dtype=object)
OBJECTS[:] = list(DAYS)
# The same three days in whatever may hold them.
HOLDERS = {
    "days": DAYS,
    "months": DAYS.astype("datetime64[M]"),
    "seconds": DAYS.astype("datetime64[s]"),
    "nanoseconds": DAYS.astype("datetime64[ns]"),
    "objects of numpy": OBJECTS,
    "dates": DAYS.tolist(),
    "datetimes": [datetime.datetime.combine(d, datetime.time()) for d in DAYS.tolist()],
    "Timestamps": [pd.Timestamp(day) for day in DAYS],
    "Series": pd.Series(DAYS),
    "Series of dates": pd.Series(DAYS).dt.date,
    "categories": pd.Series(DAYS).astype("category"),
    "polars dates": pl.Series(DAYS.tolist()),
    "polars times": pl.Series(DAYS.astype("datetime64[ms]")),
}


@pytest.mark.parametrize("known", HOLDERS)
@pytest.mark.parametrize("asked", HOLDERS)
def test_days_are_found_whatever_holds_them(known, asked):
    known = label_values(encode_groups(HOLDERS[known], 3)[0])
    domains, codes = encode_groups(HOLDERS[asked], 3)
    # Sorted they are January, February, March.
    assert find_labels(label_values(domains), known)[codes].tolist() == [2, 0, 1]


def test_what_was_not_known_is_not_found():
    known = [1, "2", DAYS[0], ("a", 1), 2.5]
    asked = ["1", 2, DAYS[1], ("a", 2), 2.25, True, "2", DAYS[0], ("a", 1)]
    assert find_labels(asked, known).tolist() == [-1] * 5 + [0, 1, 2, 3]


def test_nanoseconds_are_neither_integers_nor_lost_among_whole_microseconds():
    times = np.array([1_000, 1_001, 2_000], dtype="datetime64[ns]")
    whole = times[::2].astype("datetime64[us]")
    assert find_labels(label_values(times), label_values(whole)).tolist() == [0, -1, 1]
    assert find_labels([1_001, 1], label_values(times)).tolist() == [-1, -1]


def rows(seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(3), 20))
    X = rng.normal(size=(60, 2))
    # A task of its own in each domain, the opposite of another's.
    signal = np.choose(codes, [X[:, 0], -X[:, 0], X[:, 1]])
    return X, signal, codes


@pytest.mark.parametrize("asked", [*HOLDERS])
def test_a_domain_is_predicted_by_its_own_model_whatever_holds_its_date(asked):
    X, signal, codes = rows()
    y = (signal > 0).astype(int)
    model = MultiTaskLinearSVC(lambda_task=1e-3).fit(X, y, groups=DAYS[codes])
    place = np.argsort(np.argsort(DAYS))[codes]
    own = (X * model.task_coef_[place, 0]).sum(1) + model.task_intercept_[place, 0]
    holder = HOLDERS[asked]
    groups = [list(holder)[code] for code in codes]
    if isinstance(holder, np.ndarray | pd.Series):
        groups = holder[codes]
    np.testing.assert_allclose(model.decision_function(X, groups=groups), own)
    assert np.abs(model.decision_function(X) - own).max() > 0.5


def test_networks_find_dates_again():
    X, signal, codes = rows()
    model = MultiTaskNetworkRegressor(
        hidden_layer_sizes=(), max_iter=20, learning_rate_init=0.1, random_state=0
    )
    by_int = model.fit(X, signal, groups=codes).predict(X, groups=codes)
    dates = DAYS[np.argsort(DAYS)]
    model.fit(X, signal, groups=dates[codes])
    np.testing.assert_array_equal(
        model.predict(X, groups=pd.Series(dates[codes])), by_int
    )


MODELS = [
    MultiTaskLinearSVC(),
    MultiTaskLinearRegressor(),
    MultiTaskNetworkRegressor(hidden_layer_sizes=(), max_iter=5),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_labels_of_another_type_than_in_fit_give_a_warning(model):
    X, signal, codes = rows()
    y = (signal > 0).astype(int)
    model.fit(X, y, groups=codes)
    shared, own = model.predict(X), model.predict(X, groups=codes)
    said = r"type str \('0', '1', '2'\), but .* labels of type int \(0, 1, 2\)"
    with pytest.warns(UserWarning, match=said) as caught:
        predicted = model.predict(X, groups=codes.astype(str))
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name]
    np.testing.assert_array_equal(predicted, shared)
    with pytest.warns(UserWarning, match="type datetime64"):
        model.predict(X, groups=DAYS[codes])
    # A new domain is silent, and so is the same number as a float.
    np.testing.assert_array_equal(model.predict(X, groups=codes + 7), shared)
    np.testing.assert_array_equal(model.predict(X, groups=codes + 7.5), shared)
    np.testing.assert_array_equal(model.predict(X, groups=codes.astype(float)), own)


def test_times_are_of_one_type_whatever_their_unit():
    X, signal, codes = rows()
    # To Python nanoseconds are integers, and spans of numpy are such anyway.
    for kind in ("datetime64", "timedelta64"):
        fine = np.array([1, 2, 3], dtype=f"{kind}[ns]")
        model = MultiTaskLinearRegressor().fit(X, signal, groups=fine[codes])
        later = fine.astype(f"{kind}[us]") + 7
        shared = model.predict(X)
        np.testing.assert_array_equal(model.predict(X, groups=later[codes]), shared)
        with pytest.warns(UserWarning, match="type int "):
            model.predict(X, groups=codes + 1)


def test_labels_of_several_types_are_of_the_type_of_some():
    X, signal, codes = rows()
    model = MultiTaskLinearRegressor().fit(X, signal, groups=[0, "1", 2.0] * 20)
    np.testing.assert_array_equal(
        model.predict(X, groups=codes.astype(str)),
        np.where(codes == 1, model.predict(X, groups=["1"] * 60), model.predict(X)),
    )


def test_a_fit_to_one_domain_does_not_warn_of_types_again():
    X, signal, codes = rows()
    with pytest.warns(SingleDomainWarning):
        model = MultiTaskLinearRegressor().fit(X, signal)
    predicted = model.predict(X, groups=codes.astype(str))
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_displays_and_affinities_know_the_dates_of_the_fit():
    X, signal, codes = rows()
    y, days = (signal > 0).astype(int), DAYS[codes]
    model = MultiTaskLinearSVC(lambda_task=1e-3).fit(X, y, groups=days)
    affinity = task_affinity(model, X, y, days, method="coefficient").affinity
    a, b = model.task_coef_[:2, 0]
    assert affinity[0, 1] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)))
    for groups in (days, pd.Series(days), list(days.tolist())):
        display = DomainScoreDisplay.from_estimator(model, X, y, groups=groups)
        assert display.frame()["seen"].tolist() == [True] * 3
        texts = [text.get_text() for text in display.ax_.get_yticklabels()]
        assert texts == ["2021-01-01", "2021-02-01", "2021-03-01"]


def test_dates_in_pictures_are_as_short_as_they_can_be():
    scores = {"m": dict.fromkeys(np.array([1, 36], "timedelta64[h]"), 0.5)}
    display = DomainScoreDisplay(scores, []).plot()
    texts = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert texts == ["1:00:00 (unseen)", "1 day, 12:00:00 (unseen)"]


def test_scores_by_date_have_dates_for_keys():
    _, signal, codes = rows()
    scores = group_scores(signal > 0, codes > 0, groups=DAYS[codes])
    assert [str(label)[:10] for label in scores] == np.sort(DAYS).astype(str).tolist()
    by_code = group_scores(signal > 0, codes > 0, groups=codes)
    assert list(scores.values()) == [by_code[1], by_code[2], by_code[0]]


def test_domains_seen_are_found_whatever_holds_their_dates():
    _, signal, codes = rows()
    for seen in (DAYS[:1], pd.Series(DAYS[:1]), DAYS[:1].tolist(), {DAYS[0]}):
        summary = group_summary(signal > 0, codes > 0, groups=DAYS[codes], seen=seen)
        score = np.mean((signal > 0)[codes == 0] == 0)
        assert summary.in_domain == pytest.approx(score)

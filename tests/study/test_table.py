# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skdg.study._errors import StudyError
from skdg.study._table import prepare_table


def prepare(frame, target="price", domain="region", **options):
    return prepare_table(frame, title="t", target=target, domain=domain, **options)


def test_mixed_columns(mixed):
    before = mixed.copy()
    table = prepare(mixed, drop=["dear"])
    assert table.kinds == {
        "size": "number",
        "color": "category",
        "sold": "date",
        "new": "category",
        "rooms": "number",
    }
    assert list(table.features.columns) == list(table.kinds)
    assert table.task == "regression"
    assert table.notices == []
    np.testing.assert_array_equal(table.target, mixed["price"])
    np.testing.assert_array_equal(table.domains, mixed["region"])
    np.testing.assert_array_equal(table.features["size"], mixed["size"])
    assert table.features["color"].isna().sum() == mixed["color"].isna().sum()
    pd.testing.assert_frame_equal(mixed, before)


@pytest.mark.parametrize(
    ("values", "kind", "first"),
    [
        (["1.5", "2.5", "N/A", "4"], "number", 1.5),
        (pd.array([1, 2, None, 4], dtype="Int64"), "number", 1.0),
        (pd.array([1.5, None, 2, 3], dtype="float64[pyarrow]"), "number", 1.5),
        ([Decimal("1.25"), Decimal("3"), None, Decimal("4")], "number", 1.25),
        (pd.to_timedelta([1, 2, 3, 4], unit="min"), "number", 60.0),
        ([np.inf, 1.0, 2.0, 3.0], "number", np.nan),
        ([True, None, False, True], "category", "True"),
        (pd.array([True, None, False, True], dtype="boolean"), "category", "True"),
        (pd.Categorical(["a", None, "b", "a"]), "category", "a"),
        (pd.Categorical([3, 1, 2, 3]), "category", "3"),
        ([1, "a", 2.5, "b"], "category", "1"),
        (pd.array(["x", "y", None, "x"], dtype="string[pyarrow]"), "category", "x"),
        (["13/01/2024", "02/03/2024", None, "05/05/2024"], "date", "2024-01-13"),
        (pd.date_range("2024-01-13", periods=4, tz="UTC"), "date", "2024-01-13"),
    ],
)
def test_types_of_columns(mixed, values, kind, first):
    mixed["extra"] = pd.Series(np.arange(160) % 4).map(dict(enumerate(values)))
    if hasattr(values, "dtype"):
        mixed["extra"] = mixed["extra"].astype(values.dtype)
    table = prepare(mixed)
    assert table.kinds["extra"] == kind
    value = table.features["extra"].iloc[0]
    if kind == "date":
        assert str(value.date()) == first
    elif isinstance(first, float):
        np.testing.assert_equal(value, first)
    else:
        assert value == first


def test_useless_columns_are_left_out_with_a_notice(mixed):
    mixed["empty"] = np.nan
    mixed["constant"] = "x"
    mixed["Unnamed: 0"] = np.arange(160)
    mixed["id"] = [f"home {i}" for i in range(160)]
    mixed["tags"] = [["a", "b"]] * 160
    table = prepare(mixed)
    assert not {"empty", "constant", "Unnamed: 0", "id", "tags"} & set(table.kinds)
    notices = " ".join(table.notices)
    assert "one value or none left out: empty, constant." in notices
    assert "only count the rows left out: Unnamed: 0." in notices
    assert "only name the rows left out: id." in notices
    assert "lists or tables left out: tags." in notices


class TestTask:
    @pytest.mark.parametrize(
        ("values", "task", "labels"),
        [
            (["yes", "no"], "classification", ["no", "yes"]),
            ([True, False], "classification", ["False", "True"]),
            (pd.Categorical(["b", "a"]), "classification", ["a", "b"]),
            ([0, 1], "classification", ["0", "1"]),
            ([0.0, 1.0], "classification", ["0", "1"]),
            (["0", "1"], "classification", ["0", "1"]),
            ([1000001, 1000002], "classification", ["1000001", "1000002"]),
            ([-1e15, 2.0**52], "classification", [str(-(10**15)), str(2**52)]),
            ([1, 2, 3], "classification", ["1", "2", "3"]),
            ([0.5, 1.0], "regression", None),
            (list(range(11)), "regression", None),
            (["1.5", "2.25"], "regression", None),
        ],
    )
    def test_found(self, mixed, values, task, labels):
        mixed["y"] = pd.Series(np.resize(np.asarray(values), 160))
        table = prepare(mixed, target="y")
        assert table.task == task
        if labels is None:
            assert table.target.dtype == np.float64
        else:
            assert sorted(set(table.target)) == labels

    def test_whole_numbers_are_a_guess_that_is_told(self, mixed):
        table = prepare(mixed, target="rooms")
        assert table.task == "classification"
        assert "--task regression" in table.notices[0]
        table = prepare(mixed, target="rooms", task="regression")
        assert table.task == "regression"
        assert table.notices == []

    def test_given(self, mixed):
        mixed["count"] = np.arange(160) % 12
        assert prepare(mixed, target="count").task == "regression"
        table = prepare(mixed, target="count", task="classification")
        assert len(set(table.target)) == 12

    def test_numbers_that_differ_are_different_classes(self, mixed):
        mixed["dose"] = np.resize([0.1, 0.1 + 2e-16, 1.5, 1e-7, 3.0], 160)
        table = prepare(mixed, target="dose", task="classification")
        # Python writes what is needed to read the same number again.
        expected = ["0.1", "0.1000000000000002", "1.5", "1e-07", "3"]
        assert table.target[:5].tolist() == expected
        np.testing.assert_array_equal(table.target.astype(float), mixed["dose"])


class TestRows:
    def test_missing_target_or_domain(self, mixed):
        mixed.loc[3, "price"] = np.nan
        mixed.loc[[5, 6], "region"] = None
        table = prepare(mixed)
        assert len(table.target) == len(table.features) == 157
        assert "3 of 160 rows left out" in table.notices[0]
        np.testing.assert_array_equal(table.target, mixed["price"].drop([3, 5, 6]))

    def test_words_for_missing_targets(self, mixed):
        mixed["y"] = ["yes", "no", "N/A", "no"] * 40
        table = prepare(mixed, target="y")
        assert set(table.target) == {"yes", "no"}
        assert len(table.target) == 120

    @pytest.mark.parametrize("word", ["NA", "None", "null"])
    def test_words_that_may_be_names_are_kept(self, mixed, word):
        mixed["y"] = ["mild", "severe", word, None] * 40
        mixed["region"] = np.repeat(["north", word, "N/A", "south"], 40)
        table = prepare(mixed, target="y")
        labels, counts = np.unique(table.target, return_counts=True)
        expected = sorted(["mild", "severe", word])
        assert (labels.tolist(), counts.tolist()) == (expected, [40] * 3)
        labels, counts = np.unique(table.domains, return_counts=True)
        assert sorted(labels) == sorted(["north", "south", word, "N/A"])
        assert counts.tolist() == [30] * 4
        told = f"y holds {word!r} (40 rows), taken for a name like the others."
        assert told in table.notices[0]
        told = f"region holds {word!r} (40 rows), 'N/A' (40 rows), taken for a name"
        assert told in table.notices[1]
        assert "40 of 160 rows left out" in table.notices[2]

    def test_words_between_numbers_mean_a_missing_value(self, mixed):
        mixed["y"] = ["1.5", "NA", "2.5", "None"] * 40
        mixed["ward"] = np.repeat(["7", "NA", "80", "12"], 40)
        table = prepare(mixed, target="y", domain="ward")
        assert set(table.target) == {1.5, 2.5}
        assert np.unique(table.domains).tolist() == ["12", "7", "80"]
        assert "100 of 160 rows left out" in table.notices[0]
        with pytest.raises(StudyError, match=r"first in row 2 \('NA' there\)"):
            prepare(mixed, target="y", drop_missing=False)

    def test_small_domains(self, mixed):
        mixed.loc[:4, "region"] = "islet"
        table = prepare(mixed)
        assert "islet" not in table.domains
        assert (
            "Domains with fewer than 20 rows left out (1): islet." in table.notices[0]
        )

    def test_largest_domains(self, mixed):
        rows = [*mixed.index[mixed["region"] == "east"][:7]]
        frame = mixed.drop(rows)
        table = prepare(frame, max_domains=3)
        assert set(table.domains) == {"north", "south", "west"}
        assert "3 largest of 4 domains" in table.notices[0]

    def test_small_domains_beyond_the_largest_do_not_matter(self, mixed):
        mixed.loc[mixed.index[mixed["region"] == "east"][:5], "region"] = "islet"
        table = prepare(mixed, max_domains=3, drop_small=False)
        assert set(table.domains) == {"north", "south", "west"}
        assert "3 largest of 5 domains" in table.notices[0]
        with pytest.raises(StudyError, match="1 of 5 domains"):
            prepare(mixed, max_domains=4, drop_small=False)

    def test_cap_on_rows(self, mixed):
        mixed["key"] = np.arange(160) ** 2
        tables = [prepare(mixed, max_rows=25, seed=seed) for seed in (0, 0, 1)]
        keys = [table.features["key"].tolist() for table in tables]
        assert keys[0] == keys[1] != keys[2]
        assert keys[0] == sorted(keys[0])
        _, sizes = np.unique(tables[0].domains, return_counts=True)
        assert sizes.tolist() == [25] * 4
        assert "25 rows drawn at random of east, north" in tables[0].notices[0]
        picked = np.sqrt(keys[0]).astype(int)
        np.testing.assert_array_equal(mixed["price"][picked], tables[0].target)
        np.testing.assert_array_equal(mixed["region"][picked], tables[0].domains)

    def test_two_domains(self, mixed):
        frame = mixed[mixed["region"].isin(["north", "west"])]
        assert "nothing to compare" in prepare(frame).notices[0]

    @pytest.mark.parametrize(
        ("values", "labels"),
        [
            ([2014, 2015], [2014, 2015]),
            ([2014.0, 2015.0], [2014, 2015]),
            ([0.5, 1.5], [0.5, 1.5]),
            ([True, False], [False, True]),
            (pd.Categorical(["b", "a"]), ["a", "b"]),
            (
                pd.to_datetime(["2024-01-01", "2025-01-01"]),
                ["2024-01-01", "2025-01-01"],
            ),
        ],
    )
    def test_labels_of_domains(self, mixed, values, labels):
        mixed["where"] = pd.Series(np.arange(160) % 2).map(dict(enumerate(values)))
        table = prepare(mixed, domain="where")
        assert np.unique(table.domains).tolist() == labels


class TestErrors:
    def test_no_such_column(self, mixed):
        with pytest.raises(StudyError, match=r"target.*'pirce'.*mean 'price'\?"):
            prepare(mixed, target="pirce")
        with pytest.raises(StudyError, match=r"domain.*'Region'.*mean 'region'\?"):
            prepare(mixed, domain="Region")
        with pytest.raises(StudyError, match=r"drop 'qqq'. There are: size, color"):
            prepare(mixed, drop=["qqq"])

    def test_same_column(self, mixed):
        with pytest.raises(StudyError, match="same column, 'region'"):
            prepare(mixed, target="region", domain="region")

    def test_one_domain(self, mixed):
        mixed["region"] = "north"
        with pytest.raises(StudyError, match="single value 'north'"):
            prepare(mixed)

    def test_domains_too_small(self, mixed):
        mixed["key"] = np.arange(160)
        with pytest.raises(StudyError, match=r"160 values, of which 0 .* 20 rows"):
            prepare(mixed, domain="key")

    def test_no_values(self, mixed):
        mixed["nothing"] = np.nan
        with pytest.raises(StudyError, match="'nothing' holds no values"):
            prepare(mixed, target="nothing")
        with pytest.raises(StudyError, match="'nothing' holds no values"):
            prepare(mixed, domain="nothing")

    def test_constant_target(self, mixed):
        mixed["one"] = 1.0
        with pytest.raises(StudyError, match=r"'one' is 1\.0 in all rows"):
            prepare(mixed, target="one")

    def test_dates_as_target(self, mixed):
        with pytest.raises(StudyError, match="'sold' holds dates"):
            prepare(mixed, target="sold")

    def test_infinite_target(self, mixed):
        mixed.loc[0, "price"] = np.inf
        with pytest.raises(StudyError, match="infinite in 1 rows"):
            prepare(mixed)

    def test_whole_numbers_beyond_those_of_floats(self, mixed):
        mixed["y"] = 2**53 + np.arange(160) % 2
        with pytest.raises(StudyError, match=rf"'y' .* such as {2**53 + 1}\. If they"):
            prepare(mixed, target="y")
        mixed["y"] = 2**53 - np.arange(160) % 2
        assert set(prepare(mixed, target="y").target) == {str(2**53 - 1), str(2**53)}

    def test_lists_as_target(self, mixed):
        mixed["tags"] = [["a"]] * 160
        with pytest.raises(StudyError, match="'tags' holds lists"):
            prepare(mixed, target="tags")

    def test_regression_on_text(self, mixed):
        with pytest.raises(StudyError, match=r"holds text such as '(yes|no)'"):
            prepare(mixed, target="dear", task="regression")

    def test_too_many_classes(self, mixed):
        mixed["name"] = [f"n{i % 100}" for i in range(160)]
        with pytest.raises(StudyError, match="100 different values in 160 rows"):
            prepare(mixed, target="name")
        with pytest.raises(StudyError, match="too many for classes"):
            prepare(mixed, task="classification")

    @pytest.mark.parametrize("form", ["$1,{:03}", "{:.1f} %", "1'{:03} \u20ac", "{},5"])
    def test_numbers_that_are_not_written_as_such(self, mixed, form):
        values = [form.format(i % 100) for i in range(160)]
        mixed["cost"] = values
        with pytest.raises(StudyError) as caught:
            prepare(mixed, target="cost")
        assert "too many for classes. Nearly all values are numbers" in str(
            caught.value
        )
        assert f"1234.5, such as {values[0]!r}." in str(caught.value)
        told = f"and so taken for text: cost (such as {values[0]!r})."
        assert told in " ".join(prepare(mixed).notices)
        # Of text that names the rows, too.
        mixed["cost"] = [form.format(i) for i in range(160)]
        assert told in " ".join(prepare(mixed).notices)

    def test_a_few_words_between_numbers_are_told(self, mixed):
        mixed["dose"] = [str(i % 50) for i in range(155)] + ["unknown"] * 5
        told = "and so taken for text: dose (such as 'unknown')."
        assert told in " ".join(prepare(mixed).notices)
        mixed["dose"] = pd.Categorical(np.arange(160) % 7)
        assert "dose" not in " ".join(prepare(mixed).notices)

    def test_nothing_to_predict_from(self, mixed):
        with pytest.raises(StudyError, match="no column is left"):
            prepare(mixed[["price", "region"]])


def test_row_numbers_are_left_out_even_if_some_rows_are(mixed):
    mixed["number"] = np.arange(1, 161)
    mixed.loc[::7, "price"] = np.nan
    table = prepare_table(
        mixed, title="t", target="price", domain="region", max_rows=25
    )
    assert "number" not in table.kinds
    assert "Columns that only count the rows left out: number." in table.notices

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What groups may be, what fit says about them, and what a failed fit leaves behind."""

import copy
import datetime
import enum
import inspect
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import torch
from sklearn.exceptions import NotFittedError

from quick_fits import (
    CLASSIFIERS,
    NETWORKS,
    PARTIAL,
    make,
    make_data,
    output,
    snapshot,
)
from skdg import DivergenceError, SingleDomainWarning
from skdg._registry import ESTIMATORS
from skdg.base import encode_groups

# Labels of any kind


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


JANUARY, MARCH = datetime.date(2021, 1, 1), datetime.date(2021, 3, 1)
ODD_INDEX = [7, 7, 0, -1]
LETTERS = list("cabc")
NUMBERS = [30, 10, 20, 30]
MONTHS = pd.to_datetime(["2021-03", "2021-01", "2021-02", "2021-03"])
TUPLES = np.empty(4, dtype=object)
TUPLES[:] = [("b", 1), ("a", 2), ("b", 0), ("b", 1)]

# Of each container, four labels whose order is last, first, second, last.
CONTAINERS = {
    "list of int": NUMBERS,
    "list of str": LETTERS,
    "list of bytes": [b"c", b"a", b"aa", b"c"],
    "list of float": [2.5, -1.0, 1.0, 2.5],
    "list of bool": [True, False, False, True],
    "list of date": [MARCH, JANUARY, datetime.date(2021, 2, 1), MARCH],
    "list of Timestamp": list(MONTHS),
    "list of huge int": [2**70 + 1, 1, 2**70, 2**70 + 1],
    "list of int beyond int64": [2**63 + 1, -1, 2**63, 2**63 + 1],
    "list of int and float": [3, 1, 2.5, 3],
    "tuple of str": tuple(LETTERS),
    "array of int": np.array(NUMBERS),
    "array of uint8": np.array(NUMBERS, dtype=np.uint8),
    "array of float32": np.array(NUMBERS, dtype=np.float32),
    "array of str": np.array(LETTERS),
    "array of StringDType": np.array(LETTERS, dtype=np.dtypes.StringDType()),
    "array of object": np.array(LETTERS, dtype=object),
    "array of tuples": TUPLES,
    "array of datetime64": MONTHS.to_numpy(),
    "strided array": np.repeat(NUMBERS, 2)[::2],
    "Series of int": pd.Series(NUMBERS, index=ODD_INDEX),
    "Series of str": pd.Series(LETTERS, index=ODD_INDEX),
    "Series of object": pd.Series(LETTERS, index=ODD_INDEX, dtype=object),
    "Series of bool": pd.Series([True, False, False, True], index=ODD_INDEX),
    "Series of timestamps": pd.Series(MONTHS, index=ODD_INDEX),
    "Series of timestamps with zone": pd.Series(MONTHS.tz_localize("UTC")),
    "Series of periods": pd.Series(MONTHS.to_period("M")),
    "Series of time differences": pd.Series(pd.to_timedelta(NUMBERS, unit="D")),
    "nullable Int64": pd.Series(NUMBERS, dtype="Int64", index=ODD_INDEX),
    "nullable Float64": pd.Series(NUMBERS, dtype="Float64"),
    "nullable boolean": pd.Series([True, False, False, True], dtype="boolean"),
    "string": pd.Series(LETTERS, dtype="string"),
    "Arrow-backed int": pd.Series(NUMBERS, dtype="int64[pyarrow]"),
    "Arrow-backed str": pd.Series(LETTERS, dtype=pd.ArrowDtype(pa.string())),
    # The order of categories is not that of labels.
    "categories": pd.Series(pd.Categorical(LETTERS, categories=list("cab"))),
    "ordered categories": pd.Categorical(LETTERS, categories=list("cab"), ordered=True),
    "categories of int": pd.Series(NUMBERS, dtype="category", index=ODD_INDEX),
    "Index": pd.Index(LETTERS),
    "MultiIndex": pd.MultiIndex.from_tuples(list(TUPLES)),
    "polars str": pl.Series(LETTERS),
    "polars int": pl.Series(NUMBERS),
    "polars Categorical": pl.Series(LETTERS, dtype=pl.Categorical),
    "polars Enum": pl.Series(LETTERS, dtype=pl.Enum(list("cab"))),
    "polars date": pl.Series([MARCH, JANUARY, datetime.date(2021, 2, 1), MARCH]),
    "pyarrow": pa.array(LETTERS),
    "pyarrow in chunks": pa.chunked_array([["c"], ["a", "b", "c"]]),
    "tensor of int": torch.tensor(NUMBERS),
    "tensor of float": torch.tensor(NUMBERS, dtype=torch.float32),
}


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "s", "ns"])
def test_dates_of_numpy_are_the_labels_of_pandas(unit):
    # Every date is the beginning of a year, so that all units can say it.
    years = np.array(["2021", "2019", "2020", "2021"], dtype=f"datetime64[{unit}]")
    domains, codes = encode_groups(years, 4)
    assert codes.tolist() == [2, 0, 1, 2]
    assert domains.dtype == "datetime64[us]"
    assert domains.tolist() == [datetime.datetime(y, 1, 1) for y in (2019, 2020, 2021)]
    assert set(domains.tolist()) == set(encode_groups(pd.Series(years), 4)[0].tolist())


def test_times_beyond_microseconds_keep_their_unit():
    far = np.array([400_000, 300_000], dtype="datetime64[Y]")
    domains, codes = encode_groups(far, 2)
    np.testing.assert_array_equal(domains[codes], far)
    # How many days a year has is not known of a span.
    spans = np.array([2, 1], dtype="timedelta64[Y]")
    assert encode_groups(spans, 2)[0].dtype == "timedelta64[Y]"


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s"])
@pytest.mark.parametrize("times", [MONTHS, MONTHS - MONTHS[1]], ids=["times", "spans"])
def test_times_are_the_same_labels_in_any_unit(times, unit):
    domains, _ = encode_groups(list(times), 4)
    for container in (np.asarray, pd.Series, pd.Categorical):
        others, _ = encode_groups(container(times.as_unit(unit)), 4)
        assert set(domains.tolist()) == set(others.tolist())


def test_nanoseconds_are_not_rounded():
    times = np.array([1, 2, 1, 3], dtype="datetime64[ns]")
    domains, codes = encode_groups(times, 4)
    np.testing.assert_array_equal(domains[codes], times)


def as_list(groups):
    for method in ("to_pylist", "tolist", "to_list"):
        if hasattr(groups, method):
            return getattr(groups, method)()
    return list(groups)


@pytest.mark.parametrize("groups", CONTAINERS.values(), ids=CONTAINERS)
def test_labels_are_numbered_in_their_order(groups):
    labels = as_list(groups)
    domains, codes = encode_groups(groups, 4)
    assert isinstance(domains, np.ndarray)
    assert codes.dtype == np.intp
    assert domains.shape == (len(set(labels)),)
    assert codes[0] == codes[3] == len(domains) - 1
    for i in range(4):
        for j in range(4):
            assert (codes[i] < codes[j]) == (labels[i] < labels[j])
            assert (codes[i] == codes[j]) == (labels[i] == labels[j])
    # The labels stand in domains, so that they can be looked up with those of new rows.
    kind = domains.dtype.kind
    if kind in "mM":
        np.testing.assert_array_equal(domains[codes], np.asarray(groups))
    else:
        assert [domains[code] for code in codes] == labels
    assert as_list(groups) == labels


def test_labels_of_one_type_give_an_array_of_that_type():
    assert encode_groups(pd.Series([3, 1], dtype="Int64"), 2)[0].dtype == np.int64
    assert encode_groups(pl.Series(["b", "a"]), 2)[0].dtype.kind == "U"
    assert encode_groups(pd.Series(["b", "a"], dtype="category"), 2)[0].dtype == "U1"
    assert encode_groups(MONTHS, 4)[0].dtype.kind == "M"
    assert encode_groups([True, False], 2)[0].dtype == np.bool_


def test_labels_of_several_types_stay_apart():
    groups = [1, "1", 2.5, "a", 1, b"a"]
    domains, codes = encode_groups(groups, 6)
    assert [domains[code] for code in codes] == groups
    assert len(domains) == 5
    assert [type(label) for label in domains] == [bytes, float, int, str, str]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_change_the_order_of_domains(seed):
    groups = np.array([1, "1", 2.5, "a", 0, b"a", "0"], dtype=object)
    domains = encode_groups(groups, 7)[0]
    shuffled = np.random.RandomState(seed).permutation(groups)
    assert encode_groups(shuffled, 7)[0].tolist() == domains.tolist()


def test_equal_labels_are_one_domain_whatever_their_type():
    # As for the keys of a dict.
    domains, codes = encode_groups([1, True, 1.0, np.int64(1)], 4)
    assert len(domains) == 1
    assert codes.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "groups",
    [
        [Color.RED, Color.BLUE, Color.RED],
        [int, str, int],
        pd.MultiIndex.from_tuples([("a", 1), ("a", "x"), ("a", 1)]),
    ],
    ids=["enum", "types", "tuples"],
)
def test_hashable_labels_need_no_order(groups):
    domains, codes = encode_groups(groups, 3)
    assert len(domains) == 2
    assert [domains[code] for code in codes] == list(groups)
    reverse = list(groups)[1:]
    if isinstance(groups, pd.MultiIndex):
        reverse = pd.MultiIndex.from_tuples(reverse)
    assert encode_groups(reverse, 2)[0].tolist() == domains.tolist()


# Missing labels

MISSING = {
    "None in a list of str": ["a", "b", None, "a"],
    "None in a list of int": [1, 2, None, 1],
    "NaN in a list of float": [1.0, 2.0, float("nan"), 1.0],
    "NaN in a list of str": ["a", "b", float("nan"), "a"],
    "NA in a list": ["a", "b", pd.NA, "a"],
    "NaT in a list": [MONTHS[0], MONTHS[1], pd.NaT, MONTHS[0]],
    "NaN in an array": np.array([1.0, 2.0, np.nan, 1.0]),
    "NaN in an array of float32": np.array([1, 2, np.nan, 1], dtype=np.float32),
    "complex NaN": np.array([1.0, 2.0, np.nan, 1j]),
    "NaN in an array of object": np.array(["a", 1, np.nan, "a"], dtype=object),
    "None in an array of object": np.array(["a", 1, None, "a"], dtype=object),
    "NaT in an array": np.array(["2021", "2022", "NaT", "2021"], dtype="M8[Y]"),
    "NaT of a difference": np.array([1, 2, "NaT", 1], dtype="m8[s]"),
    "NaN in StringDType": np.array(
        ["a", "b", np.nan, "a"], dtype=np.dtypes.StringDType(na_object=np.nan)
    ),
    "masked array": np.ma.array([1, 2, 3, 1], mask=[0, 0, 1, 0]),
    "NaN in a Series": pd.Series([1.0, 2.0, np.nan, 1.0], index=ODD_INDEX),
    "None in a Series": pd.Series(["a", "b", None, "a"], index=ODD_INDEX),
    "NaT in a Series": pd.Series([*MONTHS[:2], pd.NaT, MONTHS[0]]),
    "NaT in a Series with zone": pd.Series([*MONTHS[:2], pd.NaT]).dt.tz_localize("UTC"),
    "NaT in periods": pd.Series([*MONTHS[:2], pd.NaT]).dt.to_period("M"),
    "NA in Int64": pd.Series([1, 2, pd.NA, 1], dtype="Int64"),
    "NA in Float64": pd.Series([1, 2, pd.NA, 1], dtype="Float64"),
    "NA in boolean": pd.Series([True, False, pd.NA, True], dtype="boolean"),
    "NA in string": pd.Series(["a", "b", pd.NA, "a"], dtype="string"),
    "NA in categories": pd.Series(["a", "b", None, "a"], dtype="category"),
    "NA in categories of int": pd.Series([1, 2, None, 1], dtype="category"),
    "NA in Arrow-backed int": pd.Series([1, 2, None, 1], dtype="int64[pyarrow]"),
    "NA in Arrow-backed str": pd.Series(
        ["a", "b", None, "a"], dtype=pd.ArrowDtype(pa.string())
    ),
    "null in polars str": pl.Series(["a", "b", None, "a"]),
    "null in polars int": pl.Series([1, 2, None, 1]),
    "NaN in polars": pl.Series([1.0, 2.0, float("nan"), 1.0]),
    "null in polars Categorical": pl.Series(
        ["a", "b", None, "a"], dtype=pl.Categorical
    ),
    "null in polars date": pl.Series([JANUARY, MARCH, None, JANUARY]),
    "null in pyarrow": pa.array(["a", "b", None, "a"]),
    "NaN in a tensor": torch.tensor([1.0, 2.0, float("nan"), 1.0]),
}


@pytest.mark.parametrize("groups", MISSING.values(), ids=MISSING)
def test_a_missing_label_is_an_error_that_names_the_row(groups):
    before = repr(groups)
    with pytest.raises(ValueError, match=r"^groups has a missing value in row 2 "):
        encode_groups(groups, len(groups))
    assert repr(groups) == before


def test_the_first_missing_label_is_named():
    with pytest.raises(ValueError, match="row 0 "):
        encode_groups([None, "a", None], 3)
    with pytest.raises(ValueError, match="row 1 "):
        encode_groups(pd.Series([1.0, np.nan, np.nan], index=[2, 0, 1]), 3)


# Labels in the wrong shape


@pytest.mark.parametrize("n_labels", [0, 1, 3, 5])
@pytest.mark.parametrize(
    "container", [list, np.array, pd.Series, pl.Series, torch.tensor]
)
def test_wrong_length_names_both_lengths(container, n_labels):
    groups = container(list(range(n_labels)))
    with pytest.raises(
        ValueError, match=f"^groups .* has {n_labels} labels, X has 4 rows"
    ):
        encode_groups(groups, 4)


@pytest.mark.parametrize(
    "groups",
    [
        np.ones((4, 1)),
        np.array([list("ab")] * 4),
        [["a"], ["b"], ["a"], ["b"]],
        [("a", 1), ("b", 1), ("a", 1), ("b", 1)],
        pd.DataFrame({"state": LETTERS}),
        pl.DataFrame({"state": LETTERS, "year": NUMBERS}),
        torch.ones(4, 2),
    ],
    ids=["column", "array", "lists", "tuples", "pandas", "polars", "tensor"],
)
def test_two_dimensions_are_an_error_that_shows_the_shape(groups):
    shape = np.asarray(groups).shape
    pattern = rf"^groups must be one-dimensional.* shape \({shape[0]}, {shape[1]}\)"
    with pytest.raises(ValueError, match=pattern):
        encode_groups(groups, 4)


@pytest.mark.parametrize(
    "groups",
    [
        [["a"], ["b", "c"], ["a"], ["b"]],
        [("a", 1), ("b",), ("a", 1), ("b",)],
        [("a", 1), "b", "a", "b"],
        [("a", ("b", 1)), ("a", ("b", 2)), ("a", ("b", 1)), ("a", ("b", 2))],
    ],
    ids=["lists", "tuples", "a tuple", "nested"],
)
def test_ragged_labels_are_an_error_that_names_groups(groups):
    with pytest.raises(ValueError, match=r"^groups must "):
        encode_groups(groups, 4)


@pytest.mark.parametrize(
    "groups",
    ["hospital", b"hospital", 3, np.str_("hospital"), np.float64(1.5)],
    ids=["str", "bytes", "int", "numpy str", "numpy float"],
)
def test_a_single_value_is_an_error_that_shows_it(groups):
    with pytest.raises(ValueError, match=r"^groups must .* single value") as caught:
        encode_groups(groups, 4)
    assert repr(groups) in str(caught.value)


@pytest.mark.parametrize(
    "groups", [np.array("a"), datetime.date(2021, 1, 1), {"a", "b", "c", "d"}, object()]
)
def test_what_holds_no_rows_is_an_error(groups):
    with pytest.raises(ValueError, match=r"^groups must .* label per row"):
        encode_groups(groups, 4)


@pytest.mark.parametrize(
    "groups", [set("abcd"), dict.fromkeys("abcd"), (g for g in "abcd"), {}.keys()]
)
def test_what_holds_labels_in_no_order_of_rows_is_named_by_its_type(groups):
    with pytest.raises(ValueError, match=f"of type {type(groups).__name__}"):
        encode_groups(groups, 4)


def test_no_groups_are_an_error_that_says_where_they_get_lost():
    with pytest.raises(
        ValueError, match=r"^groups is missing: .*set_config\(enable_met"
    ):
        encode_groups(None, 4)


FRAME = pd.DataFrame({"a": list("xyxy"), "b": list("ppqp")})


def test_several_columns_become_labels_as_the_error_says():
    said = r"several columns .*Series\(list\(zip\(a, b"
    with pytest.raises(ValueError, match=said):
        encode_groups(FRAME, 4)
    for tuples in (list(zip(FRAME["a"], FRAME["b"], strict=True)), [("x", 1), "y"] * 2):
        with pytest.raises(ValueError, match=said):
            encode_groups(tuples, 4)
    pairs = pd.Series(list(zip(FRAME["a"], FRAME["b"], strict=True)))
    joined = FRAME["a"] + "/" + FRAME["b"]
    for groups in (pairs, joined):
        domains, codes = encode_groups(groups, 4)
        assert len(domains) == 3
        assert codes.tolist() == [0, 2, 1, 2]


def test_one_column_becomes_labels_as_the_error_says():
    for column in (FRAME[["a"]], FRAME[["a"]].to_numpy(), [["x"], ["y"]] * 2):
        with pytest.raises(ValueError, match=r"\(4, 1\)\. Pass the column itself"):
            encode_groups(column, 4)
    assert encode_groups(FRAME["a"], 4)[1].tolist() == [0, 1, 0, 1]
    assert encode_groups(FRAME.to_numpy()[:, 0], 4)[1].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("label", [{"a": 1}, {1}, ["b"], np.array([1, 2])])
def test_an_unhashable_label_is_an_error_that_names_its_row_and_type(label):
    groups = np.empty(4, dtype=object)
    groups[:] = ["a", "b", "a", "b"]
    groups[2] = label
    pattern = rf"^groups must hold hashable labels; row 2 .*type {type(label).__name__}"
    with pytest.raises(ValueError, match=pattern):
        encode_groups(groups, 4)


# The warning about a single domain


def said(caught):
    """The messages of SingleDomainWarning, each checked for its place."""
    ours = [w for w in caught if issubclass(w.category, SingleDomainWarning)]
    for warning in ours:
        assert Path(warning.filename).name == Path(__file__).name
    return [(warning.lineno, str(warning.message)) for warning in ours]


def line():
    return inspect.currentframe().f_back.f_lineno


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_domain_gives_a_warning_at_the_line_of_the_call(name, routing):
    X, y, _ = make_data(name)
    with (
        sklearn.config_context(enable_metadata_routing=routing),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        make(name).fit(X, y)
        first = line() - 1
        make(name).fit(X, y, groups=["north"] * 30)
        second = line() - 1
    (at_first, none), (at_second, single) = said(caught)
    assert (at_first, at_second) == (first, second)
    assert "groups=None" in none
    assert "'north'" in single
    for message in (none, single):
        assert message.startswith(f"{name}.fit ")
        assert "sklearn.set_config(enable_metadata_routing=True)" in message


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_fit_gives_the_warning_at_the_line_of_the_call(name):
    X, y, _ = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(name).partial_fit(X, y, **classes)
        here = line() - 1
    ((at, message),) = said(caught)
    assert at == here
    assert message.startswith(f"{name}.partial_fit ")


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_two_domains_give_no_warning(name, routing):
    X, y, groups = make_data(name)
    with (
        sklearn.config_context(enable_metadata_routing=routing),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        model = make(name).fit(X, y, groups=np.where(groups == "a", "a", "b"))
        output(model, X)
        if hasattr(model, "score"):
            model.score(X, y)
    assert said(caught) == []
    assert model.domains_.tolist() == ["a", "b"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_domains_of_fit_are_the_sorted_labels(name):
    X, y, groups = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    assert model.domains_.tolist() == ["a", "b", "c"]
    assert model.n_domains_ == 3
    model.fit(X, y, groups=pd.Series(groups == "a", index=range(30, 0, -1)))
    assert model.domains_.tolist() == [False, True]
    assert model.n_domains_ == 2


# A fit that fails


class Interrupt:
    """A callback that raises at the end of the first iteration, or of the fit."""

    def __init__(self, at, error=KeyboardInterrupt):
        self.at = at
        self.error = error

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == self.at:
            raise self.error("stop")


def fail(kind, estimator, data):
    X, y, groups = data
    if kind == "y":
        with pytest.raises(ValueError, match="y"):
            estimator.fit(X, np.full(len(y), np.nan), groups=groups)
    elif kind == "X":
        with pytest.raises(ValueError, match="X contains infinity"):
            estimator.fit(np.where(X > 0, np.inf, X), y, groups=groups)
    elif kind == "groups":
        with pytest.raises(ValueError, match="missing value in row 29"):
            estimator.fit(X, y, groups=[*groups[:-1], None])
    elif kind == "sample_weight":
        with pytest.raises(ValueError, match="sample_weight"):
            estimator.fit(np.hstack([X, X]), y, groups, sample_weight=[1.0])
    elif kind == "parameter":
        estimator.set_params(max_iter=-1)
        with pytest.raises(ValueError, match="'max_iter' parameter"):
            estimator.fit(X, y, groups=groups)
        estimator.set_params(max_iter=3)
    elif kind == "divergence":
        old = estimator.get_params()
        estimator.set_params(optimizer="sgd", learning_rate_init=1e8, max_iter=60)
        with pytest.raises(DivergenceError):
            estimator.fit(X, y, groups=np.where(groups == "a", 1, 2))
        estimator.set_params(**old)
    else:
        estimator.set_callbacks(Interrupt(kind))
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(np.hstack([X, X]), y, groups=np.where(groups == "a", 1, 2))
        estimator.set_callbacks()


ANY_FAILURE = ["X", "y", "groups", "sample_weight"]
NETWORK_FAILURE = ["parameter", "divergence", "iteration", "fit"]
FAILURES = [(name, kind) for name in ESTIMATORS for kind in ANY_FAILURE]
FAILURES += [(name, kind) for name in NETWORKS for kind in NETWORK_FAILURE]


@pytest.mark.parametrize(("name", "kind"), FAILURES)
def test_a_failed_fit_leaves_a_fitted_estimator_as_it_was(name, kind):
    X, y, groups = data = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    before, predicted = snapshot(model), output(model, X)
    fail(kind, model, data)
    assert snapshot(model) == before
    np.testing.assert_array_equal(output(model, X), predicted)


@pytest.mark.parametrize(("name", "kind"), FAILURES)
def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted(name, kind):
    data = make_data(name)
    model = make(name)
    before = snapshot(model)
    fail(kind, model, data)
    assert snapshot(model) == before
    with pytest.raises(NotFittedError):
        output(model, data[0])


@pytest.mark.parametrize("name", PARTIAL)
def test_a_failed_partial_fit_leaves_the_estimator_as_it_was(name):
    X, y, groups = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model = make(name).partial_fit(X, y, groups=groups, **classes)
    before, expected = snapshot(model), copy.deepcopy(model)
    for at in ("iteration", "fit"):
        model.set_callbacks(Interrupt(at))
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X, y, groups=groups)
        model.set_callbacks()
        assert snapshot(model) == before
    # It goes on as if nothing had happened.
    model.partial_fit(X, y, groups=groups)
    expected.partial_fit(X, y, groups=groups)
    assert snapshot(model) == snapshot(expected)


@pytest.mark.parametrize("at", ["iteration", "fit"])
@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in CLASSIFIERS])
def test_a_failed_fit_leaves_the_number_of_targets_as_it_was(name, at):
    X, y, groups = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    predicted = model.predict(X)
    model.set_callbacks(Interrupt(at))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, np.column_stack([y, y]), groups=groups)
    assert model.predict(X).shape == predicted.shape
    np.testing.assert_array_equal(model.predict(X), predicted)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_groups_are_requested_by_default(name):
    requests = make(name).get_metadata_routing()
    assert requests.fit.requests["groups"] is True
    assert requests.fit.requests["sample_weight"] is None
    if name in PARTIAL:
        assert requests.partial_fit.requests["groups"] is True

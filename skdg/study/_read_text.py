# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Read a table from text: what separates its fields, and how numbers are written."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from skdg.study._errors import StudyError
from skdg.study._numbers import NEARLY_ALL

# A number with a comma before its decimals, and perhaps points between thousands.
_WITH_COMMA = r"[-+]?(?:(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?|,\d+)"
# In "1,234" the comma may as well stand between thousands; in these it cannot.
_SURELY_WITH_COMMA = r".*,(?:\d{1,2}|\d{4,})"

# Where a number of a column is like this, points stand between thousands.
_WITHIN = r".*,.*|.*\..*\..*"

# What pandas takes for a missing value, unless it is told not to.
_WORDS = (
    *("NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "None", "NULL", "null"),
    *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)


def read_text(source: str, compression: str | None) -> pd.DataFrame:
    """Read a table from text, separated by commas, or else by semicolons or tabs.

    Parameters
    ----------
    source : str
        A file or URL.

    compression : str or None
        The compression. Said, since behind an address with a query pandas does not see
        it.

    Returns
    -------
    DataFrame
        The table. Between words only an empty field is missing, since NA or None may be
        the name of a domain or of a class. Between numbers such words are missing, too.

    Raises
    ------
    StudyError
        If rows have more fields than the header.
    """
    options: dict[str, Any] = {
        "low_memory": False,
        "compression": compression,
        "keep_default_na": False,
        "na_values": [""],
    }
    header = [str(name) for name in pd.read_csv(source, nrows=0, **options).columns]
    if len(header) > 1 or not any(mark in header[0] for mark in ";\t"):
        return _without_words(_read_rows(source, **options))
    options["sep"] = ";" if ";" in header[0] else "\t"
    frame = _read_rows(source, **options)
    if any(_has_commas(frame[n], _SURELY_WITH_COMMA) for n in _text_columns(frame)):
        commas = _read_rows(source, decimal=",", **options)
        frame = _without_points(commas, frame)
    return _without_words(frame)


def _without_points(commas: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return the table as read with decimal commas, or else with points.

    Numbers of a column with points are in one of two ways. Where some have a comma as
    well, the points stand between thousands. Otherwise they stand before decimals, as
    in all columns of the table unless each has three digits behind it.
    """
    for name in _text_columns(commas):
        if _has_commas(commas[name], _WITHIN):
            commas[name] = _with_points(commas[name])
        elif pd.api.types.is_numeric_dtype(points[name]):
            values = commas[name].dropna().str.strip()
            if not values.str.fullmatch(_WITH_COMMA).all():
                return points
            commas[name] = points[name]
    return commas


def _read_rows(source: str, **options: Any) -> pd.DataFrame:
    """Read rows, which may end with separators, but not have more than the header."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # Else the first field of rows that are longer would become an index.
            return pd.read_csv(source, index_col=False, **options)
        except pd.errors.ParserWarning:  # some are longer by more than an empty field
            frame = pd.read_csv(source, **options)
    n_columns = frame.shape[1]
    fields = [frame.index.to_frame(index=False), frame.reset_index(drop=True)]
    there = pd.concat(fields, axis=1).notna().to_numpy()
    too_long = there[:, n_columns:].any(axis=1)
    if too_long.any():
        row = int(np.argmax(too_long))
        raise StudyError(
            f"{source}: row {row + 1} after the header has "
            f"{np.flatnonzero(there[row])[-1] + 1} fields, but the header names "
            f"{n_columns} columns. Give each column a name, the first one too."
        )
    return pd.read_csv(source, index_col=False, usecols=range(n_columns), **options)


def _without_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Make numbers of columns that hold nothing but numbers and such words.

    And so for truth values, of which no word is a third one.
    """
    truths = {"true": True, "false": False}
    for name in _text_columns(frame):
        values = frame[name].where(~frame[name].isin(_WORDS))
        lower = values.str.lower()
        if lower.notna().any() and lower.dropna().isin(list(truths)).all():
            frame[name] = lower.map(truths).astype(object)
            continue
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().sum() == values.notna().sum() > 0:
            frame[name] = numbers
    return frame


def _text_columns(frame: pd.DataFrame) -> list[Any]:
    return [n for n in frame if pd.api.types.infer_dtype(frame[n]) == "string"]


def _has_commas(column: pd.Series, some: str) -> bool:
    """Tell whether nearly all values are numbers with decimal commas.

    Some of them must be of the form that is asked for.
    """
    values = column.dropna().astype(str).str.strip()
    numbers = values.str.fullmatch(_WITH_COMMA)
    return bool(
        numbers.mean() >= NEARLY_ALL and values[numbers].str.fullmatch(some).any()
    )


def _with_points(column: pd.Series) -> pd.Series:
    """Write numbers with decimal commas as others do; leave all else."""
    values = column.str.strip()
    plain = values.str.replace(".", "").str.replace(",", ".")
    return plain.where(values.str.fullmatch(_WITH_COMMA, na=False), column)

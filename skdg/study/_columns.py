# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Find out what the columns of a table are: numbers, categories or dates."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
from skrub import Cleaner

from skdg.study._errors import StudyError
from skdg.study._numbers import written_number

# A text column of which more than this share of rows have a value of their own names
# the rows, and says nothing about any other row.
_IDENTIFIER_SHARE = 0.9
# Words for missing values that may as well name a class.
_NAMES = {"na", "none", "null"}


def _clean(frame: pd.DataFrame, *, drop_if_constant: bool) -> pd.DataFrame:
    """Parse numbers, dates and words for missing values in columns of text."""
    cleaner = Cleaner(
        drop_if_constant=drop_if_constant, parse_numbers=True, cast_to_str=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # guesses about the format of dates
        return cleaner.fit_transform(frame)


def _plain(column: pd.Series) -> pd.Series | None:
    """Turn the types that only some file formats know into common ones.

    Returns None for a column whose fields are themselves lists or tables.
    """
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds()
    values = column.dropna()
    first = values.iloc[0] if len(values) else None
    if isinstance(first, Decimal):
        return column.astype("float64")
    if isinstance(first, (list, tuple, set, dict, np.ndarray)):
        return None
    if isinstance(first, (complex, np.complexfloating)):
        return None
    return column


def clean_target(column: pd.Series, task: str | None, notices: list[str]) -> pd.Series:
    """Return the target as floats or text.

    Parameters
    ----------
    column : Series
        The column as read.

    task : {"classification", "regression"} or None
        What it asks for, if that was said.

    notices : list of str
        Gets a sentence if words for missing values are taken for classes.

    Returns
    -------
    Series
        Floats with nan for missing values, or text.

    Raises
    ------
    StudyError
        If it is neither.
    """
    name = column.name
    plain = _plain(column)
    if plain is None:
        raise StudyError(f"target {name!r} holds {type(column.iloc[0]).__name__}s.")
    cleaned = _clean(plain.to_frame(), drop_if_constant=False)
    if cleaned.shape[1] == 0:
        raise StudyError(f"column {name!r} holds no values.")
    cleaned = cleaned.iloc[:, 0]
    if pd.api.types.is_datetime64_any_dtype(cleaned.dtype):
        # A column of years is read as dates, if it is text.
        raise StudyError(
            f"target {name!r} holds dates. Turn them into the number to predict, such "
            f"as days since an event."
        )
    if pd.api.types.is_numeric_dtype(cleaned.dtype):
        numbers = cleaned.astype("float64")
        # Two numbers of a regression may be one, if they are so near to each other.
        if task != "regression" and numbers.nunique() < cleaned.nunique():
            raise StudyError(
                f"target {name!r} holds whole numbers that differ in digits which a "
                f"float does not have, such as {cleaned.abs().max()}. If they name "
                f"classes, write them as text, with a letter before the number; "
                f"--task regression takes them for numbers."
            )
        if np.isinf(numbers).any():
            raise StudyError(
                f"target {name!r} is infinite in {int(np.isinf(numbers).sum())} rows."
            )
        return numbers
    words = plain.astype(str)
    kept = plain.notna() & words.str.strip().str.lower().isin(_NAMES)
    _tell_of_words(plain, kept, notices)
    return cleaned.where(~kept, words).astype(object)


def clean_domain(column: pd.Series, notices: list[str]) -> pd.Series:
    """Return the domains, with missing values where a word stands for them.

    Parameters
    ----------
    column : Series
        The column as read.

    notices : list of str
        Gets a sentence if words for missing values are taken for domains.

    Returns
    -------
    Series
        The column, or what was found in it.
    """
    if _plain(column) is None:
        return column
    frame = _clean(column.to_frame(), drop_if_constant=False)
    if frame.shape[1] == 0:
        return column
    cleaned = frame.iloc[:, 0]
    # Blanks alone are no word.
    words = column.notna() & (column.astype(str).str.strip() != "")
    kept = cleaned.isna() & words
    if pd.api.types.is_string_dtype(cleaned.dtype):
        _tell_of_words(column, kept, notices)
        return column.where(words)
    return column.where(~kept)


def _tell_of_words(column: pd.Series, kept: pd.Series, notices: list[str]) -> None:
    """Say which words for missing values are taken for names.

    Between numbers they mean that a value is missing. Between other words nobody can
    tell, and to leave rows out would be the worse mistake.
    """
    words = column[kept].astype(str).str.strip()
    counts = words.value_counts(sort=False).items()
    shown = ", ".join(f"{word!r} ({count} rows)" for word, count in counts)
    if shown:
        notices.append(
            f"{column.name} holds {shown}, taken for a name like the others. Leave the "
            f"field empty where it means that the value is missing."
        )


def clean_features(
    frame: pd.DataFrame, notices: list[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the useful columns, each as floats, text or dates, and what they are.

    Types are found on all rows, since a table has its types before it is split. What is
    computed from values, such as means and categories, is left to the preprocessor.

    Parameters
    ----------
    frame : DataFrame
        The columns as read.

    notices : list of str
        Gets a sentence for each reason to leave columns out.

    Returns
    -------
    features : DataFrame
        The columns that are left.

    kinds : dict of str to {"number", "category", "date"}
        The kind of each.
    """
    frame = frame.reset_index(drop=True)
    nested = []
    plain = {}
    for name in frame.columns:
        column = _plain(frame[name])
        if column is None:
            nested.append(name)
        else:
            plain[name] = column
    cleaned = _clean(pd.DataFrame(plain), drop_if_constant=True) if plain else frame[[]]
    kinds: dict[str, str] = {}
    columns: dict[str, pd.Series] = {}
    names_rows = []
    numbers_as_text = []
    for name in cleaned.columns:
        column = cleaned[name]
        written = ""
        if pd.api.types.is_string_dtype(column.dtype):
            written = written_number(column)
        if written:
            numbers_as_text.append(f"{name} (such as {written!r})")
        if _names_rows(column):
            names_rows.append(name)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            numbers = column.astype("float64")
            columns[name] = numbers.where(np.isfinite(numbers))
            kinds[name] = "number"
        elif pd.api.types.is_datetime64_any_dtype(column.dtype):
            columns[name] = column
            kinds[name] = "date"
        else:
            columns[name] = column.astype(object).where(column.notna(), None)
            kinds[name] = "category"
    for reason, names in {
        "with one value or none": [c for c in plain if c not in cleaned.columns],
        "that only name the rows": names_rows,
        "whose fields are lists or tables": nested,
    }.items():
        if names:
            notices.append(f"Columns {reason} left out: {', '.join(names)}.")
    if numbers_as_text:
        notices.append(
            f"Columns of numbers that are not all written like 1234.5, and so taken "
            f"for text: {', '.join(numbers_as_text)}."
        )
    return pd.DataFrame(columns, index=frame.index), kinds


def counts_rows(column: pd.Series) -> bool:
    """Tell whether a column counts the rows.

    Parameters
    ----------
    column : Series
        A column of the whole table: of some rows it would no longer count them.

    Returns
    -------
    bool
        Whether it holds integers, each one more than the last.
    """
    return (
        pd.api.types.is_integer_dtype(column.dtype)
        and not column.isna().any()
        and bool((np.diff(column) == 1).all())
    )


def _names_rows(column: pd.Series) -> bool:
    """Tell whether a column is text that is different in each row."""
    values = column.dropna()
    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    return values.nunique() > _IDENTIFIER_SHARE * len(column)

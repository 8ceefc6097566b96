# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Find numbers that are written as people write them, and so are text to a program."""

import pandas as pd

# This share of the values of a column says what the column is.
NEARLY_ALL = 0.9

# Signs that stand beside or within a number; blanks and points before three digits.
_SIGNS = r"[,%$€£'\u2019\s]|\.(?=\d{3})"
_NUMBER = r"[-+]?\d*\.?\d+"


def written_number(column: pd.Series) -> str:
    """Return a value that keeps a column of numbers from being one.

    Parameters
    ----------
    column : Series
        A column of text.

    Returns
    -------
    str
        The first value that is no plain number, if nearly all values are numbers but
        for signs, blanks and commas; else nothing.
    """
    values = column.dropna().astype(str)
    numbers = values.str.replace(_SIGNS, "", regex=True).str.fullmatch(_NUMBER)
    if len(values) == 0 or numbers.mean() < NEARLY_ALL:
        return ""
    plain = values.str.strip().str.fullmatch(_NUMBER)
    return "" if plain.all() else values[~plain].iloc[0]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Find out what a target asks for: classes, or a number."""

from typing import Any

import numpy as np
import pandas as pd

from skdg.study._errors import StudyError
from skdg.study._numbers import written_number

# Whole numbers with at most this many values are taken for classes.
_MAX_WHOLE_CLASSES = 10


def as_target(
    column: pd.Series, task: str | None, notices: list[str]
) -> tuple[np.ndarray, str]:
    """Return the targets, and what they ask for.

    Parameters
    ----------
    column : Series
        The target, without missing values: floats or text.

    task : {"classification", "regression"} or None
        What it asks for; None finds out.

    notices : list of str
        Gets a sentence if that is a guess.

    Returns
    -------
    target : ndarray
        Floats, or class labels as text.

    task : {"classification", "regression"}
        What it asks for.

    Raises
    ------
    StudyError
        If it cannot be that.
    """
    name = column.name
    values: Any = np.asarray(column)
    numeric = values.dtype.kind == "f"
    written = "" if numeric else written_number(column)
    mend = ""
    if written:
        mend = (
            f" Nearly all values are numbers, but not all are written like 1234.5, "
            f"such as {written!r}."
        )
    distinct = len(np.unique(values))
    if distinct == 1:
        raise StudyError(
            f"target {name!r} is {values[0]} in all rows, so there is nothing to learn."
        )
    if task is None:
        whole = numeric and bool(np.all(values == np.floor(values)))
        few = whole and distinct <= _MAX_WHOLE_CLASSES
        task = "regression" if numeric and not few else "classification"
        if few and distinct > 2:
            notices.append(
                f"{name} holds {distinct} whole numbers, taken for classes; "
                f"--task regression treats them as numbers."
            )
    if task == "regression":
        if not numeric:
            raise StudyError(
                f"target {name!r} holds text such as {values[0]!r}, so it cannot be "
                f"used for regression.{mend}"
            )
        return values, task
    if distinct > max(_MAX_WHOLE_CLASSES, len(values) // 10):
        raise StudyError(
            f"target {name!r} has {distinct} different values in {len(values)} rows, "
            f"too many for classes.{mend}"
        )
    if mend:
        notices.append(f"{name} holds text, taken for classes.{mend}")
    if numeric:
        # In full: with fewer digits different numbers would become one class.
        values = [int(v) if v == np.floor(v) else v for v in values.tolist()]
    return np.array([str(value) for value in values]), task

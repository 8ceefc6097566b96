# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Numbers of tasks: in which order they are solved, and whose model predicts a row."""

import warnings
from typing import Any

import numpy as np

from skdg._label_lookup import (
    differ_in_kind,
    find_labels,
    label_values,
    listed,
    types_of,
)
from skdg.base import encode_groups


def number_tasks(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number tasks in the order in which the data first name them.

    So other labels for the same domains give the same model, bit for bit.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        The number of each row's domain.

    Returns
    -------
    present : ndarray of shape (n_tasks,)
        The numbers that occur, sorted.

    order : ndarray of shape (n_tasks,)
        For each task its position in `present`.

    tasks : ndarray of shape (n_rows,)
        The task of each row.
    """
    present, first, positions = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return present, order, np.argsort(order)[positions]


def row_tasks(groups: Any, domains: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the position of each row's domain among those of the fit.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
        The domain of each row.

    domains : ndarray of shape (n_tasks,)
        The domains of the fit.

    n_rows : int
        The number of rows.

    Returns
    -------
    ndarray of shape (n_rows,)
        Numbers of tasks, -1 where the domain is unknown: there the model that belongs
        to no task predicts.

    Warns
    -----
    UserWarning
        If labels are of a type that no domain of the fit has. It points to the caller
        of the caller's caller, the user's call of a method that predicts.
    """
    if groups is None:
        return np.full(n_rows, -1)
    encoded, codes = encode_groups(groups, n_rows)
    labels, known = label_values(encoded), label_values(domains)
    # A fit to one domain has warned, and may have had no labels at all.
    if len(known) > 1 and differ_in_kind(labels, known):
        warnings.warn(
            f"groups holds labels of type {types_of(labels)} ({listed(labels)}), but "
            f"the model was fitted to labels of type {types_of(known)} "
            f"({listed(known)}), so that it knows none of these domains, and predicts "
            f"all rows by the model that they share. Pass labels of the type of fit.",
            UserWarning,
            stacklevel=4,
        )
    return find_labels(labels, known)[codes]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Labels of domains: what they may be, and how they are numbered."""

from typing import Any

import numpy as np

_JOIN = (
    "To use several columns as the domain, join them into one label per row first, as "
    'pandas.Series(list(zip(a, b))) or X["a"] + "/" + X["b"].'
)


def _as_labels(groups: Any) -> np.ndarray:
    """Turn any container of labels into a one-dimensional array, losing no label."""
    if groups is None:
        raise ValueError(
            "groups is missing: pass one domain label per row, groups=domains. Inside "
            "a scikit-learn search, cross-validation or pipeline they arrive only with "
            "metadata routing: sklearn.set_config(enable_metadata_routing=True)."
        )
    if isinstance(groups, (str, bytes)) or np.isscalar(groups):
        raise ValueError(
            f"groups must hold one domain label per row, got the single value "
            f"{groups!r}. To use a column of a data frame, pass the column itself, "
            f"for example groups=X[{groups!r}]."
        )
    if np.ma.isMaskedArray(groups):
        labels = np.array(groups.data, dtype=object)
        labels[np.ma.getmaskarray(groups)] = None
        return labels
    if isinstance(groups, (list, tuple)):
        types = {type(label) for label in groups}
        # numpy would turn [1, "1"] into two equal strings.
        if len(types) > 1 and types.isdisjoint({list, tuple, np.ndarray}):
            return _as_objects(groups)
    try:
        labels = np.asarray(groups)
    except ValueError as error:
        raise ValueError(
            f"groups must be one-dimensional, with one domain label per row: {error} "
            f"{_JOIN}"
        ) from error
    if labels.dtype.kind == "f" and isinstance(groups, list) and types == {int}:
        return _as_objects(groups)  # integers that only fit into a float, rounded
    if labels.ndim == 0:
        raise ValueError(
            f"groups must be a list, an array or a column, with one domain label per "
            f"row; got an object of type {type(groups).__name__}."
        )
    if labels.ndim > 1:
        advice = _JOIN
        if labels.shape[1:] == (1,):
            advice = 'Pass the column itself, such as X["a"] or X[:, 0].'
        raise ValueError(
            f"groups must be one-dimensional, with one domain label per row; got an "
            f"array of shape {labels.shape}. {advice}"
        )
    return labels


def in_microseconds(times: np.ndarray) -> np.ndarray:
    """Return times in the unit of Python's own, if they are whole numbers of it.

    So the labels of one time are equal, whatever the unit they came in: of others
    ``tolist`` makes dates or plain integers.
    """
    unit = np.dtype(f"{times.dtype.kind}8[us]")
    # How long a month or a year lasts, numpy can only guess.
    if not np.can_cast(times.dtype, unit, "same_kind"):
        return times
    converted = times.astype(unit)
    back = converted.astype(times.dtype)
    return converted if np.array_equal(back, times, equal_nan=True) else times


def _as_objects(groups: Any) -> np.ndarray:
    labels = np.empty(len(groups), dtype=object)
    labels[:] = groups
    return labels


def _is_missing(label: Any) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # nor has an array, which is no label either
        return False


def _first_missing(labels: np.ndarray) -> int | None:
    if labels.dtype.kind in "fc":
        missing = np.isnan(labels)
    elif labels.dtype.kind in "mM":
        missing = np.isnat(labels)
    elif labels.dtype.kind in ("O", "T"):
        missing = np.array([_is_missing(label) for label in labels], dtype=bool)
    else:
        return None
    return int(np.argmax(missing)) if missing.any() else None


def _sorted_by_type(labels: list[Any]) -> list[Any]:
    """Sort labels that have no order among them: by type, then by value or name."""
    try:
        return sorted(labels, key=lambda label: (type(label).__name__, label))
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, repr(label)))


def _sorted_unique(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted distinct labels and each row's position among them."""
    if labels.dtype.kind != "O":
        return np.unique(labels, return_inverse=True)
    first_rows: dict[Any, int] = {}
    for row, label in enumerate(labels):
        try:
            first_rows.setdefault(label, row)
        except TypeError:
            raise ValueError(
                f"groups must hold hashable labels; row {row} holds "
                f"{label!r} of type {type(label).__name__}."
            ) from None
    try:
        ordered = sorted(first_rows)
    except TypeError:
        ordered = _sorted_by_type(list(first_rows))
    if len({type(label) for label in ordered}) == 1 and not isinstance(
        ordered[0], tuple
    ):
        domains = np.array(ordered)
    else:
        domains = np.empty(len(ordered), dtype=object)
        domains[:] = ordered
    position = {label: index for index, label in enumerate(ordered)}
    codes = np.fromiter((position[label] for label in labels), np.intp, len(labels))
    return domains, codes


def encode_groups(groups: Any, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Check domain labels and number them.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        The domain of each row: any hashable labels (integers, strings, categories,
        timestamps) in a list, an array, or a pandas or polars column.

    n_samples : int
        The number of rows that the labels must match.

    Returns
    -------
    domains : ndarray of shape (n_domains,)
        The distinct labels, sorted. Times of numpy are in microseconds, whatever their
        unit was, unless they are no whole number of these.

    codes : ndarray of shape (n_samples,)
        For each row the position of its label in `domains`.

    Raises
    ------
    ValueError
        If the labels are not one-dimensional, too few or too many, missing, or not
        hashable. The message names the problem and, where there is one, the row.

    Examples
    --------
    >>> from skdg.base import encode_groups
    >>> encode_groups(["north", "south", "north"], 3)
    (array(['north', 'south'], dtype='<U5'), array([0, 1, 0]))
    """
    labels = _as_labels(groups)
    if len(labels) != n_samples:
        raise ValueError(
            f"groups must hold one domain label per row of X: groups has "
            f"{len(labels)} labels, X has {n_samples} rows."
        )
    row = _first_missing(labels)
    if row is not None:
        raise ValueError(
            f"groups has a missing value in row {row} ({labels[row]!r}). Every row "
            f"needs a domain: drop such rows or give them a label of their own."
        )
    domains, codes = _sorted_unique(labels)
    if domains.dtype.kind in "mM":
        domains = in_microseconds(domains)
    return domains, codes

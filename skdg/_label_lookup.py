# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Looking labels of domains up among others, whatever holds them."""

import datetime
import warnings
from collections.abc import Collection, Hashable, Iterable, Sequence
from numbers import Number

import numpy as np

from skdg._labels import in_microseconds

# Labels of different types can be equal only within one of these. Spans come before
# numbers, since to numpy they are such.
_KINDS = (
    (datetime.timedelta, np.timedelta64),
    (datetime.date, np.datetime64),
    Number,
    str,
)
_N_LISTED = 5


def label_values(domains: np.ndarray) -> list[Hashable]:
    """Return labels as Python's values, but times as numpy's, which print as times."""
    return list(domains) if domains.dtype.kind in "mM" else domains.tolist()


def find_labels(labels: Iterable[Hashable], known: Iterable[Hashable]) -> np.ndarray:
    """Return for each label its position among those that are known, or -1."""
    places = {_key(label): place for place, label in enumerate(known)}
    found = [places.get(_key(label), -1) for label in labels]
    return np.array(found, dtype=np.intp)


def _key(label: Hashable) -> Hashable:
    """Return what is equal, and has the same hash, for all labels of one time.

    Times of numpy need not have the hash of pandas' own, and a date is its midnight,
    since that is what numpy and pandas make of it.
    """
    if isinstance(label, np.datetime64 | np.timedelta64):
        value = in_microseconds(np.asarray(label)).item()
        return label if isinstance(value, int) else value
    if type(label) is datetime.date:
        return datetime.datetime.combine(label, datetime.time())
    return label


def differ_in_kind(some: Iterable[Hashable], others: Iterable[Hashable]) -> bool:
    """Whether none of some labels could equal one of others, by their types alone."""
    kinds = [{_kind(label) for label in labels} for labels in (some, others)]
    return kinds[0].isdisjoint(kinds[1])


def _kind(label: Hashable) -> Hashable:
    return next((kind for kind in _KINDS if isinstance(label, kind)), type(label))


def types_of(labels: Iterable[Hashable]) -> str:
    """Return the names of the labels' types."""
    return " or ".join(sorted({type(label).__name__ for label in labels}))


def listed(labels: Sequence[Hashable]) -> str:
    """Return the first labels for a message, so that 1 and "1" look different."""
    more = ", ..." if len(labels) > _N_LISTED else ""
    return ", ".join(map(repr, labels[:_N_LISTED])) + more


def labels_seen(seen: Collection[Hashable]) -> list[Hashable]:
    """Return the labels of the domains that were seen, from any collection of them."""
    if isinstance(seen, str | bytes) or not isinstance(seen, Iterable):
        raise TypeError(
            f"seen must be a collection of labels, got {seen!r}. Pass that of a single "
            f"domain as seen=[{seen!r}]."
        )
    # A Series is a collection of its values, though `in` looks at its index.
    return label_values(np.asarray(seen)) if hasattr(seen, "__array__") else list(seen)


def warn_of_other_type(
    seen: Sequence[Hashable], labels: Sequence[Hashable], stacklevel: int
) -> None:
    """Warn if domains were seen, but their labels are of another type than these.

    That none of them is here is the ordinary case: rows of domains held out.
    """
    if len(seen) and differ_in_kind(labels, seen):
        warnings.warn(
            f"groups holds labels of type {types_of(labels)} ({listed(labels)}), but "
            f"those seen in training are of type {types_of(seen)} ({listed(seen)}): "
            f"all count as unseen. Pass labels of one type.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )

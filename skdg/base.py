# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What all estimators share: the meaning of ``groups``, and nothing else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    validate_data,
)

from skdg import __version__
from skdg.exceptions import SingleDomainWarning

__all__ = ["DomainEstimator", "encode_groups"]


_SINGLE_DOMAIN = (
    "{name}.{method} {cause}, so it treats all rows as one domain and has nothing to "
    "share between domains. Pass {method}(X, y, groups=domains). Inside a scikit-learn "
    "search, cross-validation or pipeline, groups reach it only with metadata routing "
    "turned on: sklearn.set_config(enable_metadata_routing=True)."
)


def _as_labels(groups: Any) -> np.ndarray:
    """Turn any container of labels into a one-dimensional array, losing no label."""
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
            f"groups must be one-dimensional, with one domain label per row: {error}"
        ) from error
    if labels.dtype.kind == "f" and isinstance(groups, list) and types == {int}:
        return _as_objects(groups)  # integers that only fit into a float, rounded
    if labels.dtype in ("datetime64[ns]", "timedelta64[ns]"):
        labels = _as_microseconds(labels)
    if labels.ndim != 1:
        raise ValueError(
            f"groups must be one-dimensional, with one domain label per row; got an "
            f"array of shape {labels.shape}. To use several columns as the domain, "
            f"join them into one label per row first."
        )
    return labels


def _as_microseconds(times: np.ndarray) -> np.ndarray:
    """Return times in a unit in which they equal Timestamps, if they are whole in it.

    In nanoseconds, ``tolist`` makes them plain integers.
    """
    converted = times.astype(f"{times.dtype.kind}8[us]")
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
        The distinct labels, sorted.

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
    return _sorted_unique(labels)


class DomainEstimator(BaseEstimator):
    """Base of all estimators: they take ``groups`` in ``fit`` and know their domains.

    Attributes
    ----------
    domains_ : ndarray of shape (n_domains,)
        The labels of the domains seen in fit, sorted.

    n_domains_ : int
        Number of domains seen in fit.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.base import DomainEstimator
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = ERMClassifier(max_iter=5).fit(X, y, groups=groups)
    >>> isinstance(model, DomainEstimator)
    True
    >>> model.domains_.tolist()
    ['test', 'train_1', 'train_2']
    """

    # Without this default every user of a Pipeline or a search would have to call
    # set_fit_request(groups=True) on each estimator.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _doc_link_module = "skdg"
    _doc_link_template = (
        "https://skdg.readthedocs.io/en/latest/api/"
        "{estimator_module}.{estimator_name}.html"
    )

    def _encode_domains(
        self, X: Any, groups: Any, method: str = "fit"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number the domains of the rows of X; warn when there is only one.

        The warning points to the user's call of `method`: fit calls this function, and
        partial_fit a function that does; both are decorated.
        """
        stacklevel = 4 if method == "fit" else 5
        n_samples = _num_samples(X)
        name = type(self).__name__
        if groups is None:
            message = _SINGLE_DOMAIN.format(
                name=name, method=method, cause="got groups=None"
            )
            warnings.warn(message, SingleDomainWarning, stacklevel=stacklevel)
            return np.zeros(1, dtype=np.intp), np.zeros(n_samples, dtype=np.intp)
        domains, codes = encode_groups(groups, n_samples)
        if len(domains) == 1:
            cause = f"found the single label {str(domains[0])!r} in groups"
            message = _SINGLE_DOMAIN.format(name=name, method=method, cause=cause)
            warnings.warn(message, SingleDomainWarning, stacklevel=stacklevel)
        return domains, codes

    def _rows_that_count(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        encoded: tuple[np.ndarray, np.ndarray],
        **checks: Any,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Check the input, and return rows, targets, domains and weights above 0.

        Sets what is known of the domains. `checks` are those of `validate_data`.
        """
        domains, codes = encoded
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), **checks)
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        kept = weight > 0
        self.domains_ = domains[np.unique(codes[kept])]
        self.n_domains_ = len(self.domains_)
        return X[kept], y[kept], codes[kept], weight[kept]

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_skdg_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stored_by = state.get("_skdg_version", __version__)
        if stored_by != __version__:
            warnings.warn(
                f"{type(self).__name__} was stored by skdg {stored_by} and is loaded "
                f"by skdg {__version__}, which may know other attributes: fit it again "
                f"if it fails, and compare its predictions if it does not.",
                UserWarning,
                stacklevel=2,
            )
        known = {k: v for k, v in state.items() if k != "_skdg_version"}
        super().__setstate__(known)

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Leave the fitted attributes as they were when fit does not come to its end.

        Otherwise a refit that fails half-way (bad input, a diverging optimizer,
        Ctrl-C) would leave an estimator made of two different fits.
        """
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            # What scikit-learn keeps of its callbacks, it takes away itself.
            kept = {k: v for k, v in vars(self).items() if "_callback" in k}
            self.__dict__.clear()
            self.__dict__.update(before | kept)
            raise

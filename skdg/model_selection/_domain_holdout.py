# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A splitter that holds out rows of every domain."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import BaseShuffleSplit
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples, column_or_1d

from skdg._random import private_rng
from skdg.metrics._group_scores import rows_by_domain


class DomainHoldout(BaseShuffleSplit):
    """Splitter that holds out a share of the rows of every domain.

    What is held out comes from the domains that a model trains on, so a score on it
    says how well the model does on *these* domains: DomainBed's training-domain
    validation set [1]_. It says nothing of a domain that was never seen; for that hold
    out whole domains, with :class:`LeaveOneDomainOut`.

    Parameters
    ----------
    n_splits : int, default=1
        Number of independent draws.

    test_size : float, default=0.2
        Share of the rows of each domain to hold out, between 0 and 1. It is rounded to
        whole rows, at least one of them; one row at least is left to train on.

    stratify : bool, default=False
        Whether each domain's share also holds each of its classes in proportion, to
        the nearest row below or above.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws. An integer gives the same splits each time; None leaves the
        global generator of numpy alone.

    See Also
    --------
    DomainSearchCV : A search that applies one of three rules of selection by name.
    LeaveOneDomainOut : Holds out each domain in turn.
    DomainShuffleSplit : Holds out random sets of domains.

    Notes
    -----
    Each row of a domain is held out with the same probability, stratified or not. For
    strata the rows, shuffled and then ordered by class, are drawn at equal steps.

    References
    ----------
    .. [1] I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization",
       ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.model_selection import DomainHoldout
    >>> groups = np.array(["Bern"] * 5 + ["Chur"] * 10)
    >>> cv = DomainHoldout(random_state=0)
    >>> train, test = next(cv.split(np.zeros((15, 1)), groups=groups))
    >>> groups[test].tolist()
    ['Bern', 'Chur', 'Chur']
    >>> len(train)
    12
    """

    # Without this default a search would not pass groups on, as for GroupKFold.
    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(
        self,
        n_splits: int = 1,
        *,
        test_size: float = 0.2,
        stratify: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.test_size = test_size
        self.stratify = stratify
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows to train on and the rows to hold out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows; only their number counts.

        y : array-like of shape (n_samples,), default=None
            Class labels, needed if `stratify` is True and ignored otherwise.

        groups : array-like of shape (n_samples,)
            The domain of each row, which must be given.

        Yields
        ------
        train : ndarray of shape (n_train,)
            The rows to train on, in their order.

        test : ndarray of shape (n_test,)
            The rows held out, in their order.

        Raises
        ------
        ValueError
            If `groups` is None, a domain has a single row, a parameter is out of its
            range, or `stratify` is True without class labels.
        """
        if not isinstance(self.n_splits, Integral) or self.n_splits < 1:
            raise ValueError(f"n_splits must be 1 or more, got {self.n_splits!r}.")
        if not isinstance(self.test_size, Real) or not 0 < self.test_size < 1:
            raise ValueError(
                f"test_size must be a share between 0 and 1, got {self.test_size!r}."
            )
        if groups is None:
            raise ValueError(
                "DomainHoldout holds out rows of each domain, so it needs groups: "
                "split(X, y, groups=domains)."
            )
        n_samples = _num_samples(X)
        domains = rows_by_domain(groups, n_samples)
        for label, rows in domains.items():
            if len(rows) < 2:
                raise ValueError(
                    f"Cannot hold out a part of domain {label!r}: n_samples=1 there, "
                    f"row {rows[0]}. Leave the domain out or join it with another."
                )
        classes = self._classes(y, n_samples)
        rng = private_rng(self.random_state)
        for _ in range(self.n_splits):
            held_out = np.zeros(n_samples, dtype=bool)
            for rows in domains.values():
                held_out[self._draw(rows, classes, rng)] = True
            yield np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def _classes(self, y: Any, n_samples: int) -> np.ndarray:
        if not self.stratify:
            return np.zeros(n_samples, dtype=np.intp)
        if y is None:
            raise ValueError("stratify=True needs the class labels y.")
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"stratify=True needs class labels, but y is {kind}.")
        return np.unique(column_or_1d(y), return_inverse=True)[1]

    def _draw(
        self, rows: np.ndarray, classes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        n_test = min(max(1, round(self.test_size * len(rows))), len(rows) - 1)
        shuffled = rng.permutation(rows)
        ordered = shuffled[np.argsort(classes[shuffled], kind="stable")]
        # One row in each of n_test equal intervals, at the same random place in all.
        places = (np.arange(n_test) + rng.uniform()) * (len(rows) / n_test)
        return ordered[places.astype(np.intp)]

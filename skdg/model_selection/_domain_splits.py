# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Splitters that hold out whole domains."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut
from sklearn.utils.validation import _num_samples

from skdg._random import private_rng
from skdg.base import encode_groups


def _codes(groups: Any, n_samples: int, splitter: str, least: int) -> np.ndarray:
    if groups is None:
        raise ValueError(
            f"{splitter} holds out domains, so it needs groups: "
            f"split(X, y, groups=domains)."
        )
    domains, codes = encode_groups(groups, n_samples)
    if len(domains) < least:
        raise ValueError(
            f"{splitter} needs {least} domains at least, but groups has "
            f"{len(domains)}: {', '.join(map(str, domains))}."
        )
    return codes


class LeaveOneDomainOut(LeaveOneGroupOut):
    """Splitter that holds out each domain in turn, by itself or nested.

    It is :class:`~sklearn.model_selection.LeaveOneGroupOut` for labels of all types
    that skdg takes, also those that cannot be sorted together, such as numbers beside
    text. And it has splits within each split for an honest search: hyperparameters that
    are selected by leaving out domains must not see the domain that the result is
    tested on.

    See Also
    --------
    DomainHoldout : Holds out a share of every domain.
    DomainShuffleSplit : Holds out random sets of domains.
    DomainSearchCV : Does the inner search by a rule with a name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdg.model_selection import LeaveOneDomainOut
    >>> X, y = np.arange(12.0)[:, None], np.arange(12.0) ** 2
    >>> groups = np.repeat(["Bern", "Chur", "Genf"], 4)
    >>> for train, test, inner in LeaveOneDomainOut().split_nested(X, y, groups):
    ...     search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=inner)
    ...     search = search.fit(X[train], y[train])
    ...     print(groups[test][0], len(inner), search.n_splits_)
    Bern 2 2
    Chur 2 2
    Genf 2 2
    """

    # Without this default a search would not pass groups on, as for GroupKFold.
    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of all domains but one, and those of this one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows; only their number counts.

        y : array-like of shape (n_samples,), default=None
            Ignored.

        groups : array-like of shape (n_samples,)
            The domain of each row, which must be given.

        Yields
        ------
        train : ndarray of shape (n_train,)
            The rows of the other domains.

        test : ndarray of shape (n_test,)
            The rows of the domain, in the order of labels.

        Raises
        ------
        ValueError
            If `groups` is None or holds one domain only.
        """
        codes = _codes(groups, _num_samples(X), "LeaveOneDomainOut", 2)
        yield from super().split(X, y, codes)

    def split_nested(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
        """Generate splits, each with the splits of its training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows; only their number counts.

        y : array-like of shape (n_samples,), default=None
            Ignored.

        groups : array-like of shape (n_samples,)
            The domain of each row, which must be given.

        Yields
        ------
        train : ndarray of shape (n_train,)
            The rows of the other domains.

        test : ndarray of shape (n_test,)
            The rows of the domain.

        inner : list of tuple (train, validation)
            For each domain that is left, the places *within* `train` of the others and
            of this one: the `cv` of a search that is fitted to ``X[train]``.

        Raises
        ------
        ValueError
            If `groups` is None or holds fewer than three domains.
        """
        codes = _codes(groups, _num_samples(X), "LeaveOneDomainOut.split_nested", 3)
        for train, test in super().split(X, y, codes):
            inner = super().split(train, groups=codes[train])
            yield train, test, list(inner)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of domains.

        Parameters
        ----------
        X, y : object
            Ignored.

        groups : array-like of shape (n_samples,)
            The domain of each row, which must be given.

        Returns
        -------
        n_splits : int
            The number of splits.
        """
        n_samples = 0 if groups is None else _num_samples(groups)
        return int(_codes(groups, n_samples, "LeaveOneDomainOut", 2).max()) + 1


class DomainShuffleSplit(GroupShuffleSplit):
    """Splitter that holds out random sets of domains.

    It is :class:`~sklearn.model_selection.GroupShuffleSplit` for labels of all types
    that skdg takes, also those that cannot be sorted together, such as numbers beside
    text. Take it where domains are too many to leave out each of them.

    Parameters
    ----------
    n_splits : int, default=5
        Number of independent draws.

    test_size : float or int, default=None
        Share of the domains to hold out, rounded up, or their number. None is what
        `train_size` leaves, or a fifth.

    train_size : float or int, default=None
        Share of the domains to train on, rounded down, or their number. None is what
        `test_size` leaves.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws. An integer gives the same splits each time; None leaves the
        global generator of numpy alone.

    See Also
    --------
    DomainHoldout : Holds out a share of every domain.
    LeaveOneDomainOut : Holds out each domain in turn.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.model_selection import DomainShuffleSplit
    >>> groups = np.repeat(["a", "b", "c", "d", "e"], 10)
    >>> cv = DomainShuffleSplit(n_splits=1, test_size=2, random_state=0)
    >>> for train, test in cv.split(groups, groups=groups):
    ...     print(np.unique(groups[train]), np.unique(groups[test]))
    ['b' 'd' 'e'] ['a' 'c']
    """

    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of some domains and those of the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows; only their number counts.

        y : array-like of shape (n_samples,), default=None
            Ignored.

        groups : array-like of shape (n_samples,)
            The domain of each row, which must be given.

        Yields
        ------
        train : ndarray of shape (n_train,)
            The rows to train on.

        test : ndarray of shape (n_test,)
            The rows of the domains that are held out.

        Raises
        ------
        ValueError
            If `groups` is None or holds one domain only, or a size leaves no domain to
            train on or to test on.
        """
        codes = _codes(groups, _num_samples(X), "DomainShuffleSplit", 2)
        splitter = GroupShuffleSplit(
            self.n_splits,
            test_size=self.test_size,
            train_size=self.train_size,
            random_state=private_rng(self.random_state),
        )
        yield from splitter.split(X, y, codes)

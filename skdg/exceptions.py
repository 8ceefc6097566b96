# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Warnings and errors that are particular to skdg."""

__all__ = [
    "DivergenceError",
    "OracleSelectionWarning",
    "OrdinarySearchWarning",
    "SingleDomainWarning",
]


class SingleDomainWarning(UserWarning):
    """Fit saw one domain only, so nothing can be shared between domains.

    Given by ``fit`` when ``groups`` is None or holds a single label. The usual cause is
    that metadata routing is off: a search or a cross-validation then splits by
    ``groups`` and fits without them.

    Examples
    --------
    >>> import warnings
    >>> from skdg import ERMClassifier, SingleDomainWarning
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = ERMClassifier(max_iter=1).fit([[0.0], [1.0]], [0, 1])
    >>> issubclass(caught[0].category, SingleDomainWarning)
    True
    """


class OracleSelectionWarning(UserWarning):
    """Hyperparameters were selected by their score on the test domain.

    What is then reported for that domain is no estimate for a domain that nobody has
    seen. Given by :class:`~skdg.model_selection.DomainSearchCV` with its rule "oracle".

    Examples
    --------
    >>> import warnings
    >>> from skdg import AnchorClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.model_selection import DomainSearchCV
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> seen, unseen = groups != "test", groups == "test"
    >>> search = DomainSearchCV(AnchorClassifier(), rule="oracle", n_candidates=2)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     search = search.fit(
    ...         X[seen], y[seen], groups=groups[seen], test=(X[unseen], y[unseen])
    ...     )
    >>> caught[-1].category.__name__
    'OracleSelectionWarning'
    """


class DivergenceError(ValueError):
    """Training left the region where its numbers mean anything.

    The message names the iteration, the term that broke, and what to change. A fit
    that raises it leaves the estimator as it was.

    Examples
    --------
    >>> from skdg import DivergenceError, ERMRegressor
    >>> model = ERMRegressor(optimizer="sgd", learning_rate_init=1e3, random_state=0)
    >>> try:
    ...     _ = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], groups=[0, 1, 1])
    ... except DivergenceError as error:
    ...     print("learning_rate_init" in str(error))
    True
    """


class OrdinarySearchWarning(UserWarning):
    """A batched search fitted all or some candidates one by one.

    The message says why. Results are the same. Given by
    :class:`~skdg.model_selection.BatchedGridSearchCV` and
    :class:`~skdg.model_selection.BatchedRandomizedSearchCV`.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.linear_model import Ridge
    >>> from skdg.model_selection import BatchedGridSearchCV
    >>> search = BatchedGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     search = search.fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0])
    >>> print(caught[0].category.__name__)
    OrdinarySearchWarning
    """

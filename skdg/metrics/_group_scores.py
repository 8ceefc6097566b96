# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A metric on each domain, and the worst of them."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import validate_params
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from skdg._label_lookup import label_values
from skdg.base import encode_groups

# The endings by which scikit-learn says in which direction a metric is better.
_GREATER_IS_BETTER = {
    "_score": True,
    "_error": False,
    "_loss": False,
    "_deviance": False,
}


def rows_by_domain(
    groups: Any, n_samples: int, sample_weight: Any = None
) -> dict[Hashable, np.ndarray]:
    """Return the rows of each domain, in the order of the labels.

    A domain whose rows all have weight 0 is left out, as if its rows were not there.
    """
    domains, codes = encode_groups(groups, n_samples)
    labels = label_values(domains)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(labels)))
    rows = dict(zip(labels, np.split(order, ends[:-1]), strict=True))
    if sample_weight is None:
        return rows
    return {label: i for label, i in rows.items() if np.any(sample_weight[i] != 0)}


@contextmanager
def naming(label: Hashable) -> Iterator[None]:
    """Name the domain in a ValueError of its score."""
    try:
        yield
    except ValueError as error:
        error.args = (f"Scoring domain {label!r} failed: {error}",)
        raise


@validate_params({"metric": [callable]}, prefer_skip_nested_validation=True)
def group_scores(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any,
    metric: Callable[..., float] = accuracy_score,
    sample_weight: Any = None,
    **kwargs: Any,
) -> dict[Hashable, float]:
    """Compute a metric on each domain.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The true targets.

    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        What the metric compares with the true targets: predictions, or probabilities
        or decision values for a metric that wants those.

    groups : array-like of shape (n_samples,)
        The domain of each row, as labels of any hashable type.

    metric : callable, default=accuracy_score
        A function ``metric(y_true, y_pred, **kwargs)`` that returns a number, such as
        those in `sklearn.metrics`.

    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row, passed to `metric`. A domain whose rows all have weight 0 is
        left out.

    **kwargs : dict
        Further arguments of `metric`.

    Returns
    -------
    scores : dict of label to float
        The value of the metric on the rows of each domain, in the order of the labels.

    See Also
    --------
    worst_group_score : The worst of these values.
    GroupScorer : The worst or the mean of these values in a search or cross-validation.

    Notes
    -----
    A metric that is not defined on a domain is what `metric` makes of it; the area
    under the ROC curve, for example, is nan on a domain with a single class. An error
    names the domain.

    Examples
    --------
    >>> from skdg.metrics import group_scores
    >>> y_true = [0, 1, 1, 0, 1]
    >>> y_pred = [0, 1, 0, 0, 0]
    >>> groups = ["Bern", "Bern", "Bern", "Chur", "Chur"]
    >>> group_scores(y_true, y_pred, groups=groups)
    {'Bern': 0.666..., 'Chur': 0.5}
    """
    check_consistent_length(y_true, y_pred)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, y_true)
    scores = {}
    for label, rows in rows_by_domain(groups, len(y_true), sample_weight).items():
        weight = {} if sample_weight is None else {"sample_weight": sample_weight[rows]}
        truth, prediction = _safe_indexing(y_true, rows), _safe_indexing(y_pred, rows)
        with naming(label):
            scores[label] = float(metric(truth, prediction, **weight, **kwargs))
    return scores


@validate_params(
    {"metric": [callable], "greater_is_better": ["boolean", None]},
    prefer_skip_nested_validation=True,
)
def worst_group_score(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any,
    metric: Callable[..., float] = accuracy_score,
    greater_is_better: bool | None = None,
    sample_weight: Any = None,
    **kwargs: Any,
) -> float:
    """Compute a metric on the domain where it is worst.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The true targets.

    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        What the metric compares with the true targets: predictions, or probabilities
        or decision values for a metric that wants those.

    groups : array-like of shape (n_samples,)
        The domain of each row, as labels of any hashable type.

    metric : callable, default=accuracy_score
        A function ``metric(y_true, y_pred, **kwargs)`` that returns a number, such as
        those in `sklearn.metrics`.

    greater_is_better : bool, default=None
        Whether the worst value of `metric` is the smallest or the largest. None goes by
        the convention of scikit-learn: of functions whose names end in ``_score`` more
        is better; of ``_error``, ``_loss`` and ``_deviance`` less is better. For a
        function with any other name it must be given.

    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row, passed to `metric`. A domain whose rows all have weight 0 is
        left out.

    **kwargs : dict
        Further arguments of `metric`.

    Returns
    -------
    score : float
        The worst of the values of the metric on the domains, as `metric` gives it: an
        error stays an error. It is nan if the metric is not defined on some domain.

    See Also
    --------
    group_scores : The metric on each domain.
    GroupScorer : The worst domain in a search or cross-validation.

    Examples
    --------
    >>> from sklearn.metrics import mean_absolute_error
    >>> from skdg.metrics import worst_group_score
    >>> y_true = [1.0, 2.0, 3.0, 4.0]
    >>> y_pred = [1.5, 2.0, 1.0, 4.0]
    >>> groups = [2023, 2023, 2024, 2024]
    >>> worst_group_score(y_true, y_pred, groups=groups, metric=mean_absolute_error)
    1.0
    """
    if greater_is_better is None:
        greater_is_better = more_is_better(metric)
    scores = group_scores(
        y_true,
        y_pred,
        groups=groups,
        metric=metric,
        sample_weight=sample_weight,
        **kwargs,
    )
    worst = np.min if greater_is_better else np.max
    return float(worst(list(scores.values())))


def more_is_better(metric: Callable[..., float]) -> bool:
    """Tell from its name whether more of a metric is better."""
    function = metric.func if isinstance(metric, partial) else metric
    name = getattr(function, "__name__", repr(function))
    for ending, greater_is_better in _GREATER_IS_BETTER.items():
        if name.endswith(ending):
            return greater_is_better
    raise ValueError(
        f"Cannot tell from the name {name!r} whether more of this metric is better. "
        f"Pass greater_is_better=True or greater_is_better=False."
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the scores of the domains come to, and how bad the worst may be."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _check_sample_weight

from skdg._label_lookup import find_labels, labels_seen, warn_of_other_type
from skdg._random import RandomState, private_rng
from skdg.metrics._bound import accuracy_bound, bootstrap_bound
from skdg.metrics._group_scores import group_scores, more_is_better, rows_by_domain


@dataclass(frozen=True)
class GroupSummary:
    """What the scores of the domains come to.

    Parameters
    ----------
    scores : dict of label to float
        The score of each domain, in the order of the labels.

    mean : float
        Their mean. Domains count equally, whatever their numbers of rows.

    worst : float
        The worst of them.

    worst_domain : hashable
        The domain it is of, the first if there are several.

    gap : float
        How far the best is from the worst; never negative.

    percentile_10 : float
        A tenth of the domains is worse than this: the 10th percentile of scores, the
        90th of errors.

    in_domain : float or None
        Mean of the scores of the domains that were seen in training; None if there are
        none, or it was not told which these are.

    unseen : float or None
        Mean of the scores of the others; None as well.

    worst_bound : float
        Confidence bound: the true score of the worst domain is not worse than this,
        with probability `confidence_level` at least.

    confidence_level : float
        That probability.

    See Also
    --------
    group_summary : Makes it from predictions.

    Examples
    --------
    >>> from skdg.metrics import group_summary
    >>> summary = group_summary([1, 1, 0, 0], [1, 0, 0, 0], groups=["a", "a", "b", "b"])
    >>> summary.scores
    {'a': 0.5, 'b': 1.0}
    >>> summary.worst, summary.worst_domain
    (0.5, 'a')
    """

    scores: dict[Hashable, float]
    mean: float
    worst: float
    worst_domain: Hashable
    gap: float
    percentile_10: float
    in_domain: float | None
    unseen: float | None
    worst_bound: float
    confidence_level: float


@validate_params(
    {
        "metric": [callable],
        "greater_is_better": ["boolean", None],
        "seen": ["array-like", set, None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def group_summary(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any,
    metric: Callable[..., float] = accuracy_score,
    greater_is_better: bool | None = None,
    seen: Collection[Hashable] | None = None,
    sample_weight: Any = None,
    confidence_level: float = 0.95,
    n_resamples: int = 999,
    random_state: RandomState = None,
    **kwargs: Any,
) -> GroupSummary:
    """Sum up a metric over domains, with a bound for the worst of them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The true targets.

    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        What the metric compares with the true targets.

    groups : array-like of shape (n_samples,)
        The domain of each row, as labels of any hashable type.

    metric : callable, default=accuracy_score
        A function ``metric(y_true, y_pred, **kwargs)`` that returns a number.

    greater_is_better : bool, default=None
        Whether more of `metric` is better; None tells it from the name, as
        :func:`worst_group_score` does.

    seen : collection of labels, default=None
        The domains that the model was trained on, to tell its scores on them from those
        on others. Rows of these domains should be such that it was not fitted to them.
        If their type is not that of `groups`, a warning says so.

    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row, passed to `metric`. A domain whose rows all have weight 0 is
        left out.

    confidence_level : float, default=0.95
        The probability with which `worst_bound` holds.

    n_resamples : int, default=999
        Number of bootstrap samples of each domain.

    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap. None leaves the global generator of numpy alone.

    **kwargs : dict
        Further arguments of `metric`.

    Returns
    -------
    summary : GroupSummary
        The score of each domain; their mean, worst, gap and 10th percentile; and the
        bound. All are nan if the metric is not defined on some domain.

    See Also
    --------
    group_scores : The scores alone.
    worst_group_score : The worst of them alone.

    Notes
    -----
    The bound is the worst of one-sided bounds of all domains, each at
    `confidence_level`. This needs no correction for the number of domains: it is no
    better than the bound of whichever domain is truly the worst, and that one holds
    with this probability.

    For :func:`~sklearn.metrics.accuracy_score` without weights or arguments the bound
    of a domain is that of Clopper and Pearson [1]_, which is exact. For all others it
    is the percentile of a bootstrap over the rows of the domain [2]_, which is
    approximate: too narrow for small domains and rare classes, and no wider than a
    point where all rows of a domain are predicted equally well. Both take the domains
    as given and their rows as independent draws. Rows of weight 0 are not drawn.

    Bootstrap samples on which the metric is not defined, where it is nan or raises a
    ValueError, are left out. Most lack a class: k rows of it among n are missing from a
    share :math:`(1 - k/n)^n` of the samples, which is 12 % for 2 of 20 rows and 36 %
    for one. If all samples are left out, the bound is nan.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
       illustrated in the case of the binomial", Biometrika 26, 1934.
    .. [2] B. Efron, "Bootstrap methods: another look at the jackknife", Annals of
       Statistics 7, 1979.

    Examples
    --------
    >>> from skdg.metrics import group_summary
    >>> y_true = [1] * 10
    >>> y_pred = [1, 1, 1, 1, 1, 1, 0, 0, 1, 1]
    >>> groups = ["Bern"] * 6 + ["Chur"] * 4
    >>> summary = group_summary(y_true, y_pred, groups=groups)
    >>> summary.mean, summary.worst, summary.worst_domain, summary.gap
    (0.75, 0.5, 'Chur', 0.5)
    >>> round(summary.worst_bound, 3)
    0.098
    >>> summary = group_summary(y_true, y_pred, groups=groups, seen=["Bern"])
    >>> summary.in_domain, summary.unseen
    (1.0, 0.5)
    """
    better = more_is_better(metric) if greater_is_better is None else greater_is_better
    scores = group_scores(
        y_true,
        y_pred,
        groups=groups,
        metric=metric,
        sample_weight=sample_weight,
        **kwargs,
    )
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, y_true)
    rng = private_rng(random_state)
    binomial = metric is accuracy_score and sample_weight is None and not kwargs

    def score(rows: np.ndarray, **options: Any) -> float:
        if sample_weight is not None:
            options["sample_weight"] = sample_weight[rows]
        truth = _safe_indexing(y_true, rows)
        return metric(truth, _safe_indexing(y_pred, rows), **options, **kwargs)

    bounds = []
    for rows in rows_by_domain(groups, len(y_true), sample_weight).values():
        if binomial:
            hits = int(score(rows, normalize=False))
            bound = accuracy_bound(
                hits, len(rows), level=confidence_level, lower=better
            )
        else:
            if sample_weight is not None:
                rows = rows[sample_weight[rows] != 0]
            bound = bootstrap_bound(
                score,
                rows,
                level=confidence_level,
                lower=better,
                n_resamples=n_resamples,
                rng=np.random.default_rng(rng.randint(2**31 - 1)),
            )
        bounds.append(bound)
    in_domain, unseen = _means(scores, seen)
    values = np.array(list(scores.values()))
    worst, position = (np.min, np.argmin) if better else (np.max, np.argmax)
    return GroupSummary(
        scores=scores,
        mean=float(np.mean(values)),
        worst=float(worst(values)),
        worst_domain=list(scores)[int(position(values))],
        gap=float(np.max(values) - np.min(values)),
        percentile_10=float(np.percentile(values, 10 if better else 90)),
        in_domain=in_domain,
        unseen=unseen,
        worst_bound=float(worst(bounds)),
        confidence_level=float(confidence_level),
    )


def _means(
    scores: dict[Hashable, float], seen: Collection[Hashable] | None
) -> list[float | None]:
    """Return the mean over the domains that were seen, and over the others."""
    if seen is None:
        return [None, None]
    labels, known = list(scores), labels_seen(seen)
    warn_of_other_type(known, labels, stacklevel=4)
    is_seen = find_labels(labels, known) >= 0
    values = np.array(list(scores.values()))
    parts = (values[is_seen], values[~is_seen])
    return [float(np.mean(part)) if len(part) else None for part in parts]

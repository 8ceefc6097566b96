# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A scorer that looks at each domain of the test rows."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import UNUSED, get_routing_for_object
from sklearn.utils.validation import _check_sample_weight, _num_samples

from skdg.metrics._group_scores import naming, rows_by_domain

_RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")

_NO_GROUPS = (
    "GroupScorer got no groups, so it cannot tell the domains of the rows. Inside a "
    "search or a cross-validation groups reach a scorer only with metadata routing: "
    "call sklearn.set_config(enable_metadata_routing=True) and pass groups as "
    "search.fit(X, y, groups=groups) or as "
    "cross_validate(..., params={'groups': groups}). "
    "By hand, call scorer(estimator, X, y, groups=groups)."
)


class GroupScorer(BaseEstimator):
    """Scorer that scores each domain, and returns the worst or the mean.

    To be used wherever scikit-learn takes `scoring`, with metadata routing turned on.
    It asks for `groups` by itself, so the domains of the test rows reach it.

    Parameters
    ----------
    scoring : str or callable, default=None
        What to compute on each domain: the name of a scorer of scikit-learn, or a
        scorer ``scorer(estimator, X, y)``, for example one from
        :func:`~sklearn.metrics.make_scorer`. More is better; errors are negated. None
        is what `score` computes: "accuracy" for classifiers and "r2" for regressors.

    reduction : {"worst", "mean"} or callable, default="worst"
        How to make one number from the scores of the domains. "worst" is the smallest
        of them. "mean" counts all domains equally, whatever their numbers of rows. A
        callable gets the scores as an array, in the order of the labels.

    See Also
    --------
    group_scores : A metric on each domain, from predictions.
    worst_group_score : A metric on its worst domain, from predictions.

    Notes
    -----
    A model that predicts with `groups`, such as
    :class:`~skdg.multitask.MultiTaskLinearSVC`, gets the domains of the rows here, also
    as the last step of a pipeline and inside a search. The scorers of scikit-learn
    never pass them. What counts is the model's own request, so
    ``set_predict_request(groups=False)`` turns this off.

    A score that is not defined on a domain is nan, and so is then the worst one; an
    error names the domain. Where a domain lacks a class,
    :func:`~sklearn.metrics.log_loss` must be told all of them:
    ``make_scorer(log_loss, response_method="predict_proba", greater_is_better=False,
    labels=classes)``.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GroupKFold, cross_validate
    >>> from skdg.metrics import GroupScorer
    >>> X, y = make_classification(random_state=0)
    >>> groups = ["a", "b", "c", "d"] * 25
    >>> scorer = GroupScorer("accuracy", reduction="worst")
    >>> scorer(LogisticRegression().fit(X, y), X, y, groups=groups)
    0.88

    Inside scikit-learn metadata routing must be on:

    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     result = cross_validate(
    ...         LogisticRegression(),
    ...         X,
    ...         y,
    ...         cv=GroupKFold(2),
    ...         scoring={"worst": scorer, "accuracy": "accuracy"},
    ...         params={"groups": groups},
    ...     )
    >>> bool((result["test_worst"] <= result["test_accuracy"]).all())
    True
    """

    # `estimator` is an argument of the method below, not metadata.
    __metadata_request__score: ClassVar[dict[str, Any]] = {
        "groups": True,
        "estimator": UNUSED,
    }

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "reduction": [StrOptions({"worst", "mean"}), callable],
    }

    def __init__(
        self,
        scoring: str | Callable[..., float] | None = None,
        *,
        reduction: str | Callable[[np.ndarray], float] = "worst",
    ) -> None:
        self.scoring = scoring
        self.reduction = reduction

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score a fitted estimator: the same as `score`."""
        return self.score(estimator, X, y, groups=groups, sample_weight=sample_weight)

    # scikit-learn reads what a scorer wants from the method of this name.
    def score(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            The fitted estimator.

        X : array-like of shape (n_samples, n_features)
            The test rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        groups : array-like of shape (n_samples,)
            Their domains, which must be given.

        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, passed to `scoring`. A domain whose rows all have weight 0 is
            left out.

        Returns
        -------
        score : float
            The worst or the mean of the scores of the domains.
        """
        self._validate_params()
        if groups is None:
            raise ValueError(_NO_GROUPS)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        scores = list(self._by_domain(estimator, X, y, groups, sample_weight).values())
        reduce: Any = self.reduction
        if not callable(reduce):
            reduce = {"worst": np.min, "mean": np.mean}[reduce]
        return float(reduce(np.asarray(scores, dtype=float)))

    def _by_domain(
        self, estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any
    ) -> dict[Hashable, float]:
        """Return the score of each domain."""
        scorer = plain_scorer(self.scoring, estimator)
        responses: dict[str, Any] = {}
        scores = {}
        domains = rows_by_domain(groups, _num_samples(X), sample_weight)
        for label, rows in domains.items():
            part = _safe_indexing(X, rows)
            view = _DomainView(estimator, responses, X, groups, part, rows)
            weight = {}
            if sample_weight is not None:
                weight["sample_weight"] = sample_weight[rows]
            with naming(label):
                scores[label] = scorer(view, part, _safe_indexing(y, rows), **weight)
        return scores


def plain_scorer(scoring: Any, estimator: Any) -> Callable[..., float]:
    """Return the scorer of a name, or the one that `score` computes if it is None."""
    if isinstance(scoring, GroupScorer):
        raise ValueError(
            f"scoring={scoring!r} looks for domains, but is to score the rows of each "
            f"by itself. Pass what it scores them by: scoring={scoring.scoring!r}."
        )
    return get_scorer(scoring or ("accuracy" if is_classifier(estimator) else "r2"))


class _DomainView:
    """A fitted estimator as the scorer of one domain sees it.

    It stands between a scorer, which calls ``predict(X)``, and a model that predicts
    with groups. The first time it is asked it predicts all rows at once, since the
    domains may be many and each call of a pipeline costs.
    """

    def __init__(
        self,
        estimator: Any,
        responses: dict[str, Any],
        X: Any,
        groups: Any,
        part: Any,
        rows: np.ndarray,
    ) -> None:
        self._estimator = estimator
        self._responses = responses
        self._X = X
        self._groups = groups
        self._part = part
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._estimator, name)
        if name not in _RESPONSES:
            return found

        def respond(X: Any) -> Any:
            # A scorer of the user's own may ask about other rows than it was given.
            if X is not self._part:
                return found(X)
            if name not in self._responses:
                method, extra = with_groups(self._estimator, name, self._groups)
                self._responses[name] = method(self._X, **extra)
            response = self._responses[name]
            if isinstance(response, list):  # one array per output
                return [output[self._rows] for output in response]
            return _safe_indexing(response, self._rows)

        respond.__name__ = name  # scikit-learn asks the method for its name
        return respond


def with_groups(estimator: Any, name: str, groups: Any) -> tuple[Callable, dict]:
    """Return the method to call, and the groups if the method asks for them."""
    # A search forwards predict(X) to its best estimator, but takes no groups.
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    wants = get_routing_for_object(estimator).consumes(name, ["groups"])
    return getattr(estimator, name), {"groups": groups} if "groups" in wants else {}

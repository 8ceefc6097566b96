# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a fitted search passes on to its best estimator."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdg.metrics._group_scorer import plain_scorer


def _best_estimator_has(name: str) -> Callable[[Any], bool]:
    def check(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class BestEstimator(MetaEstimatorMixin):
    """Mixin of a search that leaves predicting to `best_estimator_`."""

    estimator: Any
    best_estimator_: Any
    scoring: Any

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator that is tuned."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags

    @property
    def classes_(self) -> np.ndarray:
        """The classes of a classifier."""
        return self.best_estimator_.classes_

    @available_if(_best_estimator_has("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the best estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The predictions. For those of a multi-task model by domain, call
            ``best_estimator_.predict(X, groups=domains)``.
        """
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @available_if(_best_estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with the best estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    @available_if(_best_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the decision function of the best estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Decision values.
        """
        check_is_fitted(self)
        return self.best_estimator_.decision_function(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score the best estimator by `scoring`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : array-like of shape (n_samples,)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, passed to `scoring`.

        Returns
        -------
        score : float
            The score on all these rows together.
        """
        check_is_fitted(self)
        scorer = plain_scorer(self.scoring, self.best_estimator_)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return scorer(self.best_estimator_, X, y, **weight)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any classifier, made robust to its worst domain."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp
from sklearn.base import ClassifierMixin, is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdg._classes import classes_that_count
from skdg._dataclass import estimator
from skdg.invariance._domain_robust import DomainRobust


@estimator
class DomainRobustClassifier(ClassifierMixin, DomainRobust):
    """Any classifier, with the lowest loss in its worst domain.

    `estimator` defaults to `sklearn.linear_model.LogisticRegression`; gradient boosting
    is what tables ask for.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    See Also
    --------
    skdg.GroupDROClassifier : The same idea inside a network's training.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from skdg.invariance import DomainRobustClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> boosting = HistGradientBoostingClassifier(max_iter=10)
    >>> model = DomainRobustClassifier(boosting, n_rounds=3)
    >>> model.fit(X, y, groups=groups).domain_weights_.shape
    (3, 3)
    """

    _default: ClassVar[Callable[[], Any]] = LogisticRegression

    def _prepare(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if is_regressor(self._base()):
            raise ValueError(
                f"estimator must be a classifier, and {type(self._base()).__name__} is "
                f"a regressor, for which there is DomainRobustRegressor."
            )
        self.classes_ = classes_that_count(y, weight, type(self).__name__)
        return y

    def _probabilities(self, model: Any, X: Any) -> np.ndarray:
        """Return probabilities in the order of `classes_`; votes if there are none."""
        result = np.zeros((X.shape[0], len(self.classes_)))
        if hasattr(model, "predict_proba"):
            columns = np.searchsorted(self.classes_, model.classes_)
            result[:, columns] = model.predict_proba(X)
        else:
            predicted = np.searchsorted(self.classes_, model.predict(X))
            result[np.arange(len(result)), predicted] = 1.0
        return result

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        probabilities = self._probabilities(model, X)
        own = probabilities[np.arange(len(y)), np.searchsorted(self.classes_, y)]
        if not hasattr(model, "predict_proba"):
            return 1.0 - own
        return -np.log(np.maximum(own, np.finfo(float).eps))

    def _average(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = self._check_input(X, reset=False)
        votes = [self._probabilities(model, X) for model in self.estimators_]
        return np.mean(votes, axis=0)

    @available_if(lambda self: hasattr(self._base(), "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, averaged over the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._average(X)

    @available_if(lambda self: hasattr(self._base(), "predict_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return logarithms of `predict_proba`, as exact as the models give theirs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities, in the order of `classes_`.
        """
        check_is_fitted(self)
        X = self._check_input(X, reset=False)
        logs = np.full((len(self.estimators_), X.shape[0], len(self.classes_)), -np.inf)
        for log, model in zip(logs, self.estimators_, strict=True):
            columns = np.searchsorted(self.classes_, model.classes_)
            with np.errstate(divide="ignore"):  # a probability of 0
                if hasattr(model, "predict_log_proba"):
                    log[:, columns] = model.predict_log_proba(X)
                else:
                    log[:, columns] = np.log(model.predict_proba(X))
        return logsumexp(logs, axis=0) - np.log(len(logs))

    def predict(self, X: Any) -> np.ndarray:
        """Return the class with the highest average probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        average = self._average(X)
        return self.classes_[average.argmax(axis=1)]

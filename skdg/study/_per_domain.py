# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The baseline that shares nothing: a model for each domain."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skdg.metrics._group_scores import rows_by_domain


class _PerDomain(BaseEstimator):
    """What both kinds share.

    A domain seen in fit is predicted by its own model. Any other domain, and all rows
    if there are no groups, get the mean of what all models say.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012
    __metadata_request__predict = {"groups": True}  # noqa: RUF012

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def _fit_all(self, X: Any, y: Any, groups: Any) -> Self:
        y = np.asarray(y)
        self.models_ = {
            domain: self._own_model(y[rows]).fit(_safe_indexing(X, rows), y[rows])
            for domain, rows in rows_by_domain(groups, _num_samples(X)).items()
        }
        return self

    def _own_model(self, y: np.ndarray) -> Any:
        return clone(self.estimator)

    def _respond(self, model: Any, X: Any) -> np.ndarray:
        raise NotImplementedError

    def _responses(self, X: Any, groups: Any) -> np.ndarray:
        """Return what the model of each row's domain says, or the mean of all."""
        n_samples = _num_samples(X)
        if groups is None:
            return np.mean([self._respond(m, X) for m in self.models_.values()], 0)
        found: dict[Any, np.ndarray] = rows_by_domain(groups, n_samples)
        parts = {
            domain: self._respond(self.models_[domain], _safe_indexing(X, rows))
            if domain in self.models_
            else self._responses(_safe_indexing(X, rows), None)
            for domain, rows in found.items()
        }
        order = np.argsort(np.concatenate([found[d] for d in parts]), kind="stable")
        return np.concatenate(list(parts.values()))[order]


class PerDomainRegressor(RegressorMixin, _PerDomain):
    """A regressor for each domain.

    Parameters
    ----------
    estimator : estimator instance
        What is fitted to each domain.
    """

    def fit(self, X: Any, y: Any, groups: Any) -> Self:
        """Fit a model to each domain."""
        return self._fit_all(X, y, groups)

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Predict rows by the model of their domain, or by the mean of all models."""
        return self._responses(X, groups)

    def _respond(self, model: Any, X: Any) -> np.ndarray:
        return model.predict(X)


class PerDomainClassifier(ClassifierMixin, _PerDomain):
    """A classifier for each domain; a domain with one class has it for an answer.

    Parameters
    ----------
    estimator : estimator instance
        What is fitted to each domain; it must know probabilities.
    """

    __metadata_request__predict_proba = {"groups": True}  # noqa: RUF012

    def fit(self, X: Any, y: Any, groups: Any) -> Self:
        """Fit a model to each domain."""
        self.classes_ = np.unique(y)
        return self._fit_all(X, y, groups)

    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the probabilities of all classes, 0 for those a domain lacks."""
        return self._responses(X, groups)

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Predict the class that is most likely."""
        return self.classes_[self.predict_proba(X, groups).argmax(1)]

    def _own_model(self, y: np.ndarray) -> Any:
        return clone(self.estimator) if len(np.unique(y)) > 1 else DummyClassifier()

    def _respond(self, model: Any, X: Any) -> np.ndarray:
        probabilities = np.zeros((_num_samples(X), len(self.classes_)))
        columns = np.searchsorted(self.classes_, model.classes_)
        probabilities[:, columns] = model.predict_proba(X)
        return probabilities

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Scores of models that predict the rows of a domain by its own model."""

from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score


class TaskClassifierMixin(ClassifierMixin):
    """Classifiers whose `predict` takes `groups`."""

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `predict`.

        Returns
        -------
        float
            Share of rows that are classified correctly.
        """
        predicted = self.predict(X, groups=groups)
        return accuracy_score(y, predicted, sample_weight=sample_weight)


class TaskRegressorMixin(RegressorMixin):
    """Regressors whose `predict` takes `groups`."""

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the coefficient of determination R squared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `predict`.

        Returns
        -------
        float
            R squared, the mean over outputs.
        """
        predicted = self.predict(X, groups=groups)
        return r2_score(y, predicted, sample_weight=sample_weight)

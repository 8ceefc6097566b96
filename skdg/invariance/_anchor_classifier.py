# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Anchor regression on class indicators."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context

from skdg._classes import classes_that_count, signs_of_classes, winning_class
from skdg._dataclass import estimator
from skdg.invariance._anchor import Anchor


@estimator
class AnchorClassifier(ClassifierMixin, Anchor):
    """Anchor regression on class indicators, as a classifier.

    Least squares on indicators of -1 and 1 keeps the theory of the regression; a
    logistic loss would not, since the projection of a residual has no meaning there.
    Hence there are no probabilities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    coef_ : ndarray of shape (1 or n_classes, n_features)
        Coefficients.

    intercept_ : ndarray of shape (1 or n_classes,)
        Offsets.

    See Also
    --------
    skdg.AnchorRegression : The same for numbers.

    Examples
    --------
    >>> from skdg.invariance import AnchorClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> AnchorClassifier(gamma=5.0).fit(X, y, groups=groups).coef_.shape
    (1, 4)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit the model to rows of several domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            The class labels.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y, codes, weight = self._rows_that_count(X, y, sample_weight, encoded)
            self.classes_ = classes_that_count(y, weight, type(self).__name__)
            targets = signs_of_classes(y, self.classes_)
            self.coef_, self.intercept_ = self._solve(X, targets, codes, weight)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the predicted indicators.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Positive values speak for ``classes_[1]``; with more classes, the largest
            value wins.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of the largest predicted indicator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        return winning_class(self._scores(X), self.classes_)

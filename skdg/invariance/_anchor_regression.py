# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Anchor regression."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import Tags

from skdg._dataclass import estimator
from skdg.invariance._anchor import Anchor


@estimator
class AnchorRegression(RegressorMixin, Anchor):
    """Linear regression that holds when the means of domains shift further.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients.

    intercept_ : float or ndarray of shape (n_outputs,)
        Offset.

    See Also
    --------
    skdg.AnchorClassifier : The same for classes.

    Examples
    --------
    >>> from skdg.invariance import AnchorRegression
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> AnchorRegression(gamma=5.0).fit(X, y, groups=groups).coef_.shape
    (10,)
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

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.

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
            X, y, codes, weight = self._rows_that_count(
                X, y, sample_weight, encoded, multi_output=True, y_numeric=True
            )
            coef, offsets = self._solve(X, y.reshape(len(y), -1), codes, weight)
            one_dimensional = y.ndim == 1
            self.coef_ = coef[0] if one_dimensional else coef
            self.intercept_ = float(offsets[0]) if one_dimensional else offsets
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted values.
        """
        scores = self._scores(X)
        return scores[:, 0] if self.coef_.ndim == 1 else scores

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regressors of one linear model per domain, whatever the loss."""

from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.validation import _check_sample_weight, validate_data

from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._task_score import TaskRegressorMixin


@estimator
class _LinearTaskRegressor(TaskRegressorMixin, _MultiTaskLinear):
    """What regressors share.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Shared coefficients w_0, for domains that were not seen.

    intercept_ : float
        Shared offset b_0.

    task_coef_ : ndarray of shape (n_domains, n_features)
        Coefficients w_t of each domain, in the order of `domains_`.

    task_intercept_ : ndarray of shape (n_domains,)
        Offsets b_t of each domain.

    objective_ : float
        The objective at the solution, by its definition.

    dual_gap_ : float
        How far the objective can be from the optimum, relative to it (or to the weight
        of a typical row if that is larger); certified by feasible dual values.
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a model per domain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data. Computation is in double precision.

        y : array-like of shape (n_samples,)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row's loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True
            )
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            self._solve_all(X, [y.astype(np.float64)], weight, *encoded)
            self.coef_, self.task_coef_ = self.coef_[0], self.task_coef_[:, 0]
            self.intercept_: Any = float(self.intercept_[0])
            self.task_intercept_ = self.task_intercept_[:, 0]
        return self

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return predictions of the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. A domain seen in fit is predicted by its own model,
            any other, and all rows if None, by the shared one.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted values.
        """
        return self._scores(X, groups)[:, 0]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Fitting by tests of all sets of features."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg.base import DomainEstimator
from skdg.invariance._invariance_test import domain_moments
from skdg.invariance._invariant_sets import invariant_sets

_REJECTED = (
    "InvariantCausalPrediction rejects every set of features at alpha={alpha:g}; the "
    "largest p-value is {largest:.2g}. No linear model with residuals alike in all "
    "domains was found, so nothing is said of any feature, and predict returns a "
    "constant. A cause may be hidden or not linear, or domains act on the target."
)


@estimator
class _CausalSets(DomainEstimator):
    """A fit that tests all sets of features for invariance.

    Parameters
    ----------
    alpha : float, default=0.05
        Level of the test of a set, and of each confidence interval.

    max_features : int, default=10
        Number of features whose subsets are tested, 1024 of them for ten. Of more
        features, those are taken that enter the path of the Lasso first.

    fit_intercept : bool, default=True
        Whether the regressions have an intercept.

    Warns
    -----
    UserWarning
        If all sets are rejected: the assumptions do not hold.
    """

    alpha: float = 0.05
    max_features: int = 10
    fit_intercept: bool = True

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "alpha": [Interval(Real, 0, 1, closed="left")],
        "max_features": [Interval(Integral, 1, 15, closed="both")],
        "fit_intercept": ["boolean"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Test all sets of features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y, codes, weight = self._rows_that_count(
                X, y, sample_weight, encoded, y_numeric=True
            )
            moments = domain_moments(X, y, codes, weight, self.fit_intercept)
            found = invariant_sets(
                moments, self.alpha, self.max_features, self.fit_intercept
            )
            self.accepted_sets_ = found.accepted
            self.causal_features_ = found.causal
            self.p_values_ = found.p_values
            self.confidence_intervals_ = found.intervals
            self.coef_ = found.coef.astype(X.dtype)
            self.intercept_ = found.intercept
            if not found.accepted:
                message = _REJECTED.format(alpha=self.alpha, largest=found.largest)
                warnings.warn(message, stacklevel=2)
        return self

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Invariant causal prediction."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg.invariance._causal_sets import _CausalSets


@estimator
class InvariantCausalPrediction(RegressorMixin, _CausalSets):
    r"""Find the features that every invariant linear model needs.

    The target is regressed on each set of features over all rows. If the residuals have
    the same mean and variance in all domains, the set is accepted. What all accepted
    sets share are causes of the target, with probability 1 - `alpha` or more.

    Attributes
    ----------
    accepted_sets_ : list of list of int
        The sets that were not rejected, small ones first, perhaps with the empty set.

    causal_features_ : ndarray of shape (n_causal,)
        The features in all accepted sets, sorted. Empty if all sets were rejected.

    p_values_ : ndarray of shape (n_features,)
        For each feature the largest p-value of a set without it, 1 if its sets were not
        tested. NaN if all sets were rejected: small values would speak for no feature.

    confidence_intervals_ : ndarray of shape (n_features, 2)
        Bounds of each coefficient of the causal model: the union of its intervals in
        the accepted sets, where a set without the feature says 0. NaN if all sets were
        rejected, infinite if a set has as many coefficients as there are rows.

    coef_ : ndarray of shape (n_features,)
        Least squares on `causal_features_` over all rows; 0 for other features.

    intercept_ : float
        Offset. Without causal features the mean of y, or 0 if not `fit_intercept`.

    See Also
    --------
    skdg.AnchorRegression : Invariance to a degree, without causal claims.
    skdg.IRMRegressor : Invariance by a penalty.

    Notes
    -----
    Domains may act on features but not on the target itself: for some set S of causes,
    :math:`y = X_S \beta_S + \varepsilon` with noise of one distribution in all domains,
    independent of :math:`X_S`. This is the second method of [1]_ with its approximate
    test: the residuals of a domain are compared with those of all other rows by Welch's
    t test and the F test, and p-values are multiplied by the number of tests.

    It misses a cause rather than claim a wrong one: with few domains, or weak
    differences, many sets are accepted and share little. With one domain all sets are,
    and share nothing. `coef_` on some of the causes is biased when others are missed;
    each interval covers the truth with probability 1 - 2 `alpha`. Beyond `max_features`
    this holds only if the Lasso keeps the causes.

    A weight counts rows: a row of weight 2 is there twice, and weights of one half are
    half as many rows, with weaker tests.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann and N. Meinshausen, "Causal inference by using
       invariant prediction: identification and confidence intervals", JRSS B 78(5),
       2016.

    Examples
    --------
    >>> from skdg.invariance import InvariantCausalPrediction
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", n_features=4, random_state=0)
    >>> model = InvariantCausalPrediction().fit(X, y, groups=groups)
    >>> model.causal_features_
    array([0, 1])
    """

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of least squares on the causal features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted values.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return X @ self.coef_ + X.dtype.type(self.intercept_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Without domains it finds no cause, and predicts the mean.
        tags.regressor_tags.poor_score = True
        return tags

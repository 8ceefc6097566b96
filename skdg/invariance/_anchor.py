# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Anchor regression, with domains as anchors."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.linear_model import Ridge
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdg._dataclass import estimator
from skdg.base import DomainEstimator


def anchor_transform(
    values: np.ndarray, codes: np.ndarray, weight: np.ndarray, gamma: float
) -> np.ndarray:
    """Centre columns and stretch the part that differs between domains.

    Returns ``(I - P) v + sqrt(gamma) P v`` for centred columns v, where P puts the
    weighted mean of its domain in place of each row: least squares on such columns is
    anchor regression on the original ones.
    """
    centred = values - weight @ values / weight.sum()
    mass = np.bincount(codes, weights=weight)
    sums = np.zeros((len(mass), values.shape[1]))
    np.add.at(sums, codes, weight[:, None] * centred)
    means = sums / np.where(mass > 0, mass, 1.0)[:, None]
    return centred + (np.sqrt(gamma) - 1.0) * means[codes]


@estimator
class _Anchor(DomainEstimator):
    r"""What regressor and classifier share.

    Parameters
    ----------
    gamma : float, default=10.0
        Weight of the residuals' domain means. 1 is least squares, 0 the regression
        within domains (fixed effects), a large value two-stage least squares with
        domains as instruments.

    alpha : float, default=0.0001
        Weight of the L2 penalty on the coefficients, times the number of rows. It picks
        a solution where features are collinear; 0 for none.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.

    Notes
    -----
    The objective is [1]_, with :math:`\Pi` the projection on domain indicators,

    .. math:: \|(I - \Pi)(y - X b)\|^2 + \gamma \|\Pi (y - X b)\|^2 + \alpha \, n
       \|b\|^2,

    for centred X and y, in closed form. It is the worst risk under shifts of the means
    of X, y and hidden variables in the directions seen in training, up to a size that
    grows with gamma. As in the paper each *row* has the same weight, so that a large
    domain counts more than a small one; use `sample_weight` to balance them. Domains
    that differ in variance but not in mean teach it nothing.

    References
    ----------
    .. [1] D. Rothenhaeusler, N. Meinshausen, P. Buehlmann and J. Peters, "Anchor
       regression: heterogeneous data meet causality", JRSS B 83(2), 2021.
    """

    gamma: float = 10.0
    alpha: float = 0.0001

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "gamma": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def _solve(
        self,
        X: np.ndarray,
        targets: np.ndarray,
        weight: np.ndarray,
        domains: np.ndarray,
        codes: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients (n_targets, n_features) and offsets; set the domains."""
        kept = weight > 0
        X, targets, weight, codes = X[kept], targets[kept], weight[kept], codes[kept]
        design, response = (
            anchor_transform(values, codes, weight, self.gamma)
            for values in (X.astype(np.float64), targets.astype(np.float64))
        )
        solver = Ridge(alpha=self.alpha * weight.sum(), fit_intercept=False)
        if self.alpha == 0:
            solver.set_params(solver="svd")
        coef = solver.fit(design, response, sample_weight=weight).coef_
        coef = coef.reshape(targets.shape[1], X.shape[1])
        offsets = weight @ (targets - X @ coef.T) / weight.sum()
        self.domains_ = domains[np.unique(codes)]
        self.n_domains_ = len(self.domains_)
        return coef.astype(X.dtype), offsets.astype(X.dtype)

    def _scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return X @ np.atleast_2d(self.coef_).T + self.intercept_


@estimator
class AnchorRegression(RegressorMixin, _Anchor):
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
            X, y = validate_data(
                self,
                X,
                y,
                dtype=(np.float64, np.float32),
                multi_output=True,
                y_numeric=True,
            )
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            coef, offsets = self._solve(X, y.reshape(len(y), -1), weight, *encoded)
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


@estimator
class AnchorClassifier(ClassifierMixin, _Anchor):
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
            X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
            check_classification_targets(y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            # A class of rows of weight 0 is absent.
            classes = np.unique(y[weight > 0])
            if len(classes) < 2:
                raise ValueError(
                    f"AnchorClassifier needs samples of at least 2 classes in y, got "
                    f"only one class: {classes.tolist()[0]!r}."
                )
            targets = np.where(y[:, None] == classes, 1.0, -1.0)
            if len(classes) == 2:
                targets = targets[:, 1:]
            coef, offsets = self._solve(X, targets, weight, *encoded)
            self.coef_, self.intercept_, self.classes_ = coef, offsets, classes
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
        scores = self._scores(X)
        if len(self.classes_) == 2:
            return self.classes_[(scores[:, 0] > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any regressor, made robust to its worst domain."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils.validation import check_is_fitted

from skdg._dataclass import estimator
from skdg.invariance._domain_robust import DomainRobust


@estimator
class DomainRobustRegressor(RegressorMixin, DomainRobust):
    """Any regressor, with the lowest squared error in its worst domain.

    `estimator` defaults to `sklearn.linear_model.Ridge`; gradient boosting is what
    tables ask for.

    See Also
    --------
    skdg.GroupDRORegressor : The same idea inside a network's training.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdg.invariance import DomainRobustRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", n_samples=100, random_state=0)
    >>> boosting = HistGradientBoostingRegressor(max_iter=10)
    >>> model = DomainRobustRegressor(boosting, n_rounds=3)
    >>> model.fit(X, y, groups=groups).domain_weights_.shape
    (3, 3)
    """

    _default: ClassVar[Callable[[], Any]] = Ridge

    _numeric_targets: ClassVar[bool] = True

    def _prepare(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if is_classifier(self._base()):
            raise ValueError(
                f"estimator must be a regressor, and {type(self._base()).__name__} is "
                f"a classifier, for which there is DomainRobustClassifier."
            )
        y = y.astype(np.float64)
        mean = weight @ y / weight.sum()
        variance = weight @ (y - mean) ** 2 / weight.sum()
        self._loss_unit = float(variance) or 1.0
        return y

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        return (y - model.predict(X)) ** 2 / self._loss_unit

    def predict(self, X: Any) -> np.ndarray:
        """Return the prediction of the target, averaged over the models.

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
        X = self._check_input(X, reset=False)
        return np.mean([model.predict(X) for model in self.estimators_], axis=0)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regressors that share parameters between tasks, exactly or nearly."""

from typing import Any

import numpy as np

from skdg._dataclass import estimator
from skdg._training.regression import NetworkRegressor
from skdg.multitask._network_estimator import MultiTaskNetwork
from skdg.multitask._task_score import TaskRegressorMixin


@estimator
class MultiTaskNetworkRegressor(TaskRegressorMixin, MultiTaskNetwork, NetworkRegressor):
    """Regressor with a network per task, all or part of which the tasks share.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Weights of a linear model, the mean over tasks; only if
        ``hidden_layer_sizes=()``.

    intercept_ : float or ndarray of shape (n_outputs,)
        Offset of a linear model, as `coef_`.

    task_coef_ : ndarray of shape (n_domains, n_features) or (n_domains, n_outputs, \
            n_features)
        Weights of each task's linear model; only if ``hidden_layer_sizes=()``.

    task_intercept_ : ndarray of shape (n_domains,) or (n_domains, n_outputs)
        Offset of each task's linear model, as `task_coef_`.

    See Also
    --------
    skdg.MultiTaskLinearSVR : Linear models with a shared part, to the optimum.
    skdg.ERMRegressor : One network for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskNetworkRegressor
    >>> X = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> groups = np.tile(["up", "down"], 20)
    >>> y = np.where(groups == "up", X[:, 0], -X[:, 0])
    >>> model = MultiTaskNetworkRegressor(random_state=0).fit(X, y, groups=groups)
    >>> model.predict([[0.5], [0.5]], groups=["up", "down"]).round(1)
    array([ 0.5, -0.5])
    """

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return predictions of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. A domain seen in fit is predicted by its own
            network, any other, and all rows if None, by the mean one.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted values, in the shape of the y of fit.
        """
        return self._values(self._outputs(X, groups))

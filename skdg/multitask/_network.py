# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Networks that share parameters between tasks, exactly or nearly."""

from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from skdg._dataclass import estimator
from skdg._training.tasks import NetworkClassifier, NetworkRegressor
from skdg.multitask._network_estimator import MultiTaskNetwork


@estimator
class MultiTaskNetworkClassifier(MultiTaskNetwork, NetworkClassifier):
    """Classifier with a network per task, all or part of which the tasks share.

    Attributes
    ----------
    coef_ : ndarray of shape (1 or n_classes, n_features)
        Weights of a linear model, the mean over tasks; only if
        ``hidden_layer_sizes=()``.

    intercept_ : ndarray of shape (1 or n_classes,)
        Offsets of a linear model, as `coef_`.

    task_coef_ : ndarray of shape (n_domains, 1 or n_classes, n_features)
        Weights of each task's linear model; only if ``hidden_layer_sizes=()``.

    task_intercept_ : ndarray of shape (n_domains, 1 or n_classes)
        Offsets of each task's linear model, as `task_coef_`.

    See Also
    --------
    skdg.MultiTaskLinearSVC : Linear models with a shared part, to the optimum.
    skdg.ERMClassifier : One network for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskNetworkClassifier
    >>> X = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> groups = np.tile(["above", "below"], 20)
    >>> y = np.where(groups == "above", X[:, 0] > 0, X[:, 0] < 0).astype(int)
    >>> model = MultiTaskNetworkClassifier(max_iter=100, random_state=0)
    >>> model = model.fit(X, y, groups=groups)
    >>> model.predict([[0.5], [0.5]], groups=["above", "below"])
    array([1, 0])
    """

    __metadata_request__predict_proba: ClassVar[dict[str, bool]] = {"groups": True}
    __metadata_request__decision_function: ClassVar[dict[str, bool]] = {"groups": True}

    def decision_function(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the logits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. A domain seen in fit is judged by its own network,
            any other, and all rows if None, by the mean one.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a score per class.
        """
        return self._decision(self._outputs(X, groups))

    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._probabilities(self._outputs(X, groups))

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        return self._labels(self._outputs(X, groups))

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        float
            Share of rows that are classified correctly.
        """
        predicted = self.predict(X, groups=groups)
        return accuracy_score(y, predicted, sample_weight=sample_weight)


@estimator
class MultiTaskNetworkRegressor(MultiTaskNetwork, NetworkRegressor):
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

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the coefficient of determination R squared.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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

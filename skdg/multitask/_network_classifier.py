# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers that share parameters between tasks, exactly or nearly."""

from typing import Any, ClassVar

import numpy as np

from skdg._dataclass import estimator
from skdg._probabilities import log_probabilities
from skdg._training.classification import NetworkClassifier
from skdg.multitask._network_estimator import MultiTaskNetwork
from skdg.multitask._task_score import TaskClassifierMixin


@estimator
class MultiTaskNetworkClassifier(
    TaskClassifierMixin, MultiTaskNetwork, NetworkClassifier
):
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
    __metadata_request__predict_log_proba: ClassVar[dict[str, bool]] = {"groups": True}
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

    def predict_log_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return logarithms of `predict_proba`, also of those that are 0 to rounding.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities, in the order of `classes_`.
        """
        return log_probabilities(self.decision_function(X, groups))

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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear classifiers of several tasks with a choice of loss and of coupling."""

from typing import Any, ClassVar

import numpy as np
from scipy.special import log_expit, logsumexp
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from skdg._dataclass import estimator
from skdg.multitask._coupled import _MultiTaskLinearModel
from skdg.multitask._linear_classifier import _LinearTaskClassifier
from skdg.multitask._row_loss import LogisticLoss, RowLoss


@estimator
class MultiTaskLinearClassifier(_MultiTaskLinearModel, _LinearTaskClassifier):
    """Linear classifier for each domain; loss and coupling are to be chosen.

    Parameters
    ----------
    loss : {"logistic", "hinge", "squared_hinge"}, default="logistic"
        The loss of a row, ``ell`` in Notes: log(1 + exp(-m)), max(0, 1 - m) or its
        square, with m = y f for a value f and y of -1 or 1. More than two classes are
        treated one against the rest.

    See Also
    --------
    MultiTaskLinearRegressor : The same for numbers.
    MultiTaskLinearSVC : The same as "hinge" with "mean".
    sklearn.linear_model.LogisticRegression : One model for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskLinearClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0, 0, 1, 0, 1, 1]
    >>> model = MultiTaskLinearClassifier(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"])
    array([0, 1])
    """

    loss: str = "logistic"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"logistic", "hinge", "squared_hinge"})],
    }

    __metadata_request__predict_proba: ClassVar[dict[str, bool]] = {"groups": True}
    __metadata_request__predict_log_proba: ClassVar[dict[str, bool]] = {"groups": True}

    def _row_loss(
        self, targets: np.ndarray, weight: np.ndarray
    ) -> RowLoss | LogisticLoss:
        if self.loss == "logistic":
            return LogisticLoss(targets, weight)
        return RowLoss(targets, weight, self.loss == "squared_hinge", None)

    @available_if(lambda self: self.loss == "logistic")
    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return probabilities of the classes; only for the logistic loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`. With more than two classes, each
            is that of the class against the rest, divided by their sum.
        """
        return np.exp(self.predict_log_proba(X, groups))

    @available_if(lambda self: self.loss == "logistic")
    def predict_log_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return logarithms of `predict_proba`, also of those that are 0 to rounding.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities, in the order of `classes_`.
        """
        scores = self._scores(X, groups)
        if len(self.classes_) == 2:
            return log_expit(np.hstack([-scores, scores]))
        logs = log_expit(scores)
        return logs - logsumexp(logs, axis=1, keepdims=True)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The regularized multi-task support vector machine."""

from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skdg._dataclass import estimator
from skdg.multitask._linear_classifier import _LinearTaskClassifier
from skdg.multitask._row_loss import RowLoss
from skdg.multitask._svm import _MultiTaskLinearSVM


@estimator
class MultiTaskLinearSVC(_MultiTaskLinearSVM, _LinearTaskClassifier):
    """Linear support vector machine for each domain, with a shared part.

    Parameters
    ----------
    loss : {"hinge", "squared_hinge"}, default="hinge"
        The loss of a row, ``xi`` in Notes: max(0, 1 - y f) with y of -1 or 1, or its
        square. More than two classes are treated one against the rest.

    See Also
    --------
    MultiTaskLinearSVR : The same for numbers.
    sklearn.svm.LinearSVC : One model for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg import MultiTaskLinearSVC
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0, 0, 1, 0, 1, 1]
    >>> model = MultiTaskLinearSVC(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"])
    array([0, 1])
    """

    loss: str = "hinge"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"hinge", "squared_hinge"})],
    }

    def _row_loss(self, targets: np.ndarray, weight: np.ndarray) -> RowLoss:
        return RowLoss(targets, weight, self.loss == "squared_hinge", None)

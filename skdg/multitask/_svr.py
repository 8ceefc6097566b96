# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The regularized multi-task support vector machine for numbers."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg.multitask._linear_regressor import _LinearTaskRegressor
from skdg.multitask._row_loss import RowLoss
from skdg.multitask._svm import _MultiTaskLinearSVM


@estimator
class MultiTaskLinearSVR(_MultiTaskLinearSVM, _LinearTaskRegressor):
    """Linear support vector regression for each domain, with a shared part.

    Parameters
    ----------
    epsilon : float, default=0.1
        Errors up to this size, in the unit of y, cost nothing. Choose it, and the scale
        of y, together.

    loss : str, default="epsilon_insensitive"
        The loss of a row, ``xi`` in Notes: max(0, abs(y - f) - epsilon), which is
        "epsilon_insensitive", or its square, "squared_epsilon_insensitive".

    See Also
    --------
    MultiTaskLinearSVC : The same for classes.
    sklearn.svm.LinearSVR : One model for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg import MultiTaskLinearSVR
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0.0, 1.0, 2.0, 0.0, 2.0, 4.0]
    >>> model = MultiTaskLinearSVR(epsilon=0.0, lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"]).round(1)
    array([1., 2.])
    """

    epsilon: float = 0.1
    loss: str = "epsilon_insensitive"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    def _row_loss(self, targets: np.ndarray, weight: np.ndarray) -> RowLoss:
        squared = self.loss == "squared_epsilon_insensitive"
        return RowLoss(targets, weight, squared, float(self.epsilon))

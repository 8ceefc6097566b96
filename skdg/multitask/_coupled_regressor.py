# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear regressors of several tasks with a choice of loss and of coupling."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg.multitask._coupled import _MultiTaskLinearModel
from skdg.multitask._linear_regressor import _LinearTaskRegressor
from skdg.multitask._row_loss import RowLoss


@estimator
class MultiTaskLinearRegressor(_MultiTaskLinearModel, _LinearTaskRegressor):
    """Linear regression for each domain; loss and coupling are to be chosen.

    Parameters
    ----------
    loss : {"squared", "epsilon_insensitive"}, default="squared"
        The loss of a row, ``ell`` in Notes: (y - f)^2 or max(0, abs(y - f) - epsilon)
        for a value f.

    epsilon : float, default=0.1
        Errors up to this size, in the unit of y, cost nothing. Only for the loss
        "epsilon_insensitive".

    See Also
    --------
    MultiTaskLinearClassifier : The same for classes.
    MultiTaskLinearSVR : The same as "epsilon_insensitive" with "mean".
    sklearn.linear_model.Ridge : One model for all domains.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskLinearRegressor
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0.0, 1.0, 2.0, 0.0, 2.0, 4.0]
    >>> model = MultiTaskLinearRegressor(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"]).round(1)
    array([1., 2.])
    """

    loss: str = "squared"
    epsilon: float = 0.1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"squared", "epsilon_insensitive"})],
        "epsilon": [Interval(Real, 0, None, closed="left")],
    }

    def _row_loss(self, targets: np.ndarray, weight: np.ndarray) -> RowLoss:
        if self.loss == "squared":
            return RowLoss(targets, weight, squared=True, epsilon=0.0)
        return RowLoss(targets, weight, squared=False, epsilon=float(self.epsilon))

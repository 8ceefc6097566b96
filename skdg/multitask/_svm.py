# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regularized multi-task linear support vector machines."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._linear_classifier import _LinearTaskClassifier
from skdg.multitask._linear_regressor import _LinearTaskRegressor
from skdg.multitask._problem import Solution, TaskProblem, solve, solver_name
from skdg.multitask._row_loss import RowLoss

# Rows whose dual value is below this share of its bound are no support vectors.
_SUPPORT = 1e-6


@estimator
class _MultiTaskLinearSVM(_MultiTaskLinear):
    """What classifier and regressor share.

    Parameters
    ----------
    lambda_shared : float, default=0.01
        Weight of the squared norm of the shared coefficients, ``lambda_2`` in Notes.
        Large: each domain has a model of its own, and the shared model tends to 0. The
        default is small beside `lambda_task`, since domains that were not seen are left
        with the shared model: w_0 is lambda_1 / (lambda_1 + lambda_2) times the mean of
        the w_t.

    lambda_task : float, default=1.0
        Weight of the mean squared norm of the domains' deviations, ``lambda_1`` in
        Notes. Large: all domains have the same model.

    solver : str, default="auto"
        The solver of the quadratic program: any that cvxpy knows by name, such as
        "PIQP", "CLARABEL" or "OSQP". "auto" is PIQP, the fastest on such problems, with
        tolerances near rounding.

    Attributes
    ----------
    support_ : ndarray of shape (n_support,)
        Rows of X that have influence on the solution (for any class).

    References
    ----------
    .. [1] T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004.
    """

    def _choose_solver(self) -> str:
        return solver_name(self.solver)

    def _solve(
        self, problem: TaskProblem, loss: RowLoss, order: np.ndarray
    ) -> Solution:
        return solve(problem, loss, self.solver_, self.solver_options)

    def _after_fit(
        self, solutions: list[Solution], kept: np.ndarray, weight: np.ndarray
    ) -> None:
        dual = np.max([np.abs(solution.beta) for solution in solutions], axis=0)
        self.support_ = kept[dual > _SUPPORT * weight]


@estimator
class MultiTaskLinearSVC(_MultiTaskLinearSVM, _LinearTaskClassifier):
    r"""Linear support vector machine for each domain, with a shared part.

    Parameters
    ----------
    loss : {"hinge", "squared_hinge"}, default="hinge"
        The loss of a row, ``xi`` in Notes, or its square.

    Raises
    ------
    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.

    See Also
    --------
    MultiTaskLinearSVR : The same for numbers.
    sklearn.svm.LinearSVC : One model for all domains.

    Notes
    -----
    The model of domain t is w_t = w_0 + v_t. The objective is [1]_

    .. math:: \min_{w_0, v_t} \; \sum_{t=1}^{T} \sum_{i} \xi_{ti} + \frac{\lambda_1}{T}
       \sum_{t=1}^{T} \|v_t\|^2 + \lambda_2 \|w_0\|^2, \qquad \xi_{ti} = \max(0, 1 -
       y_{ti} (w_0 + v_t)^\top x_{ti}),

    a plain sum over rows, with T domains; weights of rows multiply their losses. At the
    optimum :math:`\sum_t v_t = \mu w_0` with :math:`\mu = T \lambda_2 / \lambda_1`.
    More than two classes are treated one against the rest. X is best standardised.

    Where domains have many rows, or little in common, the models of single domains are
    as good; where they are all alike, so is a pooled one.

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


@estimator
class MultiTaskLinearSVR(_MultiTaskLinearSVM, _LinearTaskRegressor):
    r"""Linear support vector regression for each domain, with a shared part.

    Parameters
    ----------
    epsilon : float, default=0.1
        Errors up to this size, in the unit of y, cost nothing. Choose it, and the scale
        of y, together.

    loss : str, default="epsilon_insensitive"
        The loss of a row, ``xi`` in Notes: "epsilon_insensitive"; or its square:
        "squared_epsilon_insensitive".

    Raises
    ------
    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.

    See Also
    --------
    MultiTaskLinearSVC : The same for classes.
    sklearn.svm.LinearSVR : One model for all domains.

    Notes
    -----
    The model of domain t is w_t = w_0 + v_t. The objective is [1]_

    .. math:: \min_{w_0, v_t} \; \sum_{t=1}^{T} \sum_{i} \xi_{ti} + \frac{\lambda_1}{T}
       \sum_{t=1}^{T} \|v_t\|^2 + \lambda_2 \|w_0\|^2, \qquad \xi_{ti} = \max(0,
       |y_{ti} - (w_0 + v_t)^\top x_{ti}| - \epsilon),

    a plain sum over rows, with T domains; weights of rows multiply their losses. At the
    optimum :math:`\sum_t v_t = \mu w_0` with :math:`\mu = T \lambda_2 / \lambda_1`.
    X is best standardised, and y of the order of 1.

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

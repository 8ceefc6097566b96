# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regularized multi-task support vector machines: parameters and objective."""

from collections.abc import Callable
from functools import partial

import numpy as np

from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._problem import TaskProblem
from skdg.multitask._program import second_solver, solver_name
from skdg.multitask._quadratic_program import solve_quadratic_program
from skdg.multitask._row_loss import RowLoss
from skdg.multitask._solution import Solution

# Rows whose dual value is below this share of its bound are no support vectors.
_SUPPORT = 1e-6


@estimator
class _MultiTaskLinearSVM(_MultiTaskLinear):
    r"""What classifier and regressor share.

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
        tolerances near rounding. Where it finds no solution, or stops short of it, and
        there are no `solver_options`, CLARABEL takes its place, and `solver_` says so.

    Attributes
    ----------
    support_ : ndarray of shape (n_support,)
        Rows of X that have influence on the solution (for any class).

    Notes
    -----
    The model of domain t is :math:`f_t(x) = (w_0 + v_t)^\top x + b_0 + c_t`. With T
    domains the objective is [1]_

    .. math:: \min_{w_0, v_t, b_0, c_t} \; \sum_{t=1}^{T} \sum_{i} \xi_{ti} +
       \frac{\lambda_1}{T} \sum_{t=1}^{T} (\|v_t\|^2 + c_t^2) + \lambda_2 \|w_0\|^2,

    a plain sum over rows; weights of rows multiply their losses :math:`\xi_{ti}`. At
    the optimum :math:`\sum_t v_t = \mu w_0` with :math:`\mu = T \lambda_2 / \lambda_1`,
    and without offsets it is that of one machine with C = T / (2 lambda_1) on the
    features :math:`(x / \sqrt{\mu}, 0, \dots, x, \dots, 0)`, x in the place of its
    domain. The paper has no offsets (``fit_intercept=False``). X is best standardized,
    and numbers y of the order of 1.

    Where domains have many rows, or little in common, the models of single domains are
    as good; where they are all alike, so is a pooled one.

    References
    ----------
    .. [1] T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004.
    """

    def _choose_solver(self) -> str:
        return solver_name(self.solver)

    def _make_solve(
        self, problem: TaskProblem, order: np.ndarray
    ) -> Callable[[RowLoss], Solution]:
        options = self.solver_options
        second = second_solver(self.solver, options)
        return partial(
            solve_quadratic_program,
            problem,
            solver=self.solver_,
            options=options,
            second=second,
        )

    def _after_fit(
        self, solutions: list[Solution], kept: np.ndarray, weight: np.ndarray
    ) -> None:
        dual = np.max([np.abs(solution.beta) for solution in solutions], axis=0)
        self.support_ = kept[dual > _SUPPORT * weight]

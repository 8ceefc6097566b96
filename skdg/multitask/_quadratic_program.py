# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The multi-task support vector machine as a quadratic program for cvxpy."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import cvxpy
import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skdg.multitask._convex import solve_convex
from skdg.multitask._coupling_quadratic import MeanCoupling
from skdg.multitask._problem import TaskProblem
from skdg.multitask._program import DEFAULT_SOLVER, run_program
from skdg.multitask._row_loss import RowLoss
from skdg.multitask._solution import GAP_TO_WARN_OF, Solution, gap_message

# The default solver goes on until rounding stops it: what is left is not to be seen in
# a prediction, and weighted rows give the coefficients of repeated rows.
_DEFAULT_OPTIONS = {
    "eps_abs": 1e-10,
    "eps_rel": 1e-10,
    "eps_duality_gap_abs": 1e-10,
    "eps_duality_gap_rel": 1e-10,
}


def solve_quadratic_program(
    problem: TaskProblem,
    loss: RowLoss,
    solver: str,
    options: Mapping[str, Any] | None,
    second: str | None = None,
) -> Solution:
    """Solve one multi-task problem through cvxpy.

    Parameters
    ----------
    problem : TaskProblem
        Rows and coupling.

    loss : RowLoss
        Targets and loss.

    solver : str
        A solver that cvxpy knows, from `solver_name`.

    options : dict or None
        Options of the solver.

    second : str, default=None
        The solver that takes over if the first one fails or stops short.

    Returns
    -------
    Solution
        Coefficients and dual values, certified by their gap.

    Raises
    ------
    RuntimeError
        If the solver fails, and a second one too, with its own words.

    Warns
    -----
    ConvergenceWarning
        If the solver stops short of the optimum.
    """
    theta = cvxpy.Variable(problem.design.shape[1])
    excess = cvxpy.Variable(len(loss.targets), nonneg=True)
    constraints = _loss_constraints(problem, loss, theta, excess)
    cost = (
        cvxpy.sum_squares(cvxpy.multiply(np.sqrt(loss.weight), excess))
        if loss.squared
        else loss.weight @ excess
    )
    penalty = cvxpy.quad_form(theta, problem.penalty_matrix, assume_PSD=True)
    program = cvxpy.Problem(cvxpy.Minimize(penalty + cost), constraints)
    tight = _DEFAULT_OPTIONS if solver == DEFAULT_SOLVER else {}
    taken_over = None
    try:
        run_program(program, solver, {**tight, **(options or {})})
    except RuntimeError:
        if second is None:
            raise
        taken_over = second
        run_program(program, taken_over, {})
    found = np.asarray(theta.value)
    beta = np.asarray(constraints[0].dual_value)
    if loss.epsilon is not None:
        beta = beta - constraints[1].dual_value
    if loss.epsilon is None:
        beta = loss.targets * beta
    beta = loss.make_feasible(beta, balanced=problem.has_offset)
    value = loss.value(problem.design @ found) + problem.penalty(found)
    bound = loss.dual_value(beta) - problem.conjugate_penalty(beta)
    gap = max(0.0, value - bound) / max(1.0, abs(value))
    if not gap <= GAP_TO_WARN_OF:
        if second is not None:
            # Where penalties are huge, w_0 and the w_t are the same but for rounding,
            # and a program that knows their differences is slower and more exact. It
            # takes over if it has no reason to warn.
            shared, task = problem.lambda_shared, problem.lambda_task
            coupling, shrinkage = MeanCoupling(shared, task), task / (shared + task)
            with suppress(RuntimeError, ConvergenceWarning), warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                found_by_second = solve_convex(
                    problem, loss, coupling, second, None, shrinkage
                )
                return replace(found_by_second, solver=second)
        warnings.warn(
            gap_message(taken_over or solver, program.status, gap),
            ConvergenceWarning,
            stacklevel=2,
        )
    return Solution(found, beta, value, gap, taken_over)


def _loss_constraints(
    problem: TaskProblem, loss: RowLoss, theta: Any, excess: Any
) -> list[Any]:
    """Return what ties the excess of each row to its value."""
    if loss.epsilon is None:
        signed = sparse.diags_array(loss.targets) @ problem.design
        return [signed @ theta + excess >= 1.0]
    return [
        problem.design @ theta + excess >= loss.targets - loss.epsilon,
        problem.design @ theta - excess <= loss.targets + loss.epsilon,
    ]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any loss with any coupling: one program for cvxpy.

The values f of all rows are variables, tied to the coefficients by an equation. The
dual values of that equation are those of the rows, whatever loss and coupling are.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import cvxpy
import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skdg.multitask._certificate import certify
from skdg.multitask._coupling import Coupling
from skdg.multitask._problem import TaskProblem
from skdg.multitask._program import run_program
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import GAP_TO_WARN_OF, Solution, gap_message

DEFAULT_CONVEX_SOLVER = "CLARABEL"
# Near a corner of a norm rounding may drive the solver away again, which is a failure
# to it: each way here has solved problems at which the ones before it have failed.
_TIGHT = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
_WAYS: list[dict[str, Any]] = [
    _TIGHT,
    {**_TIGHT, "equilibrate_enable": False},
    {},
    {"tol_gap_abs": 1e-7, "tol_gap_rel": 1e-7, "tol_feas": 1e-7},
    {**_TIGHT, "max_step_fraction": 0.9},
]
_GAP_TO_STOP_AT = 1e-8


def solve_convex(
    problem: TaskProblem,
    loss: RowLoss | LogisticLoss,
    coupling: Coupling,
    solver: str,
    options: Mapping[str, Any] | None,
    shrinkage: float = 1.0,
) -> Solution:
    """Solve a problem with any coupling through cvxpy.

    Parameters
    ----------
    problem : TaskProblem
        Rows, and the weight of the offsets' deviations.

    loss : RowLoss or LogisticLoss
        Targets and loss.

    coupling : Coupling
        The penalty of the coefficients without offsets.

    solver : str
        A solver that cvxpy knows, from `solver_name`.

    options : dict or None
        Options of the solver.

    shrinkage : float, default=1.0
        What the mean of the tasks' coefficients is multiplied with to get the shared
        ones.

    Returns
    -------
    Solution
        Coefficients and dual values, certified by their gap.

    Raises
    ------
    RuntimeError
        If the solver fails, with the solver's own words.

    Warns
    -----
    ConvergenceWarning
        If the solver stops short of the optimum.
    """
    n_tasks, n_columns = problem.n_tasks, problem.X.shape[1]
    n_features = n_columns - problem.has_offset
    W = cvxpy.Variable((n_tasks, n_features))
    f = cvxpy.Variable(len(loss.targets))
    columns = np.arange(n_tasks * n_columns).reshape(n_tasks, n_columns)
    design = problem.design.tocsc()
    values = design[:, columns[:, :n_features].ravel()] @ cvxpy.vec(W, order="C")
    penalty, constraints = coupling.expression(W)
    if problem.has_offset:
        own, b = cvxpy.Variable(n_tasks), cvxpy.Variable()
        rows = np.arange(len(problem.codes))
        ones = np.ones(len(rows))
        of_task = sparse.csr_array((ones, (rows, problem.codes)), (len(rows), n_tasks))
        values = values + of_task @ own + b
        penalty = penalty + problem.own_penalty[-1] * cvxpy.sum_squares(own)
    constraints = [f == values, *constraints]
    program = cvxpy.Problem(cvxpy.Minimize(loss.expression(f) + penalty), constraints)

    def solution_of_program() -> Solution:
        tasks = np.asarray(W.value)
        if problem.has_offset:
            offsets = np.asarray(own.value)[:, None] + np.asarray(b.value)
            tasks = np.hstack([tasks, offsets])
        shared = tasks.mean(axis=0)
        shared[:n_features] *= shrinkage
        beta = np.asarray(constraints[0].dual_value)
        return certify(problem, loss, coupling, tasks, shared, beta)

    ways = _WAYS if solver == DEFAULT_CONVEX_SOLVER and not options else [options or {}]
    solution, failure = None, None
    for way in ways:
        try:
            run_program(program, solver, dict(way))
        except RuntimeError as error:
            failure = failure or error
            continue
        found = solution_of_program()
        if solution is None or found.gap < solution.gap:
            solution, status = found, program.status
        if solution.gap <= _GAP_TO_STOP_AT:
            break
    if solution is None:
        assert failure is not None
        raise failure
    # The gap is proven, so it counts for more than what the solver calls its status.
    if not solution.gap <= GAP_TO_WARN_OF:
        warnings.warn(
            gap_message(solver, status, solution.gap),
            ConvergenceWarning,
            stacklevel=2,
        )
    return solution

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Newton's method for smooth losses with a quadratic coupling, without cvxpy.

For squared errors the first step is the solution of the linear system, and the second
removes its rounding.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning

from skdg.multitask._certificate import certify
from skdg.multitask._coupling import Coupling
from skdg.multitask._problem import TaskProblem
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import GAP_TO_WARN_OF, Solution, gap_message

_MAX_ITER = 100
# Below this share of the objective a step is rounding.
_ROUNDING = 1e-14

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def minimize(
    stack: Any, penalty: Any, loss: RowLoss | LogisticLoss, step: Step
) -> tuple[np.ndarray, np.ndarray, str]:
    """Minimize ``loss(stack @ x) + x' penalty x`` from 0, where steps are halved.

    Returns x, the dual values of rows, and how it ended.
    """
    x = np.zeros(stack.shape[1])
    f = np.zeros(stack.shape[0])
    times = penalty.__mul__ if penalty.ndim == 1 else penalty.__matmul__
    value = loss.value(f)
    status = "iteration limit"
    for _ in range(_MAX_ITER):
        slope, curvature = loss.derivatives(f)
        gradient = stack.T @ slope + 2 * times(x)
        move = step(x, gradient, curvature)
        decrease = -gradient @ move
        length = 1.0
        while length > 1e-10:
            candidate = x + length * move
            f_candidate = stack @ candidate
            new = loss.value(f_candidate) + candidate @ times(candidate)
            if new <= value - 1e-4 * length * decrease:
                break
            if decrease <= _ROUNDING * max(1.0, abs(value)):
                break  # what is left of the gradient is rounding: one last step
            length /= 2
        else:
            status = "no further decrease"
            break
        if not np.isfinite(new):
            status = "not finite"
            break
        x, f, value = candidate, f_candidate, new
        if decrease <= _ROUNDING * max(1.0, abs(value)):
            status = "optimal"
            break
    return x, -loss.derivatives(f)[0], status


def solve_scaled(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a positive semidefinite system, after scaling its diagonal to 1."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    scaled = matrix * np.outer(scale, scale)
    try:
        factor = linalg.cho_factor(scaled, check_finite=False)
        return scale * linalg.cho_solve(factor, scale * right, check_finite=False)
    except linalg.LinAlgError:  # singular to rounding
        return scale * np.linalg.lstsq(scaled, scale * right, rcond=None)[0]


def finish(
    problem: TaskProblem,
    loss: RowLoss | LogisticLoss,
    coupling: Coupling,
    tasks: np.ndarray,
    shared: np.ndarray,
    beta: np.ndarray,
    status: str,
) -> Solution:
    """Certify a solution, and warn if it falls short of the optimum."""
    solution = certify(problem, loss, coupling, tasks, shared, beta)
    if not solution.gap <= GAP_TO_WARN_OF:
        warnings.warn(
            gap_message("Newton's method", status, solution.gap),
            ConvergenceWarning,
            stacklevel=3,
        )
    return solution

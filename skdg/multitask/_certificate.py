# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How far coefficients are from the optimum at most, whatever found them."""

import numpy as np

from skdg.multitask._coupling import Coupling
from skdg.multitask._problem import TaskProblem
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import Solution


def certify(
    problem: TaskProblem,
    loss: RowLoss | LogisticLoss,
    coupling: Coupling,
    tasks: np.ndarray,
    shared: np.ndarray,
    beta: np.ndarray,
) -> Solution:
    """Evaluate coefficients by the definition, and bound the optimum from below.

    Parameters
    ----------
    problem : TaskProblem
        Rows, and the weight of the offsets' deviations.

    loss : RowLoss or LogisticLoss
        Targets and loss.

    coupling : Coupling
        The penalty of the coefficients without offsets.

    tasks : ndarray of shape (n_tasks, n_columns)
        Coefficients of each task, and its offset if there is one.

    shared : ndarray of shape (n_columns,)
        The shared ones.

    beta : ndarray of shape (n_rows,)
        Dual values, which need not be feasible.

    Returns
    -------
    Solution
        With feasible dual values, the objective and the gap.
    """
    n_features = problem.X.shape[1] - problem.has_offset
    block = problem.design[:, : tasks.size]
    value = loss.value(block @ tasks.ravel()) + coupling.value(tasks[:, :n_features])
    if problem.has_offset:
        value += problem.own_penalty[-1] * ((tasks[:, -1] - shared[-1]) ** 2).sum()
    beta = loss.make_feasible(beta, balanced=problem.has_offset)
    sums = (block.T @ beta).reshape(tasks.shape)
    factor = coupling.dual_factor(sums[:, :n_features])
    beta, sums = factor * beta, factor * sums
    bound = loss.dual_value(beta) - coupling.conjugate(sums[:, :n_features])
    if problem.has_offset:
        bound -= (sums[:, -1] ** 2).sum() / (4.0 * problem.own_penalty[-1])
    gap = max(0.0, value - bound) / max(1.0, abs(value))
    return Solution(np.concatenate([tasks.ravel(), shared]), beta, value, gap)

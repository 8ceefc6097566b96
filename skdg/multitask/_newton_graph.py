# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Smooth losses under any quadratic coupling, that of a graph of tasks above all."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from skdg.multitask._coupling_quadratic import QuadraticCoupling
from skdg.multitask._newton import finish, minimize, solve_scaled
from skdg.multitask._problem import TaskProblem
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import Solution

# Above this share of entries in the matrix a dense factorization is faster.
_DENSE = 0.05


def solve_graph(
    problem: TaskProblem, loss: RowLoss | LogisticLoss, coupling: QuadraticCoupling
) -> Solution:
    """Solve a smooth problem under any quadratic coupling.

    Parameters
    ----------
    problem : TaskProblem
        Rows, and the weight of the offsets' deviations.

    loss : RowLoss or LogisticLoss
        A loss with derivatives.

    coupling : QuadraticCoupling
        The coupling of the coefficients without offsets.

    Returns
    -------
    Solution
        Coefficients and dual values, certified by their gap. The shared coefficients
        are the means over tasks.

    Warns
    -----
    ConvergenceWarning
        If it stops short of the optimum.
    """
    n_tasks, n_columns = problem.n_tasks, problem.X.shape[1]
    size = n_tasks * n_columns
    kind = np.ones(n_columns)
    if problem.has_offset:
        kind[-1] = 0.0
    penalty = sparse.kron(coupling.matrix, sparse.diags_array(kind), format="csc")
    stack = problem.design[:, :size]
    if problem.has_offset:
        # Offsets are deviations from one more unknown, which is free.
        own = sparse.diags_array((1.0 - kind) * problem.own_penalty)
        penalty = penalty + sparse.kron(sparse.eye_array(n_tasks), own)
        penalty = sparse.block_diag([penalty, np.zeros((1, 1))], format="csc")
        ones = sparse.csr_array(np.ones((stack.shape[0], 1)))
        stack = sparse.hstack([stack, ones])
    stack = stack.tocsr()
    penalty.eliminate_zeros()

    def step(x: np.ndarray, gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        hessian = stack.T @ (sparse.diags_array(curvature) @ stack) + 2 * penalty
        if hessian.nnz > _DENSE * hessian.shape[0] ** 2:
            return solve_scaled(hessian.toarray(), -gradient)
        scale = 1.0 / np.sqrt(np.maximum(hessian.diagonal(), np.finfo(float).tiny))
        scaling = sparse.diags_array(scale)
        factor = splu((scaling @ hessian @ scaling).tocsc())
        return -scale * factor.solve(scale * gradient)

    found, beta, status = minimize(stack, penalty, loss, step)
    tasks = found[:size].reshape(n_tasks, -1).copy()
    if problem.has_offset:
        tasks[:, -1] += found[-1]
    w_0 = tasks.mean(axis=0)
    return finish(problem, loss, coupling, tasks, w_0, beta, status)

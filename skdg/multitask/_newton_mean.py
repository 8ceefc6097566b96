# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Smooth losses under the mean coupling: linear in the number of tasks.

Tasks meet in w_0 alone: what is left once the deviations v_t are eliminated is a system
of the size of one model (a Schur complement).
"""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from skdg.multitask._coupling_quadratic import MeanCoupling
from skdg.multitask._newton import finish, minimize, solve_scaled
from skdg.multitask._problem import TaskProblem
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import Solution


def solve_mean(problem: TaskProblem, loss: RowLoss | LogisticLoss) -> Solution:
    """Solve a smooth problem under the mean coupling.

    Parameters
    ----------
    problem : TaskProblem
        Rows and coupling.

    loss : RowLoss or LogisticLoss
        A loss with derivatives.

    Returns
    -------
    Solution
        Coefficients and dual values, certified by their gap.

    Warns
    -----
    ConvergenceWarning
        If it stops short of the optimum.
    """
    n_tasks, n_columns = problem.n_tasks, problem.X.shape[1]
    size = n_tasks * n_columns
    design = problem.design[:, :size].tocsr()
    # The values of rows are those of v_t plus those of w_0.
    stack = sparse.hstack([design, sparse.csr_array(problem.X)], format="csr")
    penalty = np.append(np.tile(problem.own_penalty, n_tasks), problem.shared_penalty)
    order = np.argsort(problem.codes, kind="stable")
    bounds = np.searchsorted(problem.codes[order], np.arange(n_tasks + 1))
    blocks = [problem.X[order[a:b]] for a, b in pairwise(bounds)]
    own, shared = 2 * problem.own_penalty, 2 * problem.shared_penalty
    scale = np.sqrt(own)

    def step(x: np.ndarray, gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        # In units in which the penalty of v_t is the identity.
        roots = np.sqrt(curvature[order])
        parts = (roots[a:b] for a, b in pairwise(bounds))
        # Of the rows and not of their Gram matrix, which would square the rounding.
        factors = [_triangle(X, h, scale) for X, h in zip(blocks, parts, strict=True)]
        _, singular, rows = np.linalg.svd(np.stack(factors))
        values, vectors = singular**2, rows.transpose(0, 2, 1)
        g = gradient[:size].reshape(n_tasks, -1) / scale
        rotated = np.einsum("tji,tj->ti", vectors, g)
        kept = values / (1.0 + values)
        left = np.einsum("tij,tj,tkj->ik", vectors, kept, vectors, optimize=True)
        # The gradient of w_0 is the sum of those of the v_t, but for the penalties: to
        # subtract the two as they are would leave rounding alone.
        right = own * x[:size].reshape(n_tasks, -1).sum(axis=0) - shared * x[size:]
        right = right / scale
        right -= np.einsum("tij,tj->i", vectors, rotated / (1.0 + values))
        common = solve_scaled(left + np.diag(shared / own), right)
        moved = np.einsum("tji,j->ti", vectors, common)
        v = -(rotated / (1.0 + values) + kept * moved)
        v = np.einsum("tij,tj->ti", vectors, v) / scale
        return np.append(v.ravel(), common / scale)

    found, beta, status = minimize(stack, penalty, loss, step)
    w_0 = found[size:]
    tasks = found[:size].reshape(n_tasks, -1) + w_0
    coupling = MeanCoupling(problem.lambda_shared, problem.lambda_task)
    return finish(problem, loss, coupling, tasks, w_0, beta, status)


def _triangle(X: Any, root: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return a square R with ``R' R = A' A``, A = diag(root) X diag(1 / scale)."""
    dense = X.toarray() if sparse.issparse(X) else X
    A = root[:, None] * dense / scale
    n_columns = len(scale)
    if len(A) > n_columns:
        return np.asarray(np.linalg.qr(A, mode="r"))
    return np.vstack([A, np.zeros((n_columns - len(A), n_columns))])

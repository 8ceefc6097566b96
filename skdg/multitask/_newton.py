# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Smooth losses with a quadratic coupling: Newton's method, without cvxpy.

For squared errors the first step is the solution of the linear system, and the second
removes its rounding. Under the mean coupling tasks meet in w_0 alone: what is left
once the deviations v_t are eliminated is a system of the size of one model (a Schur
complement), so that the cost is linear in the number of tasks.
"""

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu
from sklearn.exceptions import ConvergenceWarning

from skdg.multitask._convex import certify
from skdg.multitask._coupling import Coupling
from skdg.multitask._coupling_quadratic import MeanCoupling, QuadraticCoupling
from skdg.multitask._problem import (
    GAP_TO_WARN_OF,
    Solution,
    TaskProblem,
    gap_message,
)
from skdg.multitask._row_loss import LogisticLoss, RowLoss

_MAX_ITER = 100
# Below this share of the objective a step is rounding.
_ROUNDING = 1e-14
# Above this share of entries in the matrix a dense factorization is faster.
_DENSE = 0.05

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


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
        common = _solve_scaled(left + np.diag(shared / own), right)
        moved = np.einsum("tji,j->ti", vectors, common)
        v = -(rotated / (1.0 + values) + kept * moved)
        v = np.einsum("tij,tj->ti", vectors, v) / scale
        return np.append(v.ravel(), common / scale)

    found, beta, status = _newton(stack, penalty, loss, step)
    w_0 = found[size:]
    tasks = found[:size].reshape(n_tasks, -1) + w_0
    coupling = MeanCoupling(problem.lambda_shared, problem.lambda_task)
    return _finish(problem, loss, coupling, tasks, w_0, beta, status)


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
            return _solve_scaled(hessian.toarray(), -gradient)
        scale = 1.0 / np.sqrt(np.maximum(hessian.diagonal(), np.finfo(float).tiny))
        scaling = sparse.diags_array(scale)
        factor = splu((scaling @ hessian @ scaling).tocsc())
        return -scale * factor.solve(scale * gradient)

    found, beta, status = _newton(stack, penalty, loss, step)
    tasks = found[:size].reshape(n_tasks, -1).copy()
    if problem.has_offset:
        tasks[:, -1] += found[-1]
    w_0 = tasks.mean(axis=0)
    return _finish(problem, loss, coupling, tasks, w_0, beta, status)


def _newton(
    stack: Any, penalty: Any, loss: RowLoss | LogisticLoss, step: Step
) -> tuple[np.ndarray, np.ndarray, str]:
    """Minimise ``loss(stack @ x) + x' penalty x`` from 0, where steps are halved.

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


def _triangle(X: Any, root: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return a square R with ``R' R = A' A``, A = diag(root) X diag(1 / scale)."""
    dense = X.toarray() if sparse.issparse(X) else X
    A = root[:, None] * dense / scale
    n_columns = len(scale)
    if len(A) > n_columns:
        return np.asarray(np.linalg.qr(A, mode="r"))
    return np.vstack([A, np.zeros((n_columns - len(A), n_columns))])


def _solve_scaled(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a positive semidefinite system, after scaling its diagonal to 1."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    scaled = matrix * np.outer(scale, scale)
    try:
        factor = linalg.cho_factor(scaled, check_finite=False)
        return scale * linalg.cho_solve(factor, scale * right, check_finite=False)
    except linalg.LinAlgError:  # singular to rounding
        return scale * np.linalg.lstsq(scaled, scale * right, rcond=None)[0]


def _finish(
    problem: TaskProblem,
    loss: RowLoss | LogisticLoss,
    coupling: Coupling,
    tasks: np.ndarray,
    shared: np.ndarray,
    beta: np.ndarray,
    status: str,
) -> Solution:
    solution = certify(problem, loss, coupling, tasks, shared, beta)
    if not solution.gap <= GAP_TO_WARN_OF:
        warnings.warn(
            gap_message("Newton's method", status, solution.gap),
            ConvergenceWarning,
            stacklevel=3,
        )
    return solution

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Couplings that are quadratic forms: the mean of all tasks, and a graph of tasks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cvxpy
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from skdg.multitask._coupling import Coupling, Expression


@dataclass(frozen=True)
class QuadraticCoupling(Coupling):
    """``sum_st K_st w_s' w_t``, with a positive definite matrix K.

    Parameters
    ----------
    matrix : sparse array of shape (n_tasks, n_tasks)
        The matrix K.
    """

    matrix: Any

    @cached_property
    def _factor(self) -> Any:
        return splu(self.matrix.tocsc())

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        return float((W * (self.matrix @ W)).sum())

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        matrix = sparse.kron(self.matrix, sparse.eye_array(W.shape[1]), format="csc")
        return cvxpy.quad_form(cvxpy.vec(W, order="C"), matrix, assume_PSD=True), []

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S."""
        return float((S * self._factor.solve(S)).sum() / 4.0)


@dataclass(frozen=True)
class MeanCoupling(Coupling):
    """``lambda_shared |w_0|^2 + lambda_task / n_tasks sum_t |w_t - w_0|^2``.

    This is its least value over w_0 (Lemma 2.2 of Evgeniou and Pontil): a weight on the
    distances from the mean, and another on the mean.

    Parameters
    ----------
    lambda_shared, lambda_task : float
        Weights.
    """

    lambda_shared: float
    lambda_task: float

    def _weights(self, n_tasks: int) -> tuple[float, float]:
        ratio = self.lambda_shared / (self.lambda_shared + self.lambda_task)
        return self.lambda_task / n_tasks, self.lambda_task * ratio / n_tasks

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        own, common = self._weights(len(W))
        mean = W.mean(axis=0)
        return float(own * ((W - mean) ** 2).sum() + common * len(W) * mean @ mean)

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        w_0 = cvxpy.Variable((1, W.shape[1]))
        own = cvxpy.sum_squares(W - np.ones((W.shape[0], 1)) @ w_0)
        weight = self.lambda_task / W.shape[0]
        return self.lambda_shared * cvxpy.sum_squares(w_0) + weight * own, []

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S."""
        own, common = self._weights(len(S))
        mean = S.mean(axis=0)
        apart = ((S - mean) ** 2).sum() / own
        return float((apart + len(S) * mean @ mean / common) / 4.0)


def graph_coupling(
    lambda_shared: float, lambda_task: float, graph: np.ndarray
) -> QuadraticCoupling:
    """Couple the tasks that a graph links.

    Parameters
    ----------
    lambda_shared, lambda_task : float
        Weights.

    graph : ndarray of shape (n_tasks, n_tasks)
        Weight of each pair, symmetric and not negative.

    Returns
    -------
    QuadraticCoupling
        ``lambda_task / n_tasks^2`` times the sum over pairs of
        ``graph_st |w_s - w_t|^2``, plus ``lambda_shared / n_tasks sum_t |w_t|^2``.
    """
    n_tasks = len(graph)
    links = sparse.csr_array(graph - np.diag(np.diag(graph)))
    laplacian = sparse.diags_array(links.sum(axis=1)) - links
    ridge = sparse.eye_array(n_tasks)
    matrix = lambda_task / n_tasks**2 * laplacian + lambda_shared / n_tasks * ridge
    return QuadraticCoupling(matrix.tocsr())

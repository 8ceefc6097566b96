# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How the coefficients of tasks are coupled: convex penalties and their conjugates.

Rows of W (n_tasks, n_features) are tasks. Each penalty knows its value, itself as an
expression of cvxpy, and its conjugate: the largest ``<S, W> - value(W)``. For a norm
that is 0 or infinite; there is the factor by which S must be shrunk to make it 0.

Penalties of singular values are one semidefinite block of size n_tasks + n_features.
Many small blocks, one for each row of W, would take far longer.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cvxpy
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

Expression = tuple[Any, list[Any]]


class Coupling:
    """A convex penalty on the coefficients of all tasks."""

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        raise NotImplementedError

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        raise NotImplementedError

    def dual_factor(self, S: np.ndarray) -> float:
        """Return the largest factor up to 1 that makes the conjugate of S finite."""
        return 1.0

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S, which must be finite."""
        raise NotImplementedError


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


@dataclass(frozen=True)
class ClusteredCoupling(Coupling):
    """Tasks near the mean of their cluster: the convex relaxation over clusterings.

    Parameters
    ----------
    lambda_shared, lambda_task : float
        Weights of ``sum_t |w_t|^2 / n_tasks`` and of the same sum of the distances of
        w_t from the mean of its cluster.

    n_clusters : int
        Number of clusters.
    """

    lambda_shared: float
    lambda_task: float
    n_clusters: int

    @property
    def _eta(self) -> float:
        return self.lambda_shared / self.lambda_task

    def _factor(self, n_tasks: int) -> float:
        return self.lambda_shared / n_tasks * (1.0 + self._eta)

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W: a sum over squared singular values.

        The weight of each is the best split of `n_clusters` among them.
        """
        sigma = np.linalg.svd(W, compute_uv=False)
        positive = sigma[sigma > 1e-15 * max(sigma.max(), 1e-300)]
        share = np.ones(len(positive))
        if len(positive) > self.n_clusters:
            # Shares grow piecewise linearly until their sum is what is to be split.
            points = np.sort(np.outer([self._eta, self._eta + 1], 1 / positive).ravel())
            grown = np.clip(np.outer(points, positive) - self._eta, 0.0, 1.0)
            point = np.interp(self.n_clusters, grown.sum(axis=1), points)
            share = np.clip(point * positive - self._eta, 0.0, 1.0)
        return float(self._factor(len(W)) * (positive**2 / (self._eta + share)).sum())

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        # On the smaller side the same: further singular values are 0 and need no share.
        side = min(W.shape)
        M = cvxpy.Variable((side, side), PSD=True)
        columns = W if W.shape[0] == side else W.T
        total = cvxpy.matrix_frac(columns, M + self._eta * np.eye(side))
        constraints = [cvxpy.trace(M) <= min(self.n_clusters, side)]
        constraints += [np.eye(side) - M >> 0]
        return self._factor(W.shape[0]) * total, constraints

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S; its largest singular values count more."""
        squares = np.linalg.svd(S, compute_uv=False) ** 2
        total = self._eta * squares.sum() + squares[: self.n_clusters].sum()
        return float(total / (4.0 * self._factor(len(S))))


class _Norm(Coupling):
    """A multiple of a norm: its conjugate is 0 within a ball of the dual norm."""

    def _dual_norm(self, S: np.ndarray) -> float:
        raise NotImplementedError

    def dual_factor(self, S: np.ndarray) -> float:
        """Return the largest factor up to 1 that makes the conjugate of S finite."""
        return 1.0 / max(1.0, self._dual_norm(S))

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S, which must be finite."""
        return 0.0


@dataclass(frozen=True)
class LowRankCoupling(_Norm):
    """The sum of singular values.

    Parameters
    ----------
    weight : float
        Weight of the norm.
    """

    weight: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        return float(self.weight * np.linalg.norm(W, "nuc"))

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        return self.weight * cvxpy.normNuc(W), []

    def _dual_norm(self, S: np.ndarray) -> float:
        return float(np.linalg.norm(S, 2)) / self.weight


@dataclass(frozen=True)
class JointFeatureCoupling(_Norm):
    """The sum over features of the norm of their coefficients in all tasks.

    Parameters
    ----------
    weight : float
        Weight of the norm.
    """

    weight: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        return float(self.weight * np.linalg.norm(W, axis=0).sum())

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        return self.weight * cvxpy.sum(cvxpy.norm(W, 2, axis=0)), []

    def _dual_norm(self, S: np.ndarray) -> float:
        return float(np.linalg.norm(S, axis=0).max()) / self.weight


@dataclass(frozen=True)
class DirtyCoupling(_Norm):
    """A part of which tasks share the features, plus a sparse part: W = P + Q.

    Parameters
    ----------
    shared, own : float
        Weights of the sum over features of the largest absolute coefficient in P, and
        of the sum of absolute coefficients in Q.
    """

    shared: float
    own: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W, with the best split.

        P cuts the coefficients of a feature at a height above which fewer stand than
        would pay for raising it.
        """
        sizes = -np.sort(-np.abs(W), axis=0)
        above = self.shared / self.own
        height = sizes[int(above)] if above < len(W) else np.zeros(W.shape[1])
        rest = np.maximum(0.0, sizes - height).sum()
        return float(self.shared * height.sum() + self.own * rest)

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        P = cvxpy.Variable(W.shape)
        shared = self.shared * cvxpy.sum(cvxpy.max(cvxpy.abs(P), axis=0))
        return shared + self.own * cvxpy.sum(cvxpy.abs(W - P)), []

    def _dual_norm(self, S: np.ndarray) -> float:
        sizes = np.abs(S)
        return float(max(sizes.sum(axis=0).max() / self.shared, sizes.max() / self.own))

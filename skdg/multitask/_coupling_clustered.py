# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The coupling of tasks in clusters that are not known beforehand."""

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from skdg.multitask._coupling import Coupling, Expression


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
        # Of size 1 for any eta: where that is large the solver sees W and M alike.
        spread = (M + self._eta * np.eye(side)) / (1.0 + self._eta)
        total = cvxpy.matrix_frac(columns, spread)
        constraints = [cvxpy.trace(M) <= min(self.n_clusters, side)]
        constraints += [np.eye(side) - M >> 0]
        return self.lambda_shared / W.shape[0] * total, constraints

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S; its largest singular values count more."""
        squares = np.linalg.svd(S, compute_uv=False) ** 2
        total = self._eta * squares.sum() + squares[: self.n_clusters].sum()
        return float(total / (4.0 * self._factor(len(S))))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Several linear tasks with a common part.

With w_t = w_0 + v_t and an offset as one more feature, the unknowns are stacked as
theta = (w_1, ..., w_T, w_0). In these a row touches one block only, and the penalty is
a quadratic form that is sparse too. Written with v_t, each row would touch two blocks;
written with one term per task, the compilation alone takes longer than the solution.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse


def with_ones(X: Any) -> Any:
    """Append the column whose coefficients are offsets; sparse data stay sparse."""
    ones = np.ones((X.shape[0], 1))
    return (
        sparse.hstack([X, ones]).tocsr() if sparse.issparse(X) else np.hstack([X, ones])
    )


@dataclass(frozen=True)
class TaskProblem:
    """Rows of several tasks, and how the tasks are coupled.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_rows, n_features)
        The features, with a column of ones at the end if there is an offset.

    codes : ndarray of shape (n_rows,)
        The task of each row.

    n_tasks : int
        Number of tasks.

    lambda_shared, lambda_task : float
        Weights of ``|w_0|^2`` and of ``sum_t |v_t|^2 / n_tasks``.

    has_offset : bool
        Whether the last column is the offset, which is free in w_0.

    lambda_offset : float, default=None
        Weight in place of `lambda_task` in the last column, if that is the offset.
    """

    X: Any
    codes: np.ndarray
    n_tasks: int
    lambda_shared: float
    lambda_task: float
    has_offset: bool
    lambda_offset: float | None = None

    @cached_property
    def own_penalty(self) -> np.ndarray:
        """Weight of each squared entry of a deviation v_t."""
        penalty = np.full(self.X.shape[1], self.lambda_task)
        if self.has_offset and self.lambda_offset is not None:
            penalty[-1] = self.lambda_offset
        return penalty / self.n_tasks

    @cached_property
    def shared_penalty(self) -> np.ndarray:
        """Weight of each squared entry of w_0."""
        penalty = np.full(self.X.shape[1], self.lambda_shared)
        if self.has_offset:
            penalty[-1] = 0.0
        return penalty

    @cached_property
    def design(self) -> sparse.csr_array:
        """Block-diagonal features, one block of columns per task and one for w_0."""
        X = sparse.csr_array(self.X)
        per_row = np.diff(X.indptr)
        shift = np.repeat(self.codes.astype(np.int64) * X.shape[1], per_row)
        shape = (X.shape[0], (self.n_tasks + 1) * X.shape[1])
        return sparse.csr_array((X.data, X.indices + shift, X.indptr), shape=shape)

    @cached_property
    def penalty_matrix(self) -> sparse.csc_array:
        """The matrix P of the penalty ``theta' P theta``."""
        link = np.full((self.n_tasks, 1), -1.0)
        between = sparse.block_array(
            [
                [sparse.eye_array(self.n_tasks), sparse.csr_array(link)],
                [sparse.csr_array(link.T), np.array([[float(self.n_tasks)]])],
            ]
        )
        last = sparse.csr_array(
            ([1.0], ([self.n_tasks], [self.n_tasks])), shape=between.shape
        )
        return (
            sparse.kron(between, sparse.diags_array(self.own_penalty))
            + sparse.kron(last, sparse.diags_array(self.shared_penalty))
        ).tocsc()

    def blocks(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (w_1, ..., w_T) as rows, and w_0."""
        blocks = theta.reshape(self.n_tasks + 1, -1)
        return blocks[:-1], blocks[-1]

    def penalty(self, theta: np.ndarray) -> float:
        """Return the penalty, by its definition."""
        tasks, shared = self.blocks(theta)
        own = ((tasks - shared) ** 2).sum(axis=0) @ self.own_penalty
        return float(own + self.shared_penalty @ shared**2)

    def conjugate_penalty(self, beta: np.ndarray) -> float:
        """Return the largest ``beta' Z theta - penalty(theta)``, which must be finite.

        It is if beta sums to 0, or there is no offset.
        """
        sums = (self.design.T @ beta).reshape(self.n_tasks + 1, -1)[:-1]
        total = sums.sum(axis=0)
        free = self.shared_penalty == 0
        shared = (total[~free] ** 2 / self.shared_penalty[~free]).sum() / 4.0
        own = ((sums**2).sum(axis=0) / self.own_penalty).sum() / 4.0
        return float(own + shared)


def unit_of(weight: np.ndarray) -> float:
    """Return a unit of the objective, a power of two, in which rows weigh about 1.

    Solvers, whose tolerances are absolute, would take an objective of tiny numbers for
    0, and one of huge numbers for infinity. In between it is left as it is.
    """
    # Neither a few huge weights nor many tiny ones move the mean of the roots far.
    typical = float(2.0 ** np.round(2 * np.log2(np.sqrt(weight).mean())))
    return 1.0 if 1e-3 <= typical <= 1e3 else typical

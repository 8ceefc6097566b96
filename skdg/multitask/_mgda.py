# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""MGDA: the shortest vector in the convex hull of the gradients."""

import numpy as np
from scipy.optimize import nnls


def min_norm_weights(gram: np.ndarray) -> np.ndarray:
    """Return the weights of the shortest vector in the convex hull (MGDA).

    The problem is one of non-negative least squares in disguise: if u minimizes ``|sum
    u_t g_t|^2 + (sum u_t - 1)^2`` over u >= 0, then ``u / sum u`` is the solution.

    Parameters
    ----------
    gram : ndarray of shape (n_tasks, n_tasks)
        Inner products of the gradients.

    Returns
    -------
    ndarray of shape (n_tasks,)
        The weights, not negative and with sum 1.
    """
    n_tasks = len(gram)
    largest = gram.diagonal().max()
    if largest <= 0:
        return np.full(n_tasks, 1.0 / n_tasks)
    values, vectors = np.linalg.eigh(gram / largest)
    root = np.sqrt(values.clip(min=0.0))[:, None] * vectors.T
    system = np.vstack([root, np.ones(n_tasks)])
    solution, _ = nnls(system, np.r_[np.zeros(n_tasks), 1.0])
    return solution / solution.sum()

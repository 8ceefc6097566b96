# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Graphs of tasks."""

from typing import Any

import numpy as np
from scipy import sparse


def check_graph(graph: Any, domains: np.ndarray) -> np.ndarray:
    """Return a graph of tasks as an array, or raise if it is none.

    Parameters
    ----------
    graph : array-like or sparse matrix of shape (n_tasks, n_tasks), or None
        Weights of pairs; None gives each pair the weight 1.

    domains : ndarray of shape (n_tasks,)
        The labels of the tasks.

    Returns
    -------
    ndarray of shape (n_tasks, n_tasks)
        The weights.

    Raises
    ------
    ValueError
        If it has the wrong shape, a weight that is negative or not finite, or if it is
        not symmetric.
    """
    n_tasks = len(domains)
    if graph is None:
        return np.ones((n_tasks, n_tasks))
    needed = (
        f"graph must be a symmetric non-negative matrix of shape (n_tasks, n_tasks) = "
        f"({n_tasks}, {n_tasks}), in the order of domains_, or None for all pairs"
    )
    dense = graph.toarray() if sparse.issparse(graph) else graph
    try:
        weights = np.asarray(dense, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{needed}; got what is no matrix: {error}.") from error
    if weights.shape != (n_tasks, n_tasks):
        raise ValueError(f"{needed}; got the shape {weights.shape}.")
    wrong = np.argwhere(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        s, t = wrong[0]
        raise ValueError(f"{needed}; graph[{s}, {t}] is {weights[s, t]}.")
    largest = np.maximum(weights, weights.T)
    uneven = np.argwhere(np.abs(weights - weights.T) > 1e-10 * largest)
    if len(uneven):
        s, t = uneven[0]
        raise ValueError(
            f"{needed}; graph[{s}, {t}] is {weights[s, t]}, but graph[{t}, {s}] is "
            f"{weights[t, s]}."
        )
    return (weights + weights.T) / 2.0

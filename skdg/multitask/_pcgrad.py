# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""PCGrad: gradients projected off those that they oppose."""

import numpy as np


def pcgrad_weights(gram: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Return the weights of PCGrad: gradients projected off those they oppose.

    Every gradient meets the others in a random order of its own. Where its inner
    product with one of them is negative, its part along that one is taken away. The
    direction is the mean of what is left, and so the mean where nothing conflicts.

    Parameters
    ----------
    gram : ndarray of shape (n_tasks, n_tasks)
        Inner products of the gradients.

    random_state : RandomState
        Source of the orders.

    Returns
    -------
    ndarray of shape (n_tasks,)
        The weights.
    """
    n_tasks = len(gram)
    tasks = np.arange(n_tasks)
    # Row i holds the projected gradient of task i as a sum of the original ones.
    sums = np.eye(n_tasks)
    orders = np.array([random_state.permutation(n_tasks) for _ in tasks])
    for others in orders.T:
        products = (sums * gram[others]).sum(axis=1)
        # A gradient whose square is 0 has no direction.
        met = (products < 0) & (others != tasks) & (gram[others, others] > 0)
        rows = np.flatnonzero(met)
        met = others[rows]
        sums[rows, met] -= products[rows] / gram[met, met]
    return sums.mean(axis=0)

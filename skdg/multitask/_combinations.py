# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Directions made of the tasks' gradients where these are in conflict.

Each rule gives the direction as a weighted sum of the gradients, and finds the weights
from their inner products alone: problems of the size of the number of tasks, solved to
rounding on the host whatever the number of parameters.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import brentq, nnls
from torch import Tensor

from skdg._training.state import to_numpy

# Where the minimiser of CAGrad's problem is shorter than this, relative to the longest
# gradient, it counts as 0.
_NEGLIGIBLE = 1e-8


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
        rows = np.flatnonzero((products < 0) & (others != tasks))
        met = others[rows]
        sums[rows, met] -= products[rows] / gram[met, met]
    return sums.mean(axis=0)


def min_norm_weights(gram: np.ndarray) -> np.ndarray:
    """Return the weights of the shortest vector in the convex hull (MGDA).

    The problem is one of non-negative least squares in disguise: if u minimises ``|sum
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


def cagrad_weights(gram: np.ndarray, aversion: float = 0.5) -> np.ndarray:
    """Return the weights of CAGrad: the mean gradient, bent towards the worst task.

    The direction maximises the smallest inner product with a gradient in the ball
    around the mean g_0 whose radius is ``aversion * |g_0|``, and is divided by ``1 +
    aversion``, so that it is the mean where all gradients are equal. It is ``g_0 +
    radius * g_w / |g_w|``, with g_w the point of the convex hull that minimises ``g_0.
    g_w + radius * |g_w|``. That is also the shortest vector in the hull of the
    gradients shifted by ``s * g_0``, for the s with ``|g_w| = radius * s``: a root on
    the line.

    Parameters
    ----------
    gram : ndarray of shape (n_tasks, n_tasks)
        Inner products of the gradients.

    aversion : float, default=0.5
        Radius of the ball, c in the paper, in [0, 1).

    Returns
    -------
    ndarray of shape (n_tasks,)
        The weights.
    """
    n_tasks = len(gram)
    uniform = np.full(n_tasks, 1.0 / n_tasks)
    with_mean = gram.mean(axis=1)
    radius = aversion * np.sqrt(max(gram.mean(), 0.0))
    longest = np.sqrt(gram.diagonal().max())
    if radius <= aversion * _NEGLIGIBLE * longest:
        return uniform

    def point(shift: float) -> tuple[np.ndarray, float]:
        cross = shift * (with_mean[:, None] + with_mean)
        weights = min_norm_weights(gram + cross + shift**2 * gram.mean())
        return weights, np.sqrt(max(weights @ gram @ weights, 0.0))

    # |g_w| / s falls with s, so that there is at most one root.
    low, high = _NEGLIGIBLE * longest / radius, 2.0 * longest / radius
    if point(low)[1] <= radius * low:
        # The hull contains 0: no direction serves all tasks.
        return uniform
    shift = brentq(lambda s: point(s)[1] - radius * s, low, high, rtol=1e-12)
    weights, length = point(shift)
    return (uniform + radius * weights / length) / (1.0 + aversion)


COMBINATIONS: dict[str, Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = {
    "pcgrad": pcgrad_weights,
    "cagrad": lambda gram, random_state: cagrad_weights(gram),
    "mgda": lambda gram, random_state: min_norm_weights(gram),
}


def combine_shared(
    gradients: Tensor,
    tensors: Callable[[Tensor], list[Tensor]],
    rule: str,
    random_state: np.random.RandomState,
) -> Tensor:
    """Return a direction: a rule for shared parameters, the mean for the heads.

    Parameters
    ----------
    gradients : Tensor of shape (n_tasks, n_parameters)
        The gradient of each task's risk.

    tensors : callable
        Views vectors of shape (..., n_parameters) as one tensor per parameter; the
        last two are weights and offsets of the heads.

    rule : {"pcgrad", "cagrad", "mgda"}
        Name of the rule.

    random_state : RandomState
        Source of randomness of the rule.

    Returns
    -------
    Tensor of shape (n_parameters,)
        The direction.
    """
    direction = gradients.mean(0)
    *_, head, offsets = tensors(direction)
    n_shared = len(direction) - head.numel() - offsets.numel()
    shared = gradients[:, :n_shared]
    gram = to_numpy(shared @ shared.T).astype(np.float64)
    # Otherwise training has diverged, which the loop will notice.
    if np.isfinite(gram).all():
        weights = torch.as_tensor(COMBINATIONS[rule](gram, random_state))
        direction[:n_shared] = weights.to(shared) @ shared
    return direction

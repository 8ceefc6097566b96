# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""CAGrad: the mean gradient, bent towards the worst task."""

import numpy as np
from scipy.optimize import brentq

from skdg.multitask._mgda import min_norm_weights

# Where the minimizer of CAGrad's problem is shorter than this, relative to the longest
# gradient, it counts as 0.
_NEGLIGIBLE = 1e-8


def cagrad_weights(gram: np.ndarray, aversion: float = 0.5) -> np.ndarray:
    """Return the weights of CAGrad: the mean gradient, bent towards the worst task.

    The direction maximizes the smallest inner product with a gradient in the ball
    around the mean g_0 whose radius is ``aversion * |g_0|``, and is divided by ``1 +
    aversion``, so that it is the mean where all gradients are equal. It is ``g_0 +
    radius * g_w / |g_w|``, with g_w the point of the convex hull that minimizes ``g_0.
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

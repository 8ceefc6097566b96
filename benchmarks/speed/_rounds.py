# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Two or more sides that take their turn in each round, and their times."""

import numpy as np

from benchmarks.step_cost import seconds

HIDDEN = (64, 64)
# Rows, features, and units of two layers: those of Colored MNIST.
LARGE = (50_000, 392, 390)


def times_of(*sides, rounds, times=1):
    """Return seconds of shape (rounds, n_sides), after a turn that warms up."""
    for side in sides:
        side()
    return np.array([[seconds(side, times) for side in sides] for _ in range(rounds)])


def compare(slow, fast, rounds, times=1):
    """Return ratios of one round each, and the median time of the fast side."""
    pairs = times_of(slow, fast, rounds=rounds, times=times)
    return pairs[:, 0] / pairs[:, 1], np.median(pairs[:, 1])

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the generators share: random streams and one number per domain."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | None


def private_rng(random_state: RandomState) -> np.random.RandomState:
    """Return a generator that is never numpy's global one."""
    # check_random_state(None) would hand out, and so advance, the global generator.
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def check_levels(
    values: ArrayLike, name: str, *, low: float, high: float, open_low: bool = False
) -> np.ndarray:
    """Return one float per domain: finite, within bounds, and all different."""
    try:
        levels = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold one number per domain.") from error
    if levels.ndim != 1 or levels.size == 0:
        raise ValueError(
            f"{name} must be a one-dimensional sequence with one number per domain; "
            f"got shape {levels.shape}."
        )
    above = levels > low if open_low else levels >= low
    bad = ~(np.isfinite(levels) & above & (levels <= high))
    if bad.any():
        position = int(np.flatnonzero(bad)[0])
        bounds = f"{'(' if open_low else '['}{low:g}, {high:g}]"
        raise ValueError(
            f"{name} must be finite and in {bounds}; "
            f"got {levels[position]:g} at position {position}."
        )
    if np.unique(levels).size < levels.size:
        raise ValueError(
            f"{name} must all be different, since they name the domains; "
            f"got {levels.tolist()}."
        )
    return levels

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the generators share: one number per domain, and colors that may lie."""

import numpy as np
from numpy.typing import ArrayLike


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


def noisy_labels_and_colors(
    label: np.ndarray, groups: np.ndarray, noise: float, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Flip labels at one rate, then draw colors that disagree at the domain's rate."""
    y = label.astype(np.int64)
    y ^= rng.random_sample(len(y)) < noise
    return y, y ^ (rng.random_sample(len(y)) < groups)


def in_channels(images: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Put each image, a row of pixels, into the channel of its color; others are 0."""
    X = np.zeros((len(images), 2, images.shape[1]), images.dtype)
    X[np.arange(len(images)), color] = images
    return X.reshape(len(images), -1)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Cosines of the angles between vectors."""

import numpy as np


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Return the cosine for each pair of rows; 0 for a row of zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(norms > 0, norms, 1.0)
    return units @ units.T


def mean_cosine(vectors: np.ndarray) -> float:
    """Return the mean over pairs of different rows; nan for one row."""
    n = len(vectors)
    if n < 2:
        return float("nan")
    of_pairs = cosines(vectors)
    return float((of_pairs.sum() - of_pairs.trace()) / (n * (n - 1)))

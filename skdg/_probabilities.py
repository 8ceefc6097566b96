# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Logarithms of probabilities that do not underflow with the probabilities."""

import numpy as np
from scipy.special import log_expit, log_softmax


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms of the probabilities that logits stand for.

    Parameters
    ----------
    logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Log-odds of the second of two classes, or a score for each class.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        The logarithms, finite also where a probability is 0 to rounding.
    """
    if logits.ndim == 1:
        return log_expit(np.stack([-logits, logits], axis=1))
    return log_softmax(logits, axis=1)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The mixture of domains that is worst for a model, and the model for that mixture."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skdg._random import private_rng


def split_domains(
    codes: np.ndarray, fraction: float | None, random_state: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to measure losses on.

    Without a fraction both are all rows. With one, each domain of at least two rows
    gives that share (at least one row) to the second part.
    """
    rows = np.arange(len(codes))
    if fraction is None:
        return rows, rows
    rng = private_rng(random_state)
    held = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes):
        own = rng.permutation(rows[codes == code])
        n_held = min(len(own) - 1, max(1, round(fraction * len(own))))
        # A domain of one row is trained on and measured by the same row.
        held[own[:n_held]] = True
    single = np.bincount(codes)[codes] == 1
    return rows[~held], rows[held | single]


def worst_mixture(
    fit: Callable[[np.ndarray], Any],
    losses_of_rows: Callable[[Any], np.ndarray],
    train: tuple[np.ndarray, np.ndarray],
    measure: tuple[np.ndarray, np.ndarray],
    *,
    n_rounds: int,
    step_size: float,
) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Fit models to mixtures of domains that follow their losses.

    Parameters
    ----------
    fit : callable
        ``fit(weights)`` returns a model of the training rows, whose weights sum to
        those given in `train`.

    losses_of_rows : callable
        ``losses_of_rows(model)`` returns the loss of each row that measures.

    train, measure : tuple of ndarray
        For the rows of either part the number of the domain, from 0 on, and the weight
        within the domain.

    n_rounds : int
        Number of models.

    step_size : float
        Rate at which the logarithms of the domains' weights follow their losses.

    Returns
    -------
    models : list
        A model for each round.

    weights, losses : ndarray of shape (n_rounds, n_domains)
        The mixtures, and the mean losses of the domains after each round.
    """
    codes, weight = train
    mass = np.bincount(codes, weights=weight)
    codes_measured, weight_measured = measure
    mass_measured = np.bincount(codes_measured, weights=weight_measured)
    log_weights = np.zeros(len(mass))
    models, weights, losses = [], [], []
    for _ in range(n_rounds):
        q = np.exp(log_weights - log_weights.max())
        # Sorted, so that not even rounding depends on the order of domains.
        q /= np.sort(q).sum()
        share = q[codes] * weight / mass[codes]
        model = fit(share * weight.sum())
        weighted = weight_measured * losses_of_rows(model)
        loss = np.bincount(codes_measured, weights=weighted) / mass_measured
        log_weights = log_weights + step_size * loss
        models.append(model)
        weights.append(q)
        losses.append(loss)
    return models, np.array(weights), np.array(losses)

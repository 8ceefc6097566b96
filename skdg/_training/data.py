# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Checked rows, as training sees them."""

from typing import Any, NamedTuple

import numpy as np

from skdg._training.losses import Loss
from skdg._training.rows import DomainRows


class Targets(NamedTuple):
    """What y means to the network.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_outputs)
        What the outputs are compared with.

    loss : Loss
        How they are compared.

    weight : ndarray of shape (n_samples,)
        Sample weights, class weights included.

    scale, offset : ndarray of shape (n_outputs,) or float
        Predictions are ``scale * outputs + offset``.

    attributes : dict
        Fitted attributes that describe the targets.
    """

    values: np.ndarray
    loss: Loss
    weight: np.ndarray
    scale: Any
    offset: Any
    attributes: dict[str, Any]


class TrainingData(NamedTuple):
    """Checked input, on the device.

    Parameters
    ----------
    rows : DomainRows
        All rows, ordered by domain.

    targets : Targets
        What y means.

    domains : ndarray of shape (n_domains,)
        The labels of the domains, sorted.

    places : ndarray of shape (n_domains,)
        The position in `rows` of each of the sorted domains.
    """

    rows: DomainRows
    targets: Targets
    domains: np.ndarray
    places: np.ndarray


def order_by_domain(
    codes: np.ndarray, weight: np.ndarray, known_places: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Put the rows of each domain together.

    Domains come in the order in which the data first name them, not in the order of
    their labels: so other labels for the same domains give the same model, bit for
    bit. Rows of weight 0 are left out, as if they were not there.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        The domain of each row as a number.

    weight : ndarray of shape (n_samples,)
        Weight of each row.

    known_places : ndarray of shape (n_domains,), default=None
        Positions that the domains had in an earlier call, to have them again.

    Returns
    -------
    order : ndarray of shape (n_rows,)
        The rows to use, those of one domain after those of another.

    places : ndarray of shape (n_domains,)
        The position of each domain that is left, by ascending code.

    sizes : tuple of int
        Number of rows of each domain, by position.
    """
    kept = np.flatnonzero(weight > 0)
    _, first, inverse = np.unique(codes[kept], return_index=True, return_inverse=True)
    places = np.argsort(np.argsort(first)) if known_places is None else known_places
    positions = places[inverse]
    order = kept[np.argsort(positions, kind="stable")]
    return order, places, tuple(np.bincount(positions).tolist())

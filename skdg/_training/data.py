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

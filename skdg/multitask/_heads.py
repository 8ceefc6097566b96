# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Heads of several tasks, side by side in one wide last layer.

A state of a network has its heads by task, with a leading task axis in the order of the
estimator's `domains_`. A network in training has them side by side, in the order in
which the rows name the tasks, and each row's loss looks at the columns of its own.
"""

import numpy as np
import torch
from torch import Tensor

from skdg._training.losses import Loss
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState


def own_columns(loss: Loss, rows: DomainRows) -> Loss:
    """Return the loss of outputs of all heads, of which each row sees its task's.

    Parameters
    ----------
    loss : Loss
        The loss of outputs of shape (n_rows, n_outputs).

    rows : DomainRows
        The rows; domains are tasks.

    Returns
    -------
    Loss
        The loss of outputs of shape (n_rows, n_tasks * n_outputs).
    """
    number = torch.arange(len(rows.inputs), device=rows.inputs.device)

    def own(wide: Tensor) -> Tensor:
        return wide.unflatten(1, (rows.n_domains, -1))[number, rows.domain]

    def spread(values: Tensor) -> Tensor:
        wide = values.new_zeros(len(values), rows.n_domains, values.shape[1])
        wide[number, rows.domain] = values
        return wide.flatten(1)

    return Loss(
        lambda outputs, targets: loss.value(own(outputs), targets),
        lambda outputs, targets: spread(loss.residual(own(outputs), targets)),
        lambda outputs, directions: spread(
            loss.residual_tangent(own(outputs), own(directions))
        ),
    )


def heads_side_by_side(state: NetworkState, places: np.ndarray) -> NetworkState:
    """Turn heads with a leading task axis into one wide layer, in training order.

    Parameters
    ----------
    state : NetworkState
        Its last layer has shapes (n_tasks, n_hidden, n_outputs) and (n_tasks,
        n_outputs).

    places : ndarray of shape (n_tasks,)
        The position in training of each task.

    Returns
    -------
    NetworkState
        Its last layer has shapes (n_hidden, n_tasks * n_outputs) and (n_tasks *
        n_outputs,).
    """
    order = np.argsort(places)
    head, offsets = state.coefs[-1][order], state.intercepts[-1][order]
    wide = head.transpose(1, 0, 2).reshape(head.shape[1], -1)
    return NetworkState(
        [*state.coefs[:-1], wide],
        [*state.intercepts[:-1], offsets.ravel()],
        state.module,
    )


def heads_by_task(state: NetworkState, places: np.ndarray) -> NetworkState:
    """Undo `heads_side_by_side`."""
    head, offsets = state.coefs[-1], state.intercepts[-1]
    by_task = head.reshape(len(head), len(places), -1).transpose(1, 0, 2)[places]
    return NetworkState(
        [*state.coefs[:-1], np.ascontiguousarray(by_task)],
        [*state.intercepts[:-1], offsets.reshape(len(places), -1)[places]],
        state.module,
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""States of networks of which several tasks have layers of their own."""

import numpy as np

from skdg._training.state import NetworkState


def own_layers(state: NetworkState, n_own: int, n_tasks: int = 1) -> NetworkState:
    """Give the last `n_own` layers a task axis, and take the mean over it in others."""
    n_shared = len(state.coefs) - n_own

    def adapt(layer: int, array: np.ndarray, n_axes: int) -> np.ndarray:
        by_task = array.ndim > n_axes
        if layer < n_shared:
            # Sorted, so that not even rounding depends on the order of tasks.
            return np.sort(array, axis=0).mean(axis=0) if by_task else array
        return array if by_task else np.repeat(array[None], n_tasks, axis=0)

    return NetworkState(
        [adapt(layer, array, 2) for layer, array in enumerate(state.coefs)],
        [adapt(layer, array, 1) for layer, array in enumerate(state.intercepts)],
        state.module,
    )


def parameter_rows(state: NetworkState, order: np.ndarray) -> np.ndarray:
    """Return all parameters of each task as a row, tasks in the given order."""
    arrays = [
        array[order].reshape(len(order), -1)
        for layer in zip(state.coefs, state.intercepts, strict=True)
        for array in layer
    ]
    return np.hstack(arrays)

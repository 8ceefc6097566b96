# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Directions made of the tasks' gradients where these are in conflict.

Each rule gives the direction as a weighted sum of the gradients, and finds the weights
from their inner products alone: problems of the size of the number of tasks, solved to
rounding on the host whatever the number of parameters.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from skdg._training.state import to_numpy
from skdg.multitask._cagrad import cagrad_weights
from skdg.multitask._mgda import min_norm_weights
from skdg.multitask._pcgrad import pcgrad_weights

COMBINATIONS: dict[str, Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = {
    "pcgrad": pcgrad_weights,
    "cagrad": lambda gram, random_state: cagrad_weights(gram),
    "mgda": lambda gram, random_state: min_norm_weights(gram),
}


def combine_shared(
    gradients: Tensor,
    tensors: Callable[[Tensor], list[Tensor]],
    rule: str,
    random_state: np.random.RandomState,
) -> Tensor:
    """Return a direction: a rule for shared parameters, the mean for the heads.

    Parameters
    ----------
    gradients : Tensor of shape (n_tasks, n_parameters)
        The gradient of each task's risk.

    tensors : callable
        Views vectors of shape (..., n_parameters) as one tensor per parameter; the
        last two are weights and offsets of the heads.

    rule : {"pcgrad", "cagrad", "mgda"}
        Name of the rule.

    random_state : RandomState
        Source of randomness of the rule.

    Returns
    -------
    Tensor of shape (n_parameters,)
        The direction.
    """
    direction = gradients.mean(0)
    *_, head, offsets = tensors(direction)
    n_shared = len(direction) - head.numel() - offsets.numel()
    shared = gradients[:, :n_shared]
    # In single precision the square of a small gradient would be 0.
    sizes = torch.linalg.vector_norm(shared, 1, dim=1)
    units = shared / sizes.clamp(min=torch.finfo(sizes.dtype).tiny)[:, None]
    scale = to_numpy(sizes).astype(np.float64)
    gram = to_numpy(units @ units.T).astype(np.float64) * np.outer(scale, scale)
    # Otherwise training has diverged, which the loop will notice.
    if np.isfinite(gram).all():
        weights = torch.as_tensor(scale * COMBINATIONS[rule](gram, random_state))
        direction[:n_shared] = weights.to(shared) @ units
    return direction

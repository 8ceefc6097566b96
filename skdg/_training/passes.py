# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What one pass over the rows leaves for the next one, in `partial_fit`.

It is a dict of plain values and arrays, which is stored with the estimator; an empty
one if the last training was no such pass.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdg._training.data import TrainingData
from skdg._training.optimizer import Optimizer
from skdg._training.protocols import Step
from skdg._training.state import to_numpy


def left_by_pass(
    optimizer: Optimizer, step: Step, data: TrainingData
) -> dict[str, Any]:
    """Return what to go on from: moments, and what the method remembers of domains."""
    return {
        "optimizer": optimizer.get_state(),
        "memory": {name: to_numpy(value) for name, value in step.memory.items()},
        "domains": data.domains,
        "places": data.places,
    }


def known_places(left: Mapping[str, Any], domains: np.ndarray) -> np.ndarray | None:
    """Return where the rows of the domains stood, if the last pass saw just these."""
    if not left or left["domains"].tolist() != domains.tolist():
        return None
    return left["places"]


def go_on_from(
    left: Mapping[str, Any],
    optimizer: Optimizer,
    step: Step,
    data: TrainingData,
    parameters: Tensor,
) -> None:
    """Put what the last pass left into a new optimizer and a new step.

    Parameters
    ----------
    left : dict
        See `left_by_pass`.

    optimizer : Optimizer
        Gets the moments.

    step : Step
        Gets what was remembered of the domains, if they are the same.

    data : TrainingData
        The rows of the new pass.

    parameters : Tensor
        Those of the network: of the precision and on the device of all values.
    """
    if not left:
        return
    optimizer.set_state(left["optimizer"])
    if known_places(left, data.domains) is not None:
        for name, value in left["memory"].items():
            step.memory[name] = torch.tensor(value).to(parameters)

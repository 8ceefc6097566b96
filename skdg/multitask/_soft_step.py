# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The training step of soft sharing."""

from typing import Any

from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.steps import Record, Step


class SoftSharingStep(Step):
    """Descend on the objective of `TaskNetworks`."""

    def __init__(self) -> None:
        self.penalty_names = ["penalty"]

    def advance(
        self,
        network: Any,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one optimizer step."""
        batch = network.forward(rows, loss)
        direction, distance = network.direction(batch)
        optimizer.apply(direction)
        return Record(batch.risks, (distance,))

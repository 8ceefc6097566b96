# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The training step of Fish: a short run over the domains, and a part of its way."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from skdg._training.losses import Loss
from skdg._training.models import per_model
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.steps import Network, Record, RiskStep, Step


class FishStep(Step):
    """One step per domain in random order, then part of the way to where they led.

    `rate` is the part of the way, of each model if there are several.
    """

    def __init__(self, rate: Any, orders: np.random.RandomState) -> None:
        self.penalty_names = []
        self._rate, self._orders = rate, orders
        self._inner: Step = RiskStep()

    def recorded(self, record: Callable[[Step], Step]) -> Step:
        """Replace the inner step; the order of domains is drawn on the host."""
        self._inner = record(self._inner)
        return self

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Take one meta-step; each domain's risk is that before its inner step."""
        start = network.parameters.clone()
        risks: list[torch.Tensor] = [start] * rows.n_domains
        for domain in self._orders.permutation(rows.n_domains):
            own = rows.by_domain[domain]
            inner = self._inner.advance(network, own, loss, optimizer, iteration)
            risks[domain] = inner.risks
        if isinstance(self._rate, np.ndarray) or self._rate != 1.0:
            rate = per_model(self._rate, start)
            torch.lerp(start, network.parameters, rate, out=network.parameters)
        return Record(torch.cat(risks, -1))

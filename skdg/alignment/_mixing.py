# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Rows between domains, and a training step on them."""

from collections.abc import Callable

import numpy as np
import torch

from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.steps import Network, Record, RiskStep, Step


def mix(first: DomainRows, second: DomainRows, share: float) -> DomainRows:
    """Mix rows of two domains one by one, ``share`` of the first.

    The loss of a mixed row is share * loss(y_1) + (1 - share) * loss(y_2). Losses here
    are linear in the targets (or, squared, up to a constant), so that it is the loss of
    one mixed target. Weights multiply, as if each repetition of a row met each of the
    other.
    """
    return DomainRows(
        share * first.inputs + (1.0 - share) * second.inputs,
        share * first.targets + (1.0 - share) * second.targets,
        first.sample_weight * second.sample_weight,
        first.sizes,
        first.n_models,
    )


class MixupStep(Step):
    """Descend on the mean risk of rows that mix pairs of domains.

    Parameters
    ----------
    concentration : float
        Both parameters of the beta distribution of shares.

    random_state : RandomState
        Source of pairs, rows and shares.
    """

    needs_moments_alone = False

    def __init__(
        self, concentration: float, random_state: np.random.RandomState
    ) -> None:
        self.penalty_names = []
        self._inner: Step = RiskStep()
        self._concentration = concentration
        self._random_state = random_state

    def recorded(self, record: Callable[[Step], Step]) -> Step:
        """Replace the step on mixed rows; shares and pairs are drawn on the host."""
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
        """Mix the rows, and take one optimizer step on them."""
        if rows.n_domains > 1:
            rows = self._mix_domains(rows)
        return self._inner.advance(network, rows, loss, optimizer, iteration)

    def _mix_domains(self, rows: DomainRows) -> DomainRows:
        """Mix each domain with the next one in a random cyclic order."""
        rng = self._random_state
        order = rng.permutation(rows.n_domains)
        mixed: list[DomainRows] = [rows] * rows.n_domains
        for domain, partner in zip(order, np.roll(order, -1), strict=True):
            pair = (rows.by_domain[domain], rows.by_domain[partner])
            size = min(part.n_rows for part in pair)
            first, second = (_sample(part, size, rng) for part in pair)
            share = float(rng.beta(self._concentration, self._concentration))
            mixed[domain] = mix(first, second, share)
        return DomainRows(
            torch.cat([part.inputs for part in mixed], -2),
            torch.cat([part.targets for part in mixed], -2),
            torch.cat([part.sample_weight for part in mixed], -1),
            tuple(size for part in mixed for size in part.sizes),
            rows.n_models,
        )


def _sample(
    rows: DomainRows, size: int, random_state: np.random.RandomState
) -> DomainRows:
    index = torch.as_tensor(random_state.permutation(rows.n_rows)[:size])
    return rows.take(index.to(rows.inputs.device), (size,))

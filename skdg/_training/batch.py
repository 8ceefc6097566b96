# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a method sees of one batch: the argument of every penalty."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from skdg._training.losses import Loss, in_pieces, is_many
from skdg._training.rows import DomainRows

_NONE = (None, None)


@dataclass(frozen=True)
class DomainBatch:
    """The outcome of one forward pass over rows of all domains.

    In a batch of several models all tensors have a leading model axis. A method never
    sees it: its functions are mapped over models, see `skdg._training.models`.

    Parameters
    ----------
    rows : DomainRows
        The rows, ordered by domain, with their targets and weights.

    outputs : Tensor of shape (n_rows, n_outputs)
        Logits, or the predictions of a regression.

    features : Tensor of shape (n_rows, n_hidden)
        What the last linear layer is applied to: the last hidden layer, the output of
        the user's module, or the inputs themselves if the model is linear.

    head : Tensor of shape (n_hidden, n_outputs)
        The weights of the last linear layer, without its offsets.

    loss : Loss
        The loss of a row.

    risks : Tensor of shape (n_domains,)
        Mean loss of each domain.

    memory : tuple of Tensor, default=(None, None)
        Memory to compute the losses in, and their gradients in the outputs. Without it
        each result has memory of its own.
    """

    rows: DomainRows
    outputs: Tensor
    features: Tensor
    head: Tensor
    loss: Loss
    risks: Tensor
    memory: tuple[Tensor | None, Tensor | None] = _NONE

    @classmethod
    def from_outputs(
        cls,
        rows: DomainRows,
        outputs: Tensor,
        features: Tensor,
        head: Tensor,
        loss: Loss,
        memory: tuple[Tensor | None, Tensor | None] = _NONE,
    ) -> "DomainBatch":
        """Compute the risks of a forward pass."""
        if not loss.is_by_row:
            memory = _NONE

        def weighted(
            outputs: Tensor, targets: Tensor, weights: Tensor, out: Tensor | None
        ) -> Tensor:
            return torch.mul(loss.value(outputs, targets), weights[..., 0], out=out)

        pair = (outputs, rows.all_targets)
        losses = in_pieces(weighted, *pair, rows.column, out=memory[0])
        risks = rows.sum(losses)
        return cls(rows, outputs, features, head, loss, risks, memory)

    @property
    def targets(self) -> Tensor:
        """What the outputs are compared with, shape (n_rows, n_outputs)."""
        return self.rows.all_targets

    @cached_property
    def residuals(self) -> Tensor:
        """Gradient of each row's loss in its outputs, shape (n_rows, n_outputs)."""
        return self.loss.residual(self.outputs, self.targets)

    def gradient(self, shares: Tensor) -> Tensor:
        """Return the gradient in the outputs of the rows' losses, times `shares`.

        Shares have shape (n_rows, 1). The result is valid until the next call.
        """

        def weighted(
            outputs: Tensor, residuals: Tensor, shares: Tensor, out: Tensor | None
        ) -> Tensor:
            return torch.mul(residuals, shares, out=out)

        return self._by_row(weighted, shares, self.memory[1])

    @cached_property
    def slopes(self) -> Tensor:
        """Derivative of each domain's risk in a factor of its outputs, at 1."""

        def weighted(
            outputs: Tensor, residuals: Tensor, weights: Tensor, out: Tensor | None
        ) -> Tensor:
            by_row = torch.linalg.vecdot(outputs, residuals)
            return torch.mul(by_row, weights[..., 0], out=out)

        return self.rows.sum(self._by_row(weighted, self.rows.column, self.memory[0]))

    def slope_gradient(self, shares: Tensor) -> Tensor:
        """Return the gradient in the outputs of the rows' slopes, times `shares`.

        That of a row's slope is its residual, plus the Hessian of its loss times the
        outputs. Shares have shape (n_rows, 1).
        """

        def weighted(
            outputs: Tensor, residuals: Tensor, shares: Tensor, out: Tensor | None
        ) -> Tensor:
            total = self.loss.residual_tangent(outputs, outputs).add_(residuals)
            return torch.mul(total, shares, out=out)

        out = torch.empty_like(self.outputs) if is_many(self.memory[1]) else None
        return self._by_row(weighted, shares, out)

    def _by_row(
        self, function: Callable[..., Tensor], shares: Tensor, out: Tensor | None
    ) -> Tensor:
        """Return a function of outputs, residuals and shares of rows, see `in_pieces`.

        Residuals of few rows are computed once. Those of many come from the cache if
        they are computed again where they are used.
        """
        if not is_many(self.memory[1]):
            return function(self.outputs, self.residuals, shares, out=None)

        def of_piece(
            outputs: Tensor, targets: Tensor, shares: Tensor, out: Tensor | None
        ) -> Tensor:
            residuals = self.loss.residual(outputs, targets)
            return function(outputs, residuals, shares, out=out)

        return in_pieces(of_piece, self.outputs, self.targets, shares, out=out)

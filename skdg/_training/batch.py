# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a method sees of one batch: the argument of every penalty."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from skdg._training.losses import Loss, in_pieces, is_many
from skdg._training.rows import DomainRows


class Memory(NamedTuple):
    """Memory for what is computed of many rows, of the shape of the outputs.

    Parameters
    ----------
    losses, residuals, gradient, slopes : Tensor
        Losses have no axis of outputs.
    """

    losses: Tensor
    residuals: Tensor
    gradient: Tensor
    slopes: Tensor


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

    memory : Memory, default=None
        Where to compute. Without it each result has memory of its own.
    """

    rows: DomainRows
    outputs: Tensor
    features: Tensor
    head: Tensor
    loss: Loss
    risks: Tensor
    memory: Memory | None = None

    @classmethod
    def from_outputs(
        cls,
        rows: DomainRows,
        outputs: Tensor,
        features: Tensor,
        head: Tensor,
        loss: Loss,
        memory: Memory | None = None,
    ) -> "DomainBatch":
        """Compute the risks of a forward pass."""
        if not (loss.is_by_row and memory and is_many(memory.gradient)):
            memory = None

        def weighted(
            outputs: Tensor, targets: Tensor, weights: Tensor, out: Tensor | None
        ) -> Tensor:
            return torch.mul(loss.value(outputs, targets), weights[..., 0], out=out)

        pair = (outputs, rows.all_targets)
        losses = in_pieces(weighted, *pair, rows.column, out=memory and memory.losses)
        risks = rows.sum(losses)
        return cls(rows, outputs, features, head, loss, risks, memory)

    @property
    def targets(self) -> Tensor:
        """What the outputs are compared with, shape (n_rows, n_outputs)."""
        return self.rows.all_targets

    @cached_property
    def residuals(self) -> Tensor:
        """Gradient of each row's loss in its outputs, shape (n_rows, n_outputs)."""

        def of_rows(outputs: Tensor, targets: Tensor, out: Tensor | None) -> Tensor:
            values = self.loss.residual(outputs, targets)
            return values if out is None else out.copy_(values)

        room = self.memory and self.memory.residuals
        return in_pieces(of_rows, self.outputs, self.targets, out=room)

    def gradient(self, shares: Tensor) -> Tensor:
        """Return the gradient in the outputs of the rows' losses, times `shares`.

        Shares have shape (n_rows, 1). The result is valid until the next call.
        """
        if self.memory is None or "residuals" in vars(self):
            room = self.memory and self.memory.gradient
            return torch.mul(self.residuals, shares, out=room)

        def weighted(
            outputs: Tensor, targets: Tensor, shares: Tensor, out: Tensor | None
        ) -> Tensor:
            return torch.mul(self.loss.residual(outputs, targets), shares, out=out)

        pair = (self.outputs, self.targets)
        return in_pieces(weighted, *pair, shares, out=self.memory.gradient)

    @cached_property
    def slopes(self) -> Tensor:
        """Derivative of each domain's risk in a factor of its outputs, at 1."""
        room = self.memory and self.memory.slopes
        by_output = torch.mul(self.outputs, self.residuals, out=room)
        one = by_output.shape[-1] == 1
        by_row = by_output[..., 0] if one else by_output.sum(-1)
        return self.rows.sum(by_row.mul_(self.rows.weights))

    @cached_property
    def biases(self) -> Tensor:
        """Derivative of each domain's risk in an offset of each output, at 0."""
        return self.rows.mean(self.residuals)

    def slope_gradient(self, shares: Tensor) -> Tensor:
        """Return the gradient in the outputs of the rows' slopes, times `shares`.

        That of a row's slope is its residual, plus the Hessian of its loss times the
        outputs. Shares have shape (n_rows, 1). The result is valid until the next call.
        """

        def weighted(
            outputs: Tensor, residuals: Tensor, shares: Tensor, out: Tensor | None
        ) -> Tensor:
            total = self.loss.residual_tangent(outputs, outputs).add_(residuals)
            return torch.mul(total, shares, out=out)

        room = self.memory and self.memory.slopes
        return in_pieces(weighted, self.outputs, self.residuals, shares, out=room)

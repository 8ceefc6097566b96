# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a method sees of one batch: the argument of every penalty."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from skdg._training.losses import Loss
from skdg._training.rows import DomainRows


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
    """

    rows: DomainRows
    outputs: Tensor
    features: Tensor
    head: Tensor
    loss: Loss
    risks: Tensor

    @classmethod
    def from_outputs(
        cls,
        rows: DomainRows,
        outputs: Tensor,
        features: Tensor,
        head: Tensor,
        loss: Loss,
    ) -> "DomainBatch":
        """Compute the risks of a forward pass."""
        risks = rows.mean(loss.value(outputs, _match(rows.targets, outputs)))
        return cls(rows, outputs, features, head, loss, risks)

    @property
    def targets(self) -> Tensor:
        """What the outputs are compared with, shape (n_rows, n_outputs)."""
        return _match(self.rows.targets, self.outputs)

    @cached_property
    def residuals(self) -> Tensor:
        """Gradient of each row's loss in its outputs, shape (n_rows, n_outputs)."""
        return self.loss.residual(self.outputs, self.targets)


def _match(targets: Tensor, outputs: Tensor) -> Tensor:
    """Repeat the targets that models share."""
    if targets.ndim == outputs.ndim:
        return targets
    return targets.expand(len(outputs), *targets.shape)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of single rows in the last layer, in closed form."""

from functools import cached_property

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.steps import Derivatives


class HeadGradients:
    """Gradients of the rows of a batch in the last layer's weights and offsets.

    A row's gradient is the outer product of its features (and a 1, for the offset) and
    its residual, so that sums over rows are products of matrices. Of each model.

    Parameters
    ----------
    batch : DomainBatch
        The batch.
    """

    def __init__(self, batch: DomainBatch) -> None:
        self._batch = batch
        self._weighted = batch.rows.column * batch.residuals

    @cached_property
    def _means(self) -> tuple[Tensor, Tensor]:
        """Mean gradients of each domain, in weights and in offsets."""
        rows = self._batch.rows
        in_weights = rows.products(self._batch.features, self._weighted)
        return in_weights, rows.sum(self._weighted)

    @cached_property
    def _squared_features(self) -> Tensor:
        return self._batch.rows.squares(self._batch.features)

    def variances(self) -> Tensor:
        """Return each domain's variances, shape (n_domains, n_parameters).

        The parameters are the (n_hidden + 1) * n_outputs of the last layer, its offsets
        at the end.
        """
        rows = self._batch.rows
        squares = self._weighted * self._batch.residuals
        in_weights, in_offsets = self._means
        of_weights = rows.products(self._squared_features, squares)
        of_weights = (of_weights - in_weights.square()).flatten(-2)
        return torch.cat([of_weights, rows.sum(squares) - in_offsets.square()], -1)

    def derivatives(self, factors: Tensor) -> Derivatives:
        """Differentiate the sum of the variances times `factors` of their shape."""
        rows, residuals = self._batch.rows, self._batch.residuals
        in_weights, in_offsets = self._means
        n_hidden, n_outputs = in_weights.shape[-2:]
        of_weights, of_offsets = factors.split([n_hidden * n_outputs, n_outputs], -1)
        of_weights = of_weights.unflatten(-1, (n_hidden, n_outputs))
        by_mean = of_weights * in_weights
        in_residuals = torch.empty_like(residuals)
        rows.give_(in_residuals, of_offsets)
        rows.add_times_(in_residuals, self._squared_features, of_weights)
        in_residuals *= residuals
        means = torch.empty_like(residuals)
        rows.give_(means, of_offsets * in_offsets)
        rows.add_times_(means, self._batch.features, by_mean)
        in_residuals.sub_(means).mul_(2.0 * rows.column)
        # The Hessian of a loss is symmetric.
        in_outputs = self._batch.loss.residual_tangent(
            self._batch.outputs, in_residuals
        )
        if self._batch.features is rows.all_inputs:  # nobody asks for it
            return Derivatives(outputs=in_outputs)
        in_features = rows.times(residuals.square(), of_weights.mT)
        in_features *= self._batch.features
        in_features -= rows.times(residuals, by_mean.mT)
        return Derivatives(
            outputs=in_outputs, features=in_features.mul_(2.0 * rows.column)
        )


def n_variances(batch: DomainBatch) -> int:
    """Return the number of variances: domains times parameters of the last layer."""
    n_hidden, n_outputs = batch.head.shape[-2:]
    return batch.rows.n_domains * (n_hidden + 1) * n_outputs

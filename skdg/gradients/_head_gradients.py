# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of single rows in the last layer, in closed form."""

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch


def head_gradient_variances(batch: DomainBatch) -> Tensor:
    """Return each domain's variances of single rows' gradients in the last layer.

    Of shape (n_domains, (n_hidden + 1) * n_outputs). A row's gradient is the outer
    product of its features (and a 1, for the offset) and its residual, so that the mean
    square over rows is a product of squared features and squared residuals.
    """
    rows, weights = batch.rows, batch.rows.weights[:, None]
    residuals = batch.residuals
    weighted = weights * residuals
    squares = weighted * residuals
    mean = rows.products(batch.features, weighted)
    mean_square = rows.products(batch.features.square(), squares)
    of_offsets = rows.sum(squares) - rows.sum(weighted).square()
    return torch.cat([(mean_square - mean.square()).flatten(1), of_offsets], 1)


def n_summed(batch: DomainBatch) -> int:
    """Return the number of variances: domains times parameters of the last layer."""
    n_hidden, n_outputs = batch.head.shape[-2:]
    return batch.rows.n_domains * (n_hidden + 1) * n_outputs

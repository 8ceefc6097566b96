# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The penalty of invariant risk minimization, with and without a bottleneck."""

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.steps import Derivatives


def irm_penalty(
    batch: DomainBatch, dummy: str = "scalar", estimate: str = "squared"
) -> Tensor:
    """Return the mean over domains of the squared gradient in a dummy predictor.

    The derivative of a row's loss in it is known in closed form: the outputs times the
    residual for a factor, the residuals themselves for offsets, and for a vector of
    factors, entry by entry, the part of the outputs that comes from one feature times
    the residual. Of each model.
    """
    rows = batch.rows
    if estimate == "squared" and dummy != "vector":
        squares = batch.slopes.square()
        if dummy == "affine":
            squares = squares + batch.biases.square().sum(-1)
        return squares.mean(-1)
    if dummy == "vector":
        slopes = batch.features * (batch.residuals @ batch.head.mT)
        slopes = slopes / slopes.shape[-1] ** 0.5
    else:
        slopes = torch.linalg.vecdot(batch.outputs, batch.residuals)[..., None]
        if dummy == "affine":
            slopes = torch.cat([slopes, batch.residuals], -1)
    of_mean = rows.mean(slopes).square().sum(-1)
    if estimate == "squared":
        return of_mean.mean(-1)
    # The mean of products of different rows; 0 for a single one, which has no partner.
    # Weights count repetitions of a row, so their sum is the number of rows.
    n, of_rows = rows.mass, rows.mean(slopes.square().sum(-1))
    products = (n * of_mean - of_rows) / (n - 1.0).clamp(1e-6)
    return torch.where(n > 1.0, products, 0.0).mean(-1)


irm_penalty.sees_all_models = True  # type: ignore[attr-defined]


def irm_derivative(batch: DomainBatch) -> Derivatives:
    """Return the derivative of the squared penalty with a scalar dummy."""
    shares = batch.rows.column_of(batch.slopes * (2.0 / batch.rows.n_domains))
    return Derivatives(outputs=batch.slope_gradient(shares))


def affine_derivative(batch: DomainBatch) -> Derivatives:
    """Return the derivative of the squared penalty with an affine dummy."""
    directions = batch.outputs.new_empty(batch.outputs.shape)
    batch.rows.give_(directions, batch.biases * 2.0)
    directions.mul_(batch.rows.shares)
    of_offsets = batch.loss.residual_tangent(batch.outputs, directions)
    return irm_derivative(batch).plus(Derivatives(outputs=of_offsets))

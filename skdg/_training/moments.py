# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Few points in place of many rows with the same first and second moments.

A model that is affine in its inputs has squared errors that are quadratic in inputs and
targets, so that a mean over rows depends on the mean and the covariance of these alone.
"""

from collections.abc import Iterator
from functools import partial

import torch
from scipy.linalg import helmert
from torch import Tensor

# About so many numbers are looked at at once, in double precision.
_NUMBERS_AT_ONCE = 2**16


def moment_points(
    inputs: Tensor, targets: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Replace rows by as few as have the same mean and covariance.

    With R from a QR decomposition of the centered and weighted rows, the covariance is
    ``R.T @ R``. No square is formed and no rank is decided, so that constant,
    collinear and very differently scaled columns keep their precision.

    Parameters
    ----------
    inputs : Tensor of shape (n_rows, n_features)
        The design matrix.

    targets : Tensor of shape (n_rows, n_outputs)
        What is learned.

    weight : Tensor of shape (n_rows,)
        Weight of each row, greater than 0.

    Returns
    -------
    inputs, targets, weight : Tensor
        One point more than there are features and outputs, of equal weight and the same
        total weight; or what was given, if that has no more rows.
    """
    n_features, n_columns = inputs.shape[1], inputs.shape[1] + targets.shape[1]
    n_points = n_columns + 1
    if len(inputs) <= n_points:
        return inputs, targets, weight
    double = partial(torch.Tensor.to, device="cpu", dtype=torch.float64)
    mass = double(weight.sum(dtype=torch.float64))
    n_at_once = max(_NUMBERS_AT_ONCE // n_columns, 4 * n_columns)

    def parts() -> Iterator[tuple[Tensor, Tensor]]:
        """Yield some rows at a time, with weights that sum to 1 over all."""
        for start in range(0, len(inputs), n_at_once):
            own = slice(start, start + n_at_once)
            rows = torch.cat([inputs[own], targets[own]], 1)
            yield double(rows), double(weight[own]) / mass

    mean = torch.zeros(n_columns, dtype=torch.float64)
    for rows, shares in parts():
        mean += shares @ rows
    factor = mean.new_empty(0, n_columns)
    for rows, shares in parts():
        centered = shares.sqrt()[:, None] * (rows - mean)
        factor = torch.linalg.qr(torch.cat([factor, centered]), mode="r").R
    # Orthonormal columns that sum to 0.
    directions = torch.as_tensor(helmert(n_points)).T
    points = mean + n_points**0.5 * directions @ factor
    return (
        points[:, :n_features].to(inputs),
        points[:, n_features:].to(targets),
        (mass / n_points).to(weight).expand(n_points).contiguous(),
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Distances between the feature distributions of several groups of rows."""

import torch
from torch import Tensor

# Multiples of 1 / (median squared distance), each the double of the one before.
_MEDIAN_MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)
# The fixed inverse widths of DomainBed.
_PUBLISHED_GAMMAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def mean_over_pairs(values: Tensor) -> Tensor:
    """Return the mean over pairs i < j of |a_i - a_j|^2; 0 if there is one group.

    By distances to the mean, hence linear in the number of groups.
    """
    n_groups = len(values)
    if n_groups == 1:
        return values.sum() * 0.0
    return (values - values.mean(0)).square().sum() * 2.0 / (n_groups - 1)


def coral_distance(means: Tensor, covariances: Tensor) -> Tensor:
    """Return the mean over pairs of groups of the distance of the first two moments.

    Parameters
    ----------
    means : Tensor of shape (n_groups, n_hidden)
        Mean features.

    covariances : Tensor of shape (n_groups, n_hidden, n_hidden)
        Covariances.

    Returns
    -------
    Tensor
        Mean squared difference of the means' entries and of the covariances' entries.
    """
    n_hidden = means.shape[1]
    by_mean = mean_over_pairs(means) / n_hidden
    return by_mean + mean_over_pairs(covariances) / n_hidden**2


def mmd_distance(features: Tensor, membership: Tensor, bandwidth: str) -> Tensor:
    """Return the mean over pairs of groups of the squared maximum mean discrepancy.

    Parameters
    ----------
    features : Tensor of shape (n_rows, n_hidden)
        The features.

    membership : Tensor of shape (n_rows, n_groups)
        Weight of each row in each group; each column sums to 1.

    bandwidth : {"median", "published"}
        Inverse widths of the Gaussian kernels that are summed.

    Returns
    -------
    Tensor
        The biased estimate, which is never negative.
    """
    n_groups = membership.shape[1]
    if n_groups == 1:
        return features.sum() * 0.0
    norms = features.square().sum(1)
    distances = (norms[:, None] + norms - 2.0 * features @ features.T).clamp(min=0.0)
    if bandwidth == "median":
        kernel = _median_kernel(distances)
    else:
        kernels = [torch.exp(-gamma * distances) for gamma in _PUBLISHED_GAMMAS]
        kernel = torch.stack(kernels).sum(0)
    between = membership.T @ kernel @ membership
    own = between.diagonal().sum()
    return (n_groups * own - between.sum()) * 2.0 / (n_groups * (n_groups - 1))


def _median_kernel(distances: Tensor) -> Tensor:
    """Sum kernels whose widths follow the median distance of different rows."""
    off_diagonal = distances.detach()[~torch.eye(len(distances), dtype=torch.bool)]
    median = off_diagonal.median().clamp(min=torch.finfo(distances.dtype).tiny)
    kernel = torch.exp(distances * (-_MEDIAN_MULTIPLES[0] / median))
    total = kernel
    for _ in _MEDIAN_MULTIPLES[1:]:
        kernel = kernel.square()
        total = total + kernel
    return total

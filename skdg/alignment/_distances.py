# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Distances between the feature distributions of several groups of rows."""

import torch
from torch import Tensor

# Multiples of 1 / (median squared distance): 1/4, 1/2, 1, 2 and 4.
_SMALLEST_MULTIPLE = 0.25
_N_MULTIPLES = 5
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
    # Distances do not depend on the origin; their rounding errors do.
    centred = features - features.detach().mean(0)
    norms = centred.square().sum(1)
    distances = (norms[:, None] + norms - 2.0 * centred @ centred.T).clamp(min=0.0)
    if bandwidth == "median":
        width = _typical_distance(distances.detach(), features.detach())
        # Each kernel is the square of the one before, as its width is half.
        kernels = [torch.exp(distances * (-_SMALLEST_MULTIPLE / width))]
        for _ in range(_N_MULTIPLES - 1):
            kernels.append(kernels[-1].square())
    else:
        kernels = [torch.exp(-gamma * distances) for gamma in _PUBLISHED_GAMMAS]
    kernel = torch.stack(kernels).sum(0)
    between = membership.T @ kernel @ membership
    own = between.diagonal().sum()
    return (n_groups * own - between.sum()) * 2.0 / (n_groups * (n_groups - 1))


def _typical_distance(distances: Tensor, features: Tensor) -> Tensor:
    """Return the median squared distance of different rows.

    The mean takes its place where most rows are equal, and 1 where all are.
    """
    n_rows = len(distances)
    if n_rows < 2:
        return distances.new_ones(())
    own = torch.eye(n_rows, dtype=torch.bool, device=distances.device)
    median = distances[~own].median()
    mean = distances.sum() / (n_rows * (n_rows - 1))
    typical = torch.where(median > 1e-6 * mean, median, mean)
    rounding = torch.finfo(distances.dtype).eps ** 2 * features.square().mean()
    return torch.where(typical > rounding, typical, 1.0)

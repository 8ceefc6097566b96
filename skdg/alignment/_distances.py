# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Distances between the feature distributions of several groups of rows."""

import torch
from torch import Tensor

# Multiples of 1 / (mean squared distance): 1/4, 1/2, 1, 2 and 4.
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

    bandwidth : {"mean", "published"}
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
    if bandwidth == "mean":
        width = _mean_distance(features.detach(), membership.mean(1))
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


def _mean_distance(features: Tensor, share: Tensor) -> Tensor:
    """Return the mean squared distance of two rows; 1 where all are equal.

    Rows are drawn with probabilities `share`, so that a row of weight 2 counts as the
    row twice. (The often used median would have to sort all pairs.)
    """
    deviations = features - share @ features
    mean = 2.0 * share @ deviations.square().sum(1)
    rounding = torch.finfo(features.dtype).eps ** 2 * features.square().mean()
    return torch.where(mean > rounding, mean, 1.0)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The distance of the first two moments of several groups of features."""

from torch import Tensor
from torch.nn.functional import mse_loss


def mean_over_pairs(values: Tensor) -> Tensor:
    """Return the mean squared difference of entries, over pairs of groups.

    0 if there is one group. By distances to the mean, hence linear in the number of
    groups.
    """
    n_groups = len(values)
    if n_groups == 1:
        return values.sum() * 0.0
    # The gradient in the mean is 0.
    mean = values.detach().mean(0).expand_as(values)
    return mse_loss(values, mean) * (2.0 * n_groups / (n_groups - 1))


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
    return mean_over_pairs(means) + mean_over_pairs(covariances)

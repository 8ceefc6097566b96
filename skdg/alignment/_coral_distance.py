# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The distance of the first two moments of several groups of features."""

from torch import Tensor


def about_their_mean(means: Tensor, covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Return the moments of groups less their mean over groups.

    Parameters
    ----------
    means : Tensor of shape (..., n_groups, n_hidden)
        Mean features.

    covariances : Tensor of shape (..., n_groups, n_hidden, n_hidden)
        Covariances.

    Returns
    -------
    tuple of Tensor
        What `coral_distance` takes. It is 0 for one group.
    """
    return (
        means - means.mean(-2, keepdim=True),
        covariances - covariances.mean(-3, keepdim=True),
    )


def coral_distance(means: Tensor, covariances: Tensor) -> Tensor:
    """Return the mean over pairs of groups of the distance of the first two moments.

    By distances to the mean, hence linear in the number of groups.

    Parameters
    ----------
    means, covariances : Tensor
        The moments about their mean, see `about_their_mean`.

    Returns
    -------
    Tensor
        Mean squared difference of the means' entries and of the covariances' entries.
    """
    n_groups = means.shape[-2]
    of_means = means.square().mean((-2, -1))
    of_covariances = covariances.square().mean((-3, -2, -1))
    return (of_means + of_covariances) * (2.0 * n_groups / max(1, n_groups - 1))

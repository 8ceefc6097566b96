# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The maximum mean discrepancy of several groups of features."""

from collections.abc import Iterator

import torch
from torch import Tensor

from skdg.alignment._feature_distance import no_distance

# Multiples of 1 / (mean squared distance): 1/4, 1/2, 1, 2 and 4.
_SMALLEST_MULTIPLE = 0.25
_N_MULTIPLES = 5
# The fixed inverse widths of DomainBed.
_PUBLISHED_GAMMAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def mmd_distance(
    features: Tensor, membership: Tensor, bandwidth: str
) -> tuple[Tensor, Tensor]:
    """Return the mean over pairs of groups of the squared maximum mean discrepancy.

    Parameters
    ----------
    features : Tensor of shape (..., n_rows, n_hidden)
        The features.

    membership : Tensor of shape (..., n_rows, n_groups)
        Weight of each row in each group; each column sums to 1.

    bandwidth : {"mean", "published"}
        Inverse widths of the Gaussian kernels that are summed.

    Returns
    -------
    distance : Tensor of shape (...)
        The biased estimate, which is never negative.

    gradient : Tensor of shape (..., n_rows, n_hidden)
        Its gradient in the features, with fixed widths.
    """
    n_groups = membership.shape[-1]
    if n_groups == 1:
        return no_distance(features)
    width = None
    if bandwidth == "mean":
        width = _mean_distance(features, membership.mean(-1))[..., None, None]
    # The discrepancy is the sum over pairs of rows of these factors times the kernel.
    same = torch.eye(n_groups, dtype=membership.dtype, device=membership.device)
    between = n_groups * same - 1.0
    between *= 2.0 / (n_groups * (n_groups - 1))
    return _kernel_sum(features, membership @ between @ membership.mT, width)


def _kernel_sum(
    features: Tensor, factors: Tensor, width: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the sum over pairs of rows of a factor times the kernel, and its gradient.

    Together, since they share the kernels, of which few are held: a matrix of all pairs
    is large.
    """
    # Distances do not depend on the origin; their rounding errors do.
    centered = features - features.mean(-2, keepdim=True)
    norms = centered.square().sum(-1)
    add_product = torch.addmm if features.ndim == 2 else torch.baddbmm
    distances = add_product(
        norms[..., None] + norms[..., None, :], centered, centered.mT, alpha=-2.0
    ).clamp_(min=0.0)
    total, slope = torch.zeros_like(distances), torch.zeros_like(distances)
    for kernel, multiple in _kernels(distances, width):
        total += kernel
        slope.sub_(kernel, alpha=multiple)
    slope *= factors
    gradient = slope.sum(-1, keepdim=True) * centered - slope @ centered
    gradient *= 4.0 if width is None else 4.0 / width
    return total.mul_(factors).sum((-2, -1)), gradient


def _kernels(distances: Tensor, width: Tensor | None) -> Iterator[tuple[Tensor, float]]:
    """Yield Gaussian kernels, overwritten by the next, with their inverse widths.

    These are multiples of 1 / `width`, or of 1 where it is None.
    """
    if width is None:
        for gamma in _PUBLISHED_GAMMAS:
            yield torch.exp(distances * -gamma), gamma
        return
    kernel = torch.exp_(distances * (-_SMALLEST_MULTIPLE / width))
    yield kernel, _SMALLEST_MULTIPLE
    for number in range(1, _N_MULTIPLES):
        # The square of the one before, as its width is half.
        yield kernel.square_(), _SMALLEST_MULTIPLE * 2.0**number


def _mean_distance(features: Tensor, share: Tensor) -> Tensor:
    """Return the mean squared distance of two rows; 1 where all are equal.

    Rows are drawn with probabilities `share`, so that a row of weight 2 counts as the
    row twice. (The often used median would have to sort all pairs.)
    """
    deviations = features - share[..., None, :] @ features
    mean = 2.0 * torch.linalg.vecdot(share, deviations.square().sum(-1))
    squares = features.square().mean((-2, -1))
    rounding = torch.finfo(features.dtype).eps ** 2 * squares
    return torch.where(mean > rounding, mean, 1.0)

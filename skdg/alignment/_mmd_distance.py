# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The maximum mean discrepancy of several groups of features."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Multiples of 1 / (mean squared distance): 1/4, 1/2, 1, 2 and 4.
_SMALLEST_MULTIPLE = 0.25
_N_MULTIPLES = 5
# The fixed inverse widths of DomainBed.
_PUBLISHED_GAMMAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


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
    width = None
    if bandwidth == "mean":
        width = _mean_distance(features.detach(), membership.mean(1))
    # The discrepancy is the sum over pairs of rows of these factors times the kernel.
    same = torch.eye(n_groups, dtype=membership.dtype, device=membership.device)
    between = n_groups * same - 1.0
    between *= 2.0 / (n_groups * (n_groups - 1))
    value, _ = _KernelSum.apply(features, membership @ between @ membership.T, width)
    return value


class _KernelSum(torch.autograd.Function):
    """Sum over pairs of rows of a factor times the kernel, with its gradient.

    Written out because a matrix of all pairs is large: autograd would keep a dozen of
    them, and needs two products with the features where one is enough.
    """

    @staticmethod
    def forward(
        features: Tensor, factors: Tensor, width: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        # Distances do not depend on the origin; their rounding errors do.
        centred = features - features.mean(-2, keepdim=True)
        norms = centred.square().sum(-1)
        add_product = torch.addmm if features.ndim == 2 else torch.baddbmm
        distances = add_product(
            norms[..., None] + norms[..., None, :], centred, centred.mT, alpha=-2.0
        ).clamp_(min=0.0)
        if width is not None:
            width = width[..., None, None]
        unit = 1.0 if width is None else 1.0 / width
        total, slope = torch.zeros_like(distances), torch.zeros_like(distances)
        for kernel, multiple in _kernels(distances, width):
            total += kernel
            slope.sub_(kernel, alpha=multiple)
        slope *= factors
        moved = slope.sum(-1, keepdim=True) * centred - slope @ centred
        return total.mul_(factors).sum((-2, -1)), moved.mul_(4.0 * unit)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, gradient = output
        ctx.mark_non_differentiable(gradient)
        ctx.save_for_backward(gradient)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: Any) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer[..., None, None] * gradient, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Tensor | None) -> Any:
        # The program above takes a leading model axis as it is.
        features, factors, width = (
            value if value is None or axis is None else value.movedim(axis, 0)
            for value, axis in zip(arguments, in_dims, strict=True)
        )
        assert features is not None
        if in_dims[0] is None:
            features = features.expand(info.batch_size, *features.shape)
        return _KernelSum.apply(features, factors, width), (0, 0)


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
    deviations = features - share @ features
    mean = 2.0 * share @ deviations.square().sum(1)
    rounding = torch.finfo(features.dtype).eps ** 2 * features.square().mean()
    return torch.where(mean > rounding, mean, 1.0)

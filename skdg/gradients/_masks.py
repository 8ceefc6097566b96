# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps only where the domains' gradients agree in sign: what both masks share."""

from collections.abc import Callable

from torch import Tensor


def masked_mean(
    gradients: Tensor,
    tensors: Callable[[Tensor], list[Tensor]],
    mask: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return the mean gradient, masked, and rescaled within each parameter tensor.

    ``mask(gradients, agreement)`` gives values in [0, 1]; the agreement of an entry is
    the absolute mean of the signs of its gradients. One domain agrees with itself.
    """
    mean = gradients.mean(0)
    if len(gradients) == 1:
        return mean
    values = mask(gradients, gradients.sign().mean(0).abs())
    for direction, part in zip(tensors(mean), tensors(values), strict=True):
        direction *= part / (part.mean() + 1e-10)
    return mean

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The pieces of a linear layer: activations, and products of one or many models.

Each product takes matrices of one model, or stacks of them with a leading model axis.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

_aten = torch.ops.aten


class Activation(NamedTuple):
    """An activation a = phi(z) and its derivatives, written in terms of a.

    Parameters
    ----------
    apply_ : callable
        Replace z by phi(z) in place.

    chain_ : callable
        ``chain_(delta, a)``: multiply delta by phi'(z) in place.

    curvature : callable or None
        ``curvature(a)``: phi''(z) / phi'(z); None where phi'' is 0.
    """

    apply_: Callable[[Tensor], Tensor]
    chain_: Callable[[Tensor, Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor] | None


ACTIVATIONS = {
    "identity": Activation(lambda z: z, lambda delta, a: delta, None),
    "relu": Activation(
        torch.relu_,
        lambda delta, a: _aten.threshold_backward.grad_input(
            delta, a, 0, grad_input=delta
        ),
        None,
    ),
    "tanh": Activation(
        torch.tanh_,
        lambda delta, a: _aten.tanh_backward.grad_input(delta, a, grad_input=delta),
        lambda a: -2.0 * a,
    ),
    "logistic": Activation(
        torch.sigmoid_,
        lambda delta, a: _aten.sigmoid_backward.grad_input(delta, a, grad_input=delta),
        lambda a: 1.0 - 2.0 * a,
    ),
}


# Batched products of matrices with a single column are several times as slow as the
# same written as products with a single row, or as a sum.

# And a product with several columns, but fewer than these, takes longer than its
# transpose, up to four times as long (part "narrow" of benchmarks.speed).
_N_ENOUGH_COLUMNS = 16


def is_narrow(values: Tensor) -> bool:
    """Tell whether what is made of these columns is better made of their transpose."""
    return 1 < values.shape[-1] < _N_ENOUGH_COLUMNS


def affine(inputs: Tensor, weights: Tensor, offsets: Tensor, out: Tensor) -> None:
    """Compute ``inputs @ weights + offsets``."""
    if is_narrow(out):
        add_product = torch.addmm if out.ndim == 2 else torch.baddbmm
        out.copy_(add_product(offsets[..., None], weights.mT, inputs.mT).mT)
    elif out.ndim == 2:
        torch.addmm(offsets, inputs, weights, out=out)
    elif out.shape[2] > 1:
        torch.baddbmm(offsets[:, None], inputs, weights, out=out)
    elif is_shared(inputs):
        torch.addmm(offsets, weights[..., 0], inputs[0].T, out=out[..., 0])
    else:
        torch.baddbmm(offsets[:, None], weights.mT, inputs.mT, out=out.mT)


def back_to_inputs(delta: Tensor, weights: Tensor, out: Tensor) -> None:
    """Compute ``delta @ weights.T``."""
    if delta.shape[-1] > 1 and is_narrow(out):
        out.copy_((weights @ delta.mT).mT)
    elif out.ndim == 2:
        torch.mm(delta, weights.T, out=out)
    elif delta.shape[2] > 1:
        torch.bmm(delta, weights.mT, out=out)
    else:
        torch.mul(delta, weights.mT, out=out)


def back_to_weights(inputs: Tensor, delta: Tensor, out: Tensor) -> None:
    """Compute ``inputs.T @ delta``."""
    if is_narrow(delta):
        out.copy_(inner_product(inputs, delta))
    elif out.ndim == 2:
        torch.mm(inputs.T, delta, out=out)
    elif delta.shape[2] > 1:
        torch.bmm(inputs.mT, delta, out=out)
    elif not is_shared(inputs):
        torch.bmm(delta.mT, inputs, out=out.mT)
    elif delta.shape[0] > inputs.shape[2]:
        # The longer side is that of the columns: many times as fast on long tables.
        out[..., 0].T.copy_(torch.mm(inputs[0].T, delta[..., 0].T))
    else:
        torch.mm(delta[..., 0], inputs[0], out=out[..., 0])


def inner_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left.T @ right``."""
    return (right.mT @ left).mT if is_narrow(right) else left.mT @ right


def add_product_(out: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right`` to `out`."""
    if is_narrow(out):
        out += (right.mT @ left.mT).mT
    elif out.ndim == 2:
        out.addmm_(left, right)
    else:
        out.baddbmm_(left, right)


def shared_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right`` of matrices that all models share, as wide products.

    For left ones of shape (..., n_left, n), right ones of (n_models, ..., n, n_right).
    """
    n_models, n_right = right.shape[0], right.shape[-1]
    wide = left @ right.movedim(0, -2).flatten(-2)
    return wide.unflatten(-1, (n_models, n_right)).movedim(-2, 0)


def is_shared(values: Tensor) -> bool:
    """Tell whether matrices of many models are one in memory, not to be copied."""
    return values.ndim == 3 and values.stride(0) == 0

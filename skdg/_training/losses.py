# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Losses of one row, with their first and second derivatives in the outputs.

Targets are float tensors of the outputs' shape: 0/1 for one logit, class
probabilities (one-hot or soft) for several, values for regression.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from skdg._training.layers import is_narrow


class Loss(NamedTuple):
    """A loss, as functions of outputs and targets of shape (..., n_rows, n_outputs).

    Parameters
    ----------
    value : callable
        ``value(outputs, targets)``, the loss of each row, shape (..., n_rows).

    residual : callable
        ``residual(outputs, targets)``, its gradient in the outputs.

    residual_tangent : callable
        ``residual_tangent(outputs, directions)``, the derivative of the residual along
        `directions`, which does not depend on the targets.

    is_quadratic : bool, default=False
        Whether the value is a quadratic function of outputs and targets together.

    is_by_row : bool, default=False
        Whether what is computed of some rows does not depend on where they stand among
        all rows.
    """

    value: Callable[[Tensor, Tensor], Tensor]
    residual: Callable[[Tensor, Tensor], Tensor]
    residual_tangent: Callable[[Tensor, Tensor], Tensor]
    is_quadratic: bool = False
    is_by_row: bool = False


# So many numbers at a time leave what is made of them on the way in the cache.
_PIECE = 2**17


def is_many(out: Tensor) -> bool:
    """Tell whether a result with this memory is computed in pieces."""
    return out.numel() > _PIECE and out.is_cpu


def in_pieces(
    function: Callable[..., Tensor], *tensors: Tensor, out: Tensor | None
) -> Tensor:
    """Return a function of rows, computed of some at a time where they are many.

    On the CPU, fresh memory for every intermediate value of many rows costs more than
    the arithmetic.

    Parameters
    ----------
    function : callable
        Takes the tensors, or some rows of each, and as a keyword `out` memory for the
        result or None.

    *tensors : Tensor of shape (..., n_rows, n)
        Its arguments; the first one has all leading axes.

    out : Tensor of shape (..., n_rows) or (..., n_rows, n) or None
        Memory for the result, used if there are several pieces; None for one piece.

    Returns
    -------
    Tensor
        The result, in `out` or elsewhere.
    """
    if out is None or not is_many(out):
        return function(*tensors, out=None)
    most = _PIECE * torch.get_num_threads()
    leading = tensors[0].shape[:-1]
    wide = (tensor.expand(*leading, tensor.shape[-1]) for tensor in tensors)
    if len(leading) == 1 or most * len(out) >= out.numel():
        size = max(1, most * len(out) // out.numel())
        pieces = zip(*(tensor.split(size) for tensor in (out, *wide)), strict=True)
        for part, *own in pieces:
            function(*own, out=part)
    else:  # a model is more than a piece
        for part, *own in zip(out, *wide, strict=True):
            in_pieces(function, *own, out=part)
    return out


def _log_value(outputs: Tensor, targets: Tensor) -> Tensor:
    # The operator itself: its wrapper in torch.nn takes longer than some rows do.
    losses = torch.binary_cross_entropy_with_logits(outputs, targets, reduction=0)
    return losses.squeeze(-1)


def _log_residual(outputs: Tensor, targets: Tensor) -> Tensor:
    return torch.sigmoid(outputs) - targets


def _log_residual_tangent(outputs: Tensor, directions: Tensor) -> Tensor:
    # directions * p * (1 - p), in one pass
    return torch.ops.aten.sigmoid_backward(directions, torch.sigmoid(outputs))


def _softmax(outputs: Tensor) -> Tensor:
    # Over few values that are neighbors torch takes several times as long. What
    # follows may depend, in its last digit, on how the result lies in memory.
    if outputs.is_cpu and is_narrow(outputs):
        return torch.softmax(outputs.mT, -2).mT.contiguous()
    return torch.softmax(outputs, -1)


def _cross_entropy_value(outputs: Tensor, targets: Tensor) -> Tensor:
    return torch.logsumexp(outputs, -1) - (targets * outputs).sum(-1)


def _cross_entropy_residual(outputs: Tensor, targets: Tensor) -> Tensor:
    return _softmax(outputs) - targets


def _cross_entropy_residual_tangent(outputs: Tensor, directions: Tensor) -> Tensor:
    p = _softmax(outputs)
    return p * (directions - (p * directions).sum(-1, keepdim=True))


def _squared_value(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(-1)


def _squared_residual(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets) * (2.0 / outputs.shape[-1])


def _squared_residual_tangent(outputs: Tensor, directions: Tensor) -> Tensor:
    return directions * (2.0 / outputs.shape[-1])


LOG_LOSS = Loss(_log_value, _log_residual, _log_residual_tangent, is_by_row=True)
CROSS_ENTROPY = Loss(
    _cross_entropy_value,
    _cross_entropy_residual,
    _cross_entropy_residual_tangent,
    is_by_row=True,
)
SQUARED_ERROR = Loss(
    _squared_value,
    _squared_residual,
    _squared_residual_tangent,
    is_quadratic=True,
    is_by_row=True,
)

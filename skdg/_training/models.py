# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Functions that are written for one model, mapped over many.

Models that are trained side by side differ in numbers alone: where a hyperparameter
differs, an array with a value per model stands in the place of the number. A function
of one model, with hyperparameters as keywords of a `functools.partial`, is mapped over
the models and these values by `torch.vmap`.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdg._training.batch import DomainBatch


def over_batch(function: Callable, batch: DomainBatch) -> Tensor:
    """Return ``function(batch)``, for each of the models of the batch.

    A function may see all models at once, and has to if it remembers something from one
    call to the next; it says so by an attribute `sees_all_models`.
    """
    rows = batch.rows
    written = function.func if isinstance(function, partial) else function
    if rows.n_models is None or getattr(written, "sees_all_models", False):
        return function(batch)
    # Models that share the rows also share what is computed of the rows alone.
    own_rows = rows.sample_weight.ndim == 2
    tensors = rows.tensors if own_rows else ()

    def of_one(
        function: Callable,
        outputs: Tensor,
        features: Tensor,
        head: Tensor,
        risks: Tensor,
        *own: Tensor,
    ) -> Tensor:
        seen = rows.of_one.over(*own) if own else rows.of_one
        return function(DomainBatch(seen, outputs, features, head, batch.loss, risks))

    return over_models(
        of_one,
        *(batch.outputs, batch.features, batch.head, batch.risks),
        *tensors,
        function=function,
    )


def over_models(call: Callable, *values: Tensor, function: Callable) -> Tensor:
    """Return ``call(function, *values)`` for each model, results stacked.

    Parameters
    ----------
    call : callable
        What to do with the function of one model.

    *values : Tensor of shape (n_models, ...)
        Passed on, without their model axis.

    function : callable
        The function; keywords that are arrays of shape (n_models,) are, too.
    """
    numbers: list[Tensor] = []
    fill = _open(function, numbers, values[0])

    def of_one(*own: Tensor) -> Tensor:
        return call(fill(own[: len(numbers)]), *own[len(numbers) :])

    return torch.vmap(of_one)(*numbers, *values)


def _open(function: Any, numbers: list[Tensor], like: Tensor) -> Callable:
    """Collect the arrays among the keywords of a partial and of those within it.

    Returns a function that puts values in the places of the arrays.
    """
    if not isinstance(function, partial):
        return lambda values: function
    fills = {}
    for name, value in function.keywords.items():
        if isinstance(value, np.ndarray):
            place = len(numbers)
            numbers.append(_moved(value, like))
            fills[name] = lambda values, place=place: values[place]
        elif isinstance(value, partial):
            fills[name] = _open(value, numbers, like)

    def fill(values: tuple[Tensor, ...]) -> Callable:
        return partial(function, **{name: f(values) for name, f in fills.items()})

    return fill


def over_values(
    function: Callable, values: Tensor, n_axes: int, *arguments: Any
) -> Tensor:
    """Return ``function(values, *arguments)``, for each model if there are many.

    `n_axes` is the number of axes of the values of one model.
    """
    if values.ndim == n_axes:
        return function(values, *arguments)
    return over_models(
        lambda function, own: function(own, *arguments), values, function=function
    )


def number(value: Any) -> Any:
    """Return a number as a float, and an array of a number per model as it is."""
    return value if isinstance(value, np.ndarray) else float(value)


def is_any(value: Any) -> bool:
    """Tell whether a number is not 0, that of any model if there are many."""
    return bool(value.any() if isinstance(value, np.ndarray) else value)


def per_model(value: Any, like: Tensor) -> Any:
    """Return an array of a number per model as a tensor, a number as it is.

    The tensor has axes of length 1 up to the number of axes of `like`. It is not to be
    changed.
    """
    if not isinstance(value, np.ndarray):
        return value
    return _moved(value, like).reshape(-1, *(1,) * (like.ndim - 1))


def _moved(value: np.ndarray, like: Tensor) -> Tensor:
    return _move(value.tobytes(), value.dtype, like.dtype, like.device)


# A device waits for the host where something is moved to it: once is enough.
@lru_cache(maxsize=256)
def _move(
    data: bytes, kind: np.dtype, dtype: torch.dtype, device: torch.device
) -> Tensor:
    return torch.tensor(np.frombuffer(data, kind).copy(), dtype=dtype, device=device)

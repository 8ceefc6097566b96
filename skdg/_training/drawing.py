# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which rows an iteration sees, and how many iterations there are."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from skdg._training.device import few_threads
from skdg._training.losses import Loss
from skdg._training.protocols import Network, Step
from skdg._training.rows import DomainRows

# batch_size="auto" trains on all rows at once up to this many, then on batches of about
# _AUTO_BATCH rows, with at least _AUTO_PER_DOMAIN of them from each domain.
_FULL_BATCH_ROWS = 1024
_AUTO_BATCH = 512
_AUTO_PER_DOMAIN = 16


def resolve_batch_size(
    batch_size: int | str | None, sizes: tuple[int, ...]
) -> int | None:
    """Return the rows per domain and iteration; None stands for all rows."""
    if not isinstance(batch_size, str):
        return batch_size
    if sum(sizes) <= _FULL_BATCH_ROWS:
        return None
    return max(_AUTO_PER_DOMAIN, _AUTO_BATCH // len(sizes))


def rows_per_batch(sizes: tuple[int, ...], batch_size: int | None) -> tuple[int, ...]:
    """Return how many rows of each domain a batch has.

    A domain with fewer rows than `batch_size` gives all of them.

    Parameters
    ----------
    sizes : tuple of int
        Number of rows of each domain.

    batch_size : int or None
        Rows per domain in a batch; None stands for all.

    Returns
    -------
    tuple of int
        These numbers.
    """
    return tuple(min(n, batch_size or n) for n in sizes)


# max_iter="auto" is this many iterations, or this many passes over the rows if these
# take more iterations.
_AUTO_ITERATIONS = 160
_AUTO_PASSES = 64


def resolve_max_iter(
    max_iter: int | str, sizes: tuple[int, ...], batch_size: int | None
) -> int:
    """Return the number of iterations."""
    if not isinstance(max_iter, str):
        return max_iter
    n_passed = _AUTO_PASSES * sum(sizes)
    return max(_AUTO_ITERATIONS, n_passed // sum(rows_per_batch(sizes, batch_size)))


def sees_points(
    rows: DomainRows,
    batch_size: int | None,
    max_iter: int,
    is_affine: bool,
    loss: Loss,
    step: Step,
) -> bool:
    """Tell whether few points can stand for all rows, at a gain of time.

    They can where all rows are seen at once, and by their moments alone.

    Parameters
    ----------
    rows : DomainRows
        All training rows of a model.

    batch_size : int or None
        Rows per domain in a batch; None stands for all.

    max_iter : int
        Number of iterations.

    is_affine : bool
        Whether the network's features and outputs are affine in its inputs.

    loss : Loss
        The loss of a row.

    step : Step
        The method.

    Returns
    -------
    bool
        The answer.
    """
    enough = step.needs_moments_alone and is_affine and loss.is_quadratic
    if not enough or (batch_size is not None and batch_size < max(rows.sizes)):
        return False
    n_points = rows.n_columns + 1
    n_saved = sum(max(0, size - n_points) for size in rows.sizes)
    # For a row, moments cost about half as many steps as there are columns.
    return 2 * max_iter * n_saved >= rows.n_columns * rows.n_rows


def rows_to_see(
    rows: DomainRows,
    batch_size: int | None,
    max_iter: int,
    network: Network,
    loss: Loss,
    step: Step,
) -> DomainRows:
    """Return points with the moments of the rows, or the rows; see `sees_points`."""
    if not sees_points(rows, batch_size, max_iter, network.is_affine, loss, step):
        return rows
    with few_threads(0):  # whose number would show in the last bits
        return rows.condensed


def spread_batches(
    rows: DomainRows, batch_size: int | None, n_rows: int = 4096
) -> list[DomainRows]:
    """Return batches that stand for all rows, to judge a network by.

    Parameters
    ----------
    rows : DomainRows
        All training rows.

    batch_size : int or None
        Rows per domain in a batch of training, which none of these exceeds.

    n_rows : int, default=4096
        About how many rows to take, evenly spaced within each domain.

    Returns
    -------
    list of DomainRows
        All rows as one batch if training takes all at once.
    """
    if batch_size is None or batch_size >= max(rows.sizes):
        return [rows]
    sizes = rows_per_batch(rows.sizes, batch_size)
    n_batches = max(1, min(n_rows // sum(sizes), max(rows.sizes) // batch_size))
    starts = np.cumsum((0, *rows.sizes[:-1]))
    batches = []
    for number in range(n_batches):
        index = [
            start + (np.arange(size) * n_batches + number) * n // (size * n_batches)
            for start, n, size in zip(starts, rows.sizes, sizes, strict=True)
        ]
        on_device = torch.as_tensor(np.concatenate(index), device=rows.inputs.device)
        batches.append(rows.take(on_device, sizes))
    return batches


def draw_batches(
    rows: DomainRows,
    batch_size: int | None,
    *random_states: np.random.RandomState,
) -> Iterator[DomainRows]:
    """Yield batches without end, each with the same number of rows from a domain.

    Within a domain rows are drawn without replacement until all (but a last
    incomplete batch) were used, then in a new order. A domain with fewer rows than
    `batch_size` contributes all of them to every batch.

    Parameters
    ----------
    rows : DomainRows
        All training rows.

    batch_size : int or None
        Rows per domain. None, or a size that no domain exceeds, gives all rows.

    *random_states : RandomState
        Where the order of rows comes from: one, which models that are trained side by
        side share, or one for each of them.

    Yields
    ------
    DomainRows
        A batch.
    """
    if batch_size is None or batch_size >= max(rows.sizes):
        while True:
            yield rows
    generators = [
        torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
        for random_state in random_states
    ]
    sizes = rows_per_batch(rows.sizes, batch_size)
    starts = np.cumsum((0, *rows.sizes[:-1])).tolist()
    n_batches = max(n // size for n, size in zip(rows.sizes, sizes, strict=True))
    while True:
        by_generator = [
            torch.cat(
                [
                    start + _draw_index(n, size, n_batches, generator)
                    for start, n, size in zip(starts, rows.sizes, sizes, strict=True)
                ],
                1,
            )
            for generator in generators
        ]
        # One transfer to the device per pass over the largest domain.
        index = torch.stack(by_generator, 1).to(rows.inputs.device)
        for batch in index:
            yield rows.take(batch if len(generators) > 1 else batch[0], sizes)


def _draw_index(
    n_rows: int, size: int, n_batches: int, generator: torch.Generator
) -> Tensor:
    """Return `n_batches` rows of `size` indices below `n_rows`."""
    per_pass = n_rows // size
    passes = -(-n_batches // per_pass)
    orders = [
        torch.randperm(n_rows, generator=generator)[: per_pass * size]
        for _ in range(passes)
    ]
    return torch.cat(orders).reshape(-1, size)[:n_batches]

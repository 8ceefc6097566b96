# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Rows of several domains on a device, and the batches drawn from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class DomainRows:
    """Rows ordered by domain: those of the first domain, then of the second, ...

    Parameters
    ----------
    inputs : Tensor of shape (n_rows, n_features)
        The design matrix.

    targets : Tensor of shape (n_rows, n_outputs)
        What the outputs are compared with.

    sample_weight : Tensor of shape (n_rows,)
        Weight of each row, greater than 0.

    sizes : tuple of int
        Number of rows of each domain, each at least 1.
    """

    inputs: Tensor
    targets: Tensor
    sample_weight: Tensor
    sizes: tuple[int, ...]

    @property
    def n_domains(self) -> int:
        """Number of domains."""
        return len(self.sizes)

    @cached_property
    def equal_size(self) -> int | None:
        """Rows per domain if all domains have as many, else None."""
        return self.sizes[0] if len(set(self.sizes)) == 1 else None

    @cached_property
    def domain(self) -> Tensor:
        """The domain of each row, numbered from 0."""
        sizes = torch.tensor(self.sizes, device=self.inputs.device)
        numbers = torch.arange(self.n_domains, device=self.inputs.device)
        return numbers.repeat_interleave(sizes)

    def sum(self, values: Tensor) -> Tensor:
        """Sum `values` of shape (n_rows, ...) over the rows of each domain."""
        if self.equal_size is not None:
            shape = (self.n_domains, self.equal_size, *values.shape[1:])
            return values.reshape(shape).sum(1)
        total = values.new_zeros(self.n_domains, *values.shape[1:])
        return total.index_add(0, self.domain, values)

    @cached_property
    def mass(self) -> Tensor:
        """Total weight of each domain; the number of rows if all weights are 1."""
        return self.sum(self.sample_weight)

    @cached_property
    def weights(self) -> Tensor:
        """Weights that sum to 1 within each domain."""
        return self.sample_weight / self.mass[self.domain]

    @cached_property
    def shares(self) -> Tensor:
        """Weights that sum to 1 over all rows, domains alike, shape (n_rows, 1)."""
        return self.weights[:, None] / self.n_domains

    @cached_property
    def unbiased_weights(self) -> Tensor:
        """Weights of an unbiased variance within each domain, if weights count rows."""
        freedom = (self.mass - 1.0).clamp(min=1.0)
        return self.sample_weight / freedom[self.domain]

    def mean(self, values: Tensor) -> Tensor:
        """Average `values` of shape (n_rows, ...) over the rows of each domain."""
        weights = self.weights.reshape(-1, *(1,) * (values.ndim - 1))
        return self.sum(weights * values)

    def spread(self, values: Tensor) -> Tensor:
        """Give each row the value of its domain, from values of shape (n_domains,)."""
        if self.equal_size is not None:
            return values[:, None].expand(-1, self.equal_size).flatten()
        return values[self.domain]

    def centred(self, values: Tensor, means: Tensor) -> Tensor:
        """Return `values` of shape (n_rows, n) less the means of their domains.

        The means are held fixed in the gradient: that of any weighted sum of squares or
        products of the result in them is 0.
        """
        means = means.detach()
        if self.equal_size is not None:
            shape = (self.n_domains, self.equal_size, -1)
            return (values.reshape(shape) - means[:, None]).flatten(0, 1)
        return values - means[self.domain]

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left_e.T @ right_e`` of the rows of each domain e.

        Of shape (n_domains, n_left, n_right) for arguments with n_left and n_right
        columns.
        """
        if self.n_domains == 1:
            return (left.T @ right)[None]
        if self.equal_size is not None:
            if right.shape[1] == 1:
                # Batched products of such narrow matrices are several times as slow.
                return self.sum(left * right)[:, :, None]
            shape = (self.n_domains, self.equal_size, -1)
            return torch.bmm(left.reshape(shape).mT, right.reshape(shape))
        parts = zip(left.split(self.sizes), right.split(self.sizes), strict=True)
        return torch.stack([a.T @ b for a, b in parts])

    def times(self, values: Tensor, matrices: Tensor) -> Tensor:
        """Multiply the rows of each domain by that domain's matrix.

        For values of shape (n_rows, n_in), matrices of shape (n_domains, n_in, n_out).
        """
        if self.equal_size is not None:
            shape = (self.n_domains, self.equal_size, -1)
            by_domain = values.reshape(shape)
            if matrices.shape[1] == 1:  # see `products`
                return (by_domain * matrices).flatten(0, 1)
            if matrices.shape[2] == 1:
                return (by_domain * matrices.mT).sum(2).flatten()[:, None]
            return torch.bmm(by_domain, matrices).flatten(0, 1)
        parts = zip(values.split(self.sizes), matrices, strict=True)
        return torch.cat([part @ matrix for part, matrix in parts])

    def take(self, index: Tensor, sizes: tuple[int, ...]) -> "DomainRows":
        """Return the rows at `index`, which must be ordered by domain."""
        return DomainRows(
            self.inputs[index], self.targets[index], self.sample_weight[index], sizes
        )

    @cached_property
    def by_domain(self) -> list["DomainRows"]:
        """Each domain's rows by themselves (views, not copies)."""
        parts = (
            values.split(self.sizes)
            for values in (self.inputs, self.targets, self.sample_weight)
        )
        sizes = ((size,) for size in self.sizes)
        return [DomainRows(*part) for part in zip(*parts, sizes, strict=True)]


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
    per_batch = sum(min(n, batch_size or n) for n in sizes)
    return max(_AUTO_ITERATIONS, _AUTO_PASSES * sum(sizes) // per_batch)


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
    sizes = tuple(min(size, batch_size) for size in rows.sizes)
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


def order_by_domain(
    codes: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Put the rows of each domain together.

    Domains come in the order in which the data first name them, not in the order of
    their labels: so other labels for the same domains give the same model, bit for
    bit. Rows of weight 0 are left out, as if they were not there.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        The domain of each row as a number.

    weight : ndarray of shape (n_samples,)
        Weight of each row.

    Returns
    -------
    order : ndarray of shape (n_rows,)
        The rows to use, those of one domain after those of another.

    places : ndarray of shape (n_domains,)
        The position of each domain that is left, by ascending code.

    sizes : tuple of int
        Number of rows of each domain, by position.
    """
    kept = np.flatnonzero(weight > 0)
    _, first, inverse = np.unique(codes[kept], return_index=True, return_inverse=True)
    places = np.argsort(np.argsort(first))
    positions = places[inverse]
    order = kept[np.argsort(positions, kind="stable")]
    return order, places, tuple(np.bincount(positions).tolist())


def draw_batches(
    rows: DomainRows, batch_size: int | None, random_state: np.random.RandomState
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

    random_state : RandomState
        Where the order of rows comes from.

    Yields
    ------
    DomainRows
        A batch.
    """
    if batch_size is None or batch_size >= max(rows.sizes):
        while True:
            yield rows
    generator = torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
    sizes = tuple(min(size, batch_size) for size in rows.sizes)
    starts = np.cumsum((0, *rows.sizes[:-1])).tolist()
    n_batches = max(n // size for n, size in zip(rows.sizes, sizes, strict=True))
    while True:
        columns = [
            start + _draw_index(n, size, n_batches, generator)
            for start, n, size in zip(starts, rows.sizes, sizes, strict=True)
        ]
        # One transfer to the device per pass over the largest domain.
        index = torch.cat(columns, 1).to(rows.inputs.device)
        for batch in index:
            yield rows.take(batch, sizes)


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

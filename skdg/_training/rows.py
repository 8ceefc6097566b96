# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Rows of several domains on a device."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from skdg._training.layers import (
    add_product_,
    inner_product,
    is_shared,
    shared_product,
)
from skdg._training.moments import moment_points


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

    n_models : int, default=None
        Number of models that are trained side by side. All values that depend on the
        model then have a leading model axis. The three tensors above have one as well
        if each model has rows of its own; without it all models share the rows.
    """

    inputs: Tensor
    targets: Tensor
    sample_weight: Tensor
    sizes: tuple[int, ...]
    n_models: int | None = None

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """What rows consist of: inputs, targets and weights."""
        return self.inputs, self.targets, self.sample_weight

    @property
    def n_domains(self) -> int:
        """Number of domains."""
        return len(self.sizes)

    @cached_property
    def all_inputs(self) -> Tensor:
        """The inputs with a model axis, repeated where models share them."""
        return self._repeated(self.inputs)

    @cached_property
    def all_targets(self) -> Tensor:
        """The targets with a model axis, repeated where models share them."""
        return self._repeated(self.targets)

    def _repeated(self, tensor: Tensor) -> Tensor:
        if self.n_models is None or tensor.ndim == 3:
            return tensor
        return tensor.expand(self.n_models, *tensor.shape)

    @cached_property
    def n_rows(self) -> int:
        """Number of rows of a model."""
        return sum(self.sizes)

    @property
    def n_columns(self) -> int:
        """Number of columns of inputs and targets together."""
        return self.inputs.shape[-1] + self.targets.shape[-1]

    @cached_property
    def equal_size(self) -> int | None:
        """Rows per domain if all domains have as many, else None."""
        return self.sizes[0] if len(set(self.sizes)) == 1 else None

    @cached_property
    def domain(self) -> Tensor:
        """The domain of each row, numbered from 0."""
        sizes = torch.tensor(self.sizes, device=self.inputs.device)
        numbers = torch.arange(self.n_domains, device=self.inputs.device)
        # Their number, which a GPU would have to be asked for.
        return numbers.repeat_interleave(sizes, output_size=self.n_rows)

    def sum(self, values: Tensor) -> Tensor:
        """Sum `values` of shape (n_rows, ...) over the rows of each domain."""
        return self._sum(values, 0 if self.n_models is None else 1)

    def _sum(self, values: Tensor, axis: int) -> Tensor:
        shape = list(values.shape)
        if self.equal_size is not None:
            shape[axis : axis + 1] = self.n_domains, self.equal_size
            return values.reshape(shape).sum(axis + 1)
        shape[axis] = self.n_domains
        return values.new_zeros(shape).index_add(axis, self.domain, values)

    @cached_property
    def mass(self) -> Tensor:
        """Total weight of each domain; the number of rows if all weights are 1."""
        return self._sum(self.sample_weight, self.sample_weight.ndim - 1)

    @cached_property
    def weights(self) -> Tensor:
        """Weights that sum to 1 within each domain."""
        return self.sample_weight / self.mass[..., self.domain]

    @cached_property
    def column(self) -> Tensor:
        """The weights as a column, shape (n_rows, 1)."""
        return self.weights[..., None]

    @cached_property
    def shares(self) -> Tensor:
        """Weights that sum to 1 over all rows, domains alike, shape (n_rows, 1)."""
        return self.column / self.n_domains

    @cached_property
    def unbiased_weights(self) -> Tensor:
        """Weights of an unbiased variance within each domain, if weights count rows."""
        freedom = (self.mass - 1.0).clamp(min=1.0)
        return self.sample_weight / freedom[..., self.domain]

    def mean(self, values: Tensor) -> Tensor:
        """Average `values` of shape (n_rows, ...) over the rows of each domain."""
        axis = 0 if self.n_models is None else 1
        weights = self.weights
        if values.ndim > axis + 1:
            weights = weights.reshape(*weights.shape, *(1,) * (values.ndim - 1 - axis))
        return self._sum(weights * values, axis)

    def column_of(self, values: Tensor) -> Tensor:
        """Return weights that sum, within each domain, to the domain's value."""
        if self.equal_size is None:
            return (self.weights * values[..., self.domain])[..., None]
        by_domain = self.weights.unflatten(-1, (self.n_domains, -1)) * values[..., None]
        return by_domain.flatten(-2)[..., None]

    def give_(self, out: Tensor, values: Tensor) -> None:
        """Write into each row of `out` that of its domain of (n_domains, n) values."""
        if self.equal_size is not None:
            by_domain = out.view(*values.shape[:-1], self.equal_size, -1)
            by_domain.copy_(values.unsqueeze(-2))
        else:
            out.copy_(values[..., self.domain, :])

    def centered(self, values: Tensor, means: Tensor) -> Tensor:
        """Return `values` of shape (n_rows, n) less the means of their domains.

        The means are held fixed in the gradient: that of any weighted sum of squares or
        products of the result in them is 0.
        """
        means = means.detach()
        if self.equal_size is not None:
            return (self._by_domain(values) - means.unsqueeze(-2)).flatten(-3, -2)
        return values - means[..., self.domain, :]

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left_e.T @ right_e`` of the rows of each domain e.

        Of shape (n_domains, n_left, n_right) for arguments with n_left and n_right
        columns.
        """
        if self.n_domains == 1:
            return inner_product(left, right).unsqueeze(-3)
        if is_shared(left) and self.equal_size is not None:
            parts = self._by_domain(left[0]).mT, self._by_domain(right)
            return shared_product(*parts)
        if self.equal_size is None:
            pairs = zip(
                left.split(self.sizes, -2), right.split(self.sizes, -2), strict=True
            )
            return torch.stack([inner_product(a, b) for a, b in pairs], -3)
        if right.shape[-1] == 1:
            # Batched products of such narrow matrices are several times as slow.
            return self.sum(left * right)[..., None]
        shape = (-1, self.equal_size)
        products = inner_product(
            left.reshape(*shape, left.shape[-1]), right.reshape(*shape, right.shape[-1])
        )
        if self.n_models is None:
            return products
        return products.unflatten(0, (self.n_models, self.n_domains))

    def times(self, values: Tensor, matrices: Tensor) -> Tensor:
        """Multiply the rows of each domain by that domain's matrix.

        For values of shape (n_rows, n_in), matrices of shape (n_domains, n_in, n_out).
        """
        out = values.new_zeros(*values.shape[:-1], matrices.shape[-1])
        self.add_times_(out, values, matrices)
        return out

    def add_times_(self, out: Tensor, values: Tensor, matrices: Tensor) -> None:
        """Add what `times` returns to `out`, which is contiguous."""
        if is_shared(values) and self.equal_size is not None:
            out = self._by_domain(out)
            out += shared_product(self._by_domain(values[0]), matrices)
            return
        if self.equal_size is None:
            split = (out.split(self.sizes, -2), values.split(self.sizes, -2))
            for sums, part, matrix in zip(*split, matrices.unbind(-3), strict=True):
                add_product_(sums, part, matrix)
            return
        n_in, n_out = matrices.shape[-2:]
        if self.n_models is not None:
            matrices = matrices.flatten(0, 1)
        values = values.reshape(-1, self.equal_size, n_in)
        out = out.view(-1, self.equal_size, n_out)
        if n_in == 1:  # see `products`
            out.addcmul_(values, matrices)
        elif n_out == 1:
            out.mT.baddbmm_(matrices.mT, values.mT)
        else:
            add_product_(out, values, matrices)

    def _by_domain(self, values: Tensor) -> Tensor:
        """Divide the rows of domains of equal size."""
        return values.unflatten(-2, (self.n_domains, -1))

    def squares(self, values: Tensor) -> Tensor:
        """Return the squares of values, of those that models share only once."""
        if is_shared(values):
            return values[0].square().expand_as(values)
        return values.square()

    def take(self, index: Tensor, sizes: tuple[int, ...]) -> "DomainRows":
        """Return the rows at `index`, which must be ordered by domain.

        An index of shape (n_models, n_rows) takes other rows for each model.
        """
        place: tuple = (index,)
        if self.sample_weight.ndim == 2:
            place = (slice(None), index)
            if index.ndim == 2:
                place = (torch.arange(len(index), device=index.device)[:, None], index)
        return DomainRows(
            self.inputs[place],
            self.targets[place],
            self.sample_weight[place],
            sizes,
            self.n_models,
        )

    @cached_property
    def by_domain(self) -> list["DomainRows"]:
        """Each domain's rows by themselves (views, not copies)."""
        parts = (
            self.inputs.split(self.sizes, -2),
            self.targets.split(self.sizes, -2),
            self.sample_weight.split(self.sizes, -1),
        )
        return [
            DomainRows(inputs, targets, weight, (size,), self.n_models)
            for inputs, targets, weight, size in zip(*parts, self.sizes, strict=True)
        ]

    @cached_property
    def condensed(self) -> "DomainRows":
        """Few rows that have, in each domain, the same first and second moments."""
        columns = zip(
            *(
                moment_points(part.inputs, part.targets, part.sample_weight)
                for part in self.by_domain
            ),
            strict=True,
        )
        inputs, targets, weight = map(list, columns)
        sizes = tuple(len(own) for own in weight)
        return DomainRows(
            torch.cat(inputs), torch.cat(targets), torch.cat(weight), sizes
        )

    def over(self, inputs: Tensor, targets: Tensor, weight: Tensor) -> "DomainRows":
        """Return rows of the same domains with other values."""
        return self._like(inputs=inputs, targets=targets, sample_weight=weight)

    @cached_property
    def of_one(self) -> "DomainRows":
        """The rows as one of the models sees them that share them."""
        return self._like(n_models=None)

    def _like(self, **changes: Any) -> "DomainRows":
        # Other values are derived from what was changed.
        other = replace(self, **changes)
        other.__dict__["domain"] = self.domain
        return other

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from collections import Counter
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pytest
import torch

from skdg._training.data import order_by_domain
from skdg._training.drawing import (
    draw_batches,
    resolve_batch_size,
    resolve_max_iter,
    spread_batches,
)
from skdg._training.rows import DomainRows

EQUAL, RAGGED = (4, 4, 4), (5, 1, 6)
SIZES = pytest.mark.parametrize("sizes", [EQUAL, RAGGED, (7,)])
SHAPES = pytest.mark.parametrize("shape", [(), (2,), (2, 3)])


def own_rows(sizes, domain):
    start = sum(sizes[:domain])
    return range(start, start + sizes[domain])


@SIZES
@SHAPES
def test_sum_and_mean_are_loops_over_rows(make_rows, sizes, shape):
    rows = make_rows("regression", sizes)
    values = np.random.default_rng(1).normal(size=(sum(sizes), *shape))
    weight = rows.sample_weight.numpy()
    total, mean = rows.sum(torch.tensor(values)), rows.mean(torch.tensor(values))
    assert total.shape == mean.shape == (len(sizes), *shape)
    for domain in range(len(sizes)):
        own = list(own_rows(sizes, domain))
        expected, weighted = 0.0, 0.0
        for row in own:
            expected = expected + values[row]
            weighted = weighted + weight[row] * values[row]
        np.testing.assert_allclose(total[domain], expected, rtol=1e-12)
        np.testing.assert_allclose(
            mean[domain], weighted / sum(weight[row] for row in own), rtol=1e-12
        )


@SIZES
def test_products_are_loops_over_rows(make_rows, sizes):
    rows = make_rows("regression", sizes)
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(sum(sizes), 2)), rng.normal(size=(sum(sizes), 3))
    found = rows.products(torch.tensor(left), torch.tensor(right))
    for domain in range(len(sizes)):
        expected = sum(
            np.outer(left[row], right[row]) for row in own_rows(sizes, domain)
        )
        np.testing.assert_allclose(found[domain], expected, rtol=1e-12)


@SIZES
def test_times_are_loops_over_rows(make_rows, sizes):
    rows = make_rows("regression", sizes)
    rng = np.random.default_rng(2)
    values = rng.normal(size=(sum(sizes), 2))
    matrices = rng.normal(size=(len(sizes), 2, 3))
    found = rows.times(torch.tensor(values), torch.tensor(matrices))
    for domain in range(len(sizes)):
        for row in own_rows(sizes, domain):
            expected = values[row] @ matrices[domain]
            np.testing.assert_allclose(found[row], expected, rtol=1e-12)


@SIZES
@pytest.mark.parametrize(("n_in", "n_out"), [(3, 2), (1, 4), (4, 1)])
def test_times_are_added_and_values_of_domains_given_in_place(
    make_rows, sizes, n_in, n_out
):
    rows = make_rows("regression", sizes)
    rng = np.random.default_rng(3)
    values, matrices, offsets = (
        torch.tensor(rng.normal(size=shape))
        for shape in (
            *((sum(sizes), n_in), (len(sizes), n_in, n_out)),
            (len(sizes), n_out),
        )
    )
    found = torch.empty(sum(sizes), n_out, dtype=torch.float64)
    rows.give_(found, offsets)
    rows.add_times_(found, values, matrices)
    for domain in range(len(sizes)):
        for row in own_rows(sizes, domain):
            expected = offsets[domain] + values[row] @ matrices[domain]
            np.testing.assert_allclose(found[row], expected, rtol=1e-12)


@SIZES
def test_weights(make_rows, sizes):
    rows = make_rows("regression", sizes)
    weight = rows.sample_weight.numpy()
    for domain in range(len(sizes)):
        own = list(own_rows(sizes, domain))
        mass = weight[own].sum()
        np.testing.assert_allclose(rows.mass[domain], mass, rtol=1e-12)
        np.testing.assert_allclose(rows.weights[own], weight[own] / mass, rtol=1e-12)
        assert rows.domain[own].tolist() == [domain] * sizes[domain]
    assert rows.n_domains == len(sizes)


def test_weight_of_two_is_the_row_twice(make_rows):
    rows = make_rows("regression", (3, 2), weighted=False)
    weight = torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0]).double()
    weighted = DomainRows(rows.inputs, rows.targets, weight, rows.sizes)
    repeated = rows.take(torch.tensor([0, 1, 1, 2, 3, 4]), (4, 2))
    torch.testing.assert_close(weighted.mass, repeated.mass)
    torch.testing.assert_close(
        weighted.mean(weighted.inputs), repeated.mean(repeated.inputs)
    )


def test_equal_size():
    empty = torch.zeros(12, 1)
    assert DomainRows(empty, empty, empty[:, 0], EQUAL).equal_size == 4
    assert DomainRows(empty, empty, empty[:, 0], RAGGED).equal_size is None


@SIZES
def test_by_domain_are_views_of_the_rows_of_each_domain(make_rows, sizes):
    rows = make_rows("targets", sizes)
    assert len(rows.by_domain) == len(sizes)
    for domain, part in enumerate(rows.by_domain):
        own = list(own_rows(sizes, domain))
        assert part.sizes == (sizes[domain],)
        for name in ("inputs", "targets", "sample_weight"):
            values = getattr(rows, name)
            torch.testing.assert_close(
                getattr(part, name), values[own], rtol=0.0, atol=0.0
            )
            inside = getattr(part, name).data_ptr() - values.data_ptr()
            width = values[0].numel() * values.element_size()
            assert inside == own[0] * width


def test_order_by_domain_follows_first_appearance():
    codes = np.array([2, 0, 2, 1, 0, 2])
    order, places, sizes = order_by_domain(codes, np.ones(6))
    assert order.tolist() == [0, 2, 5, 1, 4, 3]
    assert sizes == (3, 2, 1)
    # The position of the domains with the codes 0, 1 and 2.
    assert places.tolist() == [1, 2, 0]


def test_order_by_domain_leaves_out_rows_and_domains_of_weight_0():
    codes = np.array([1, 0, 1, 2, 0])
    order, places, sizes = order_by_domain(codes, np.array([0.0, 1.0, 2.0, 0.0, 0.5]))
    assert order.tolist() == [1, 4, 2]
    assert sizes == (2, 1)
    assert places.tolist() == [0, 1]


def test_order_by_domain_knows_nothing_of_labels():
    rng = np.random.default_rng(3)
    codes, weight = rng.integers(0, 5, 40), rng.integers(0, 3, 40).astype(float)
    renamed = rng.permutation(5)[codes]
    order, places, sizes = order_by_domain(codes, weight)
    order_2, places_2, sizes_2 = order_by_domain(renamed, weight)
    assert order.tolist() == order_2.tolist()
    assert sizes == sizes_2
    # Both say where the same domain stands.
    present, present_2 = np.unique(codes[order]), np.unique(renamed[order])
    by_code = dict(zip(present, places, strict=True))
    by_name = dict(zip(present_2, places_2, strict=True))
    assert all(by_code[a] == by_name[b] for a, b in zip(codes, renamed, strict=True))
    starts = np.cumsum((0, *sizes[:-1]))
    for domain, place in by_code.items():
        own = order[starts[place] : starts[place] + sizes[place]]
        assert own.tolist() == np.flatnonzero((codes == domain) & (weight > 0)).tolist()


@pytest.mark.parametrize(
    ("batch_size", "sizes", "expected"),
    [
        (7, (100, 3), 7),
        (None, (5000, 5000), None),
        ("auto", (1000, 24), None),
        ("auto", (1000, 25), 256),
        ("auto", (2000,), 512),
        ("auto", (300,) * 5, 102),
        ("auto", (20,) * 60, 16),
    ],
)
def test_resolve_batch_size(batch_size, sizes, expected):
    assert resolve_batch_size(batch_size, sizes) == expected


def numbered(sizes):
    """Make rows whose only input is their number."""
    inputs = torch.arange(sum(sizes), dtype=torch.float64)[:, None]
    return DomainRows(inputs, -inputs, inputs[:, 0] + 1.0, sizes)


def batches_of(sizes, batch_size, n, seed=0):
    generator = draw_batches(numbered(sizes), batch_size, np.random.RandomState(seed))
    return list(islice(generator, n))


@pytest.mark.parametrize("batch_size", [None, 6, 100])
def test_all_rows_when_no_domain_has_more(batch_size):
    rows = numbered(RAGGED)
    generator = draw_batches(rows, batch_size, np.random.RandomState(0))
    assert all(batch is rows for batch in islice(generator, 3))


def test_batch_has_the_given_number_of_rows_of_each_domain():
    sizes = (11, 2, 5)
    for batch in batches_of(sizes, 4, 30):
        assert batch.sizes == (4, 2, 4)
        drawn = batch.inputs[:, 0].long().tolist()
        assert len(set(drawn)) == 10
        for domain, part in enumerate(np.split(drawn, [4, 6])):
            assert set(part) <= set(own_rows(sizes, domain))
        # Targets and weights are those of the same rows.
        assert batch.targets[:, 0].tolist() == [-row for row in drawn]
        assert batch.sample_weight.tolist() == [row + 1 for row in drawn]


def passes(sizes, batch_size, domain, n_passes, seed=0):
    """Return the rows that a domain contributes in each of its passes."""
    per_pass = sizes[domain] // batch_size
    own = set(own_rows(sizes, domain))
    batches = batches_of(sizes, batch_size, n_passes * per_pass, seed)
    drawn = [
        [row for row in batch.inputs[:, 0].long().tolist() if row in own]
        for batch in batches
    ]
    return [
        list(chain.from_iterable(drawn[i * per_pass : (i + 1) * per_pass]))
        for i in range(n_passes)
    ]


@pytest.mark.parametrize("domain", [0, 1, 2])
def test_each_pass_uses_each_row_once(domain):
    # Passes of 6, 3 and 2 batches: those of smaller domains divide the longest.
    sizes = (12, 6, 4)
    found = passes(sizes, 2, domain, n_passes=6)
    for rows in found:
        assert sorted(rows) == list(own_rows(sizes, domain))
    # In a new order each time.
    assert len({tuple(rows) for rows in found}) > 1


def test_last_incomplete_batch_of_a_pass_is_left_out():
    found = passes((11, 4), 4, domain=0, n_passes=200)
    for rows in found:
        assert len(set(rows)) == 8
    # Which rows are left out changes, so that each row is used about equally.
    used = Counter(row for rows in found for row in rows)
    assert set(used) == set(range(11))
    # Binomial with 200 draws of probability 8 / 11: five standard deviations.
    bound = 5 * np.sqrt(200 * 8 / 11 * 3 / 11)
    assert all(abs(count - 200 * 8 / 11) < bound for count in used.values())


def test_smaller_domain_is_used_up_before_it_starts_anew():
    # The larger domain has 5 batches in a pass, the smaller one 2.
    sizes, own = (10, 4), {10, 11, 12, 13}
    drawn = [
        set(batch.inputs[:, 0].long().tolist()) & own
        for batch in batches_of(sizes, 2, 5)
    ]
    assert drawn[0] | drawn[1] == own
    assert drawn[2] | drawn[3] == own
    assert len(drawn[4]) == 2


def test_draws_depend_on_the_random_state_alone():
    def numbers(seed):
        return [b.inputs[:, 0].tolist() for b in batches_of((9, 7), 3, 10, seed)]

    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = numbers(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert numbers(0) == first
    assert numbers(1) != first


@pytest.mark.parametrize(
    ("max_iter", "sizes", "batch_size", "expected"),
    [
        (7, (4000, 1000), 100, 7),
        ("auto", (500, 500), None, 160),
        ("auto", (200, 200), 100, 160),
        # 64 passes over 10 000 rows in batches of 2 times 256, or of 256 and 100.
        ("auto", (5000, 5000), 256, 1250),
        ("auto", (9900, 100), 256, 64 * 10_000 // 356),
    ],
)
def test_resolve_max_iter(max_iter, sizes, batch_size, expected):
    assert resolve_max_iter(max_iter, sizes, batch_size) == expected


@pytest.mark.parametrize("batch_size", [None, 7, 100])
def test_spread_batches_of_a_full_batch_are_all_rows(make_rows, batch_size):
    rows = make_rows("regression", EQUAL if batch_size != 7 else (7, 2))
    assert spread_batches(rows, batch_size) == [rows]


@pytest.mark.parametrize("n_rows", [1, 60, 4096])
def test_spread_batches_take_rows_evenly_from_each_domain(n_rows):
    sizes, batch_size = (600, 90, 3), 10
    number = torch.arange(sum(sizes), dtype=torch.float64)[:, None]
    rows = DomainRows(number, number, number[:, 0] + 1.0, sizes)
    batches = spread_batches(rows, batch_size, n_rows)
    assert len(batches) == {1: 1, 60: 2, 4096: 60}[n_rows]
    taken = [
        torch.cat(parts)
        for parts in zip(
            *([part.inputs[:, 0] for part in batch.by_domain] for batch in batches),
            strict=True,
        )
    ]
    assert all(batch.sizes == (10, 10, 3) for batch in batches)
    for domain, size in enumerate(sizes):
        own = own_rows(sizes, domain)
        found = np.sort(taken[domain].numpy())
        assert set(found) <= set(own)
        # No gap is longer than even spacing makes it, in the middle or at an end.
        gaps = np.diff([own.start - 1, *found, own.stop])
        assert gaps.max() <= -(-size // min(size, len(found))) + 1


@pytest.mark.parametrize("sizes", [(6, 6), (5, 1, 7)], ids=["equal", "ragged"])
def test_other_values_for_the_same_domains(make_rows, sizes):
    rows = make_rows("regression", sizes)
    rows.mass  # noqa: B018  # what was derived from the old values is not kept
    other = rows.over(rows.inputs + 1.0, -rows.targets, 3.0 * rows.sample_weight)
    assert other.domain is rows.domain
    torch.testing.assert_close(other.mass, 3.0 * rows.mass)
    torch.testing.assert_close(other.mean(other.inputs), rows.mean(rows.inputs) + 1.0)
    torch.testing.assert_close(other.mean(other.targets), -rows.mean(rows.targets))


@SIZES
@pytest.mark.parametrize("n_out", [1, 2])
@pytest.mark.parametrize("shared", [True, False])
def test_products_of_many_models_are_those_of_each(make_rows, sizes, n_out, shared):
    one = make_rows("regression", sizes)
    rows = replace(one, n_models=4)
    rng = np.random.default_rng(3)
    n = sum(sizes)
    left = torch.tensor(rng.normal(size=(1 if shared else 4, n, 3))).expand(4, n, 3)
    right = torch.tensor(rng.normal(size=(4, n, n_out)))
    matrices = torch.tensor(rng.normal(size=(4, len(sizes), 3, n_out)))
    cases = [
        (rows.products(left, right), map(one.products, left, right)),
        (rows.times(left, matrices), map(one.times, left, matrices)),
        (
            rows.centered(left, rows.mean(left)),
            [one.centered(v, one.mean(v)) for v in left],
        ),
        (rows.squares(left), left * left),
    ]
    for found, expected in cases:
        torch.testing.assert_close(
            found, torch.stack([*expected]), rtol=1e-12, atol=1e-12
        )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.batch import DomainBatch
from skdg._training.losses import LOG_LOSS
from skdg._training.rows import DomainRows
from skdg.alignment import MMDRegressor
from skdg.alignment._mmd import MMDPenalty
from tests.alignment.many_models import side_by_side


def mmd_penalty(batch, bandwidth="mean"):
    return MMDPenalty(bandwidth)(batch)


def mmd_gradient(batch, bandwidth):
    """The gradient in the features, where they are not the inputs."""
    penalty = MMDPenalty(bandwidth)
    penalty(batch)
    return penalty.derivative(batch).features


PUBLISHED = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
BANDWIDTHS = ["mean", "published"]


def make_rows(sizes, seed=0, counts=False):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    weight = rng.integers(1, 5, n) if counts else rng.uniform(0.2, 3.0, n)
    X, y = rng.normal(size=(n, 3)), np.zeros((n, 1))
    return DomainRows(*map(torch.tensor, (X, y, weight.astype(float))), sizes)


def make_batch(rows, features=None):
    features = rows.inputs.clone() if features is None else features
    head = torch.ones(features.shape[1], 1, dtype=torch.float64)
    return DomainBatch.from_outputs(rows, features @ head, features, head, LOG_LOSS)


def mean_of_pairs(features, weight, sizes):
    """The mean over all pairs, in which domains count equally."""
    share = np.concatenate(
        [own / own.sum() for own in np.split(np.asarray(weight), np.cumsum(sizes)[:-1])]
    ) / len(sizes)
    return sum(
        share[i] * share[j] * np.sum((features[i] - features[j]) ** 2)
        for i in range(len(features))
        for j in range(len(features))
    )


def discrepancy(features, weight, sizes, gammas):
    """The biased estimate by loops over rows and pairs of domains."""
    features, weight = np.asarray(features), np.asarray(weight)
    ends = np.cumsum(sizes)
    domains = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]

    def mean_kernel(first, second):
        total = mass = 0.0
        for i in first:
            for j in second:
                distance = np.sum((features[i] - features[j]) ** 2)
                kernel = sum(np.exp(-gamma * distance) for gamma in gammas)
                total += weight[i] * weight[j] * kernel
                mass += weight[i] * weight[j]
        return total / mass

    pairs = [
        mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)
        for i, a in enumerate(domains)
        for b in domains[:i]
    ]
    return np.mean(pairs)


def gammas_of(bandwidth, features, weight, sizes):
    if bandwidth == "published":
        return PUBLISHED
    return np.array([0.25, 0.5, 1.0, 2.0, 4.0]) / mean_of_pairs(features, weight, sizes)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
@pytest.mark.parametrize("sizes", [(6, 6), (3, 8), (4, 1, 7, 5)])
def test_penalty_is_the_mean_discrepancy_over_pairs(sizes, bandwidth):
    rows = make_rows(sizes)
    features = rows.inputs.numpy()
    gammas = gammas_of(bandwidth, features, rows.sample_weight, sizes)
    expected = discrepancy(features, rows.sample_weight, sizes, gammas)
    found = mmd_penalty(make_batch(rows), bandwidth)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert expected > 0.1


def test_weights_count_repetitions_of_rows():
    rows = make_rows((5, 8), counts=True)
    index = torch.arange(13).repeat_interleave(rows.sample_weight.long())
    sizes = tuple(int(part.sum()) for part in rows.sample_weight.split((5, 8)))
    ones = torch.ones(len(index), dtype=torch.float64)
    repeated = DomainRows(rows.inputs[index], rows.targets[index], ones, sizes)
    np.testing.assert_allclose(
        mmd_penalty(make_batch(rows), "published"),
        mmd_penalty(make_batch(repeated), "published"),
        rtol=1e-9,
    )


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_it_is_never_negative(bandwidth):
    for seed in range(30):
        rows = make_rows((4, 4, 3), seed)
        # Nearly the same rows in all domains.
        features = rows.inputs[[0, 1, 2, 3, 3, 1, 0, 2, 0, 1, 2]]
        features = features + 1e-3 * rows.inputs
        assert float(mmd_penalty(make_batch(rows, features), bandwidth)) > 0


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_equal_samples_have_no_discrepancy(bandwidth):
    rows = make_rows((5, 5, 5))
    order = [0, 1, 2, 3, 4, 3, 0, 4, 2, 1, 4, 3, 2, 1, 0]
    rows = DomainRows(rows.inputs, rows.targets, torch.ones(15).double(), (5, 5, 5))
    batch = make_batch(rows, rows.inputs[order])
    # The narrowest kernel multiplies the rounding of distances by 1000.
    np.testing.assert_allclose(mmd_penalty(batch, bandwidth), 0.0, atol=1e-12)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_one_domain_has_no_discrepancy(bandwidth):
    assert float(mmd_penalty(make_batch(make_rows((7,))), bandwidth)) == 0.0


@pytest.mark.parametrize("scale", [1e-4, 1e5])
def test_mean_widths_follow_the_scale_of_the_features(scale):
    rows = make_rows((6, 8))
    expected = mmd_penalty(make_batch(rows))
    found = mmd_penalty(make_batch(rows, scale * rows.inputs))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    fixed = [
        mmd_penalty(make_batch(rows, factor * rows.inputs), "published")
        for factor in (1.0, scale)
    ]
    assert abs(fixed[0] - fixed[1]) > 0.1 * fixed[0]


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_that_are_all_equal_are_finite(bandwidth, dtype):
    # Dead units give such features.
    rows = make_rows((4, 6))
    rows = DomainRows(
        *(part.to(dtype) for part in (rows.inputs, rows.targets, rows.sample_weight)),
        rows.sizes,
    )
    features = torch.full((10, 3), 0.7, dtype=dtype)
    head = torch.ones(3, 1, dtype=dtype)
    batch = DomainBatch.from_outputs(rows, features @ head, features, head, LOG_LOSS)
    value, gradient = mmd_penalty(batch, bandwidth), mmd_gradient(batch, bandwidth)
    # The narrowest kernel multiplies the rounding of distances by 1000.
    rounding = 1e4 * torch.finfo(dtype).eps
    np.testing.assert_allclose(value, 0.0, atol=rounding)
    np.testing.assert_allclose(gradient, 0.0, atol=rounding)


def test_rounding_does_not_decide_where_most_rows_are_equal():
    # As binary columns make them: more than half of the pairs have distance 0.
    rows = make_rows((12, 9))
    features = torch.zeros(21, 3, dtype=torch.float64)
    features[[0, 5, 13]] = torch.tensor([1.0, 0.3, 0.7], dtype=torch.float64)
    values = [
        float(mmd_penalty(make_batch(rows, features + shift)))
        for shift in torch.cat([torch.zeros(1, 3).double(), rows.inputs])
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-6)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_gradient_agrees_with_finite_differences(bandwidth):
    rows = make_rows((4, 3, 5))
    gradient = mmd_gradient(make_batch(rows), bandwidth)
    features = rows.inputs.numpy()
    # The mean distance is held fixed.
    weights = rows.sample_weight, rows.sizes
    arguments = (*weights, gammas_of(bandwidth, features, *weights))
    differences = np.zeros((12, 3))
    for i in range(12):
        for k in range(3):
            move = np.zeros((12, 3))
            move[i, k] = 1e-6
            up = discrepancy(features + move, *arguments)
            down = discrepancy(features - move, *arguments)
            differences[i, k] = (up - down) / 2e-6
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
@pytest.mark.parametrize("own_rows", [False, True])
def test_models_side_by_side_have_the_penalties_of_each(bandwidth, own_rows):
    each = [make_batch(make_rows((5, 9, 4), seed)) for seed in range(3)]
    if not own_rows:
        each = [make_batch(each[0].rows, batch.features) for batch in each]
    together = side_by_side(each)
    for function in (mmd_penalty, mmd_gradient):
        found = function(together, bandwidth)
        expected = torch.stack([function(batch, bandwidth) for batch in each])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_training_aligns_features(bandwidth):
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], [40, 25])
    X = rng.normal(size=(65, 3))
    X[:, 1] += 3.0 * groups
    y = X[:, 0] + 0.1 * rng.normal(size=65)
    options = {"hidden_layer_sizes": (8,), "max_iter": 200, "random_state": 0}
    weak, strong = (
        MMDRegressor(penalty_weight=weight, bandwidth=bandwidth, **options).fit(
            X, y, groups=groups
        )
        for weight in (1e-9, 1.0)
    )
    assert strong.history_["penalty"][-1] < 0.3 * weak.history_["penalty"][-1]
    assert strong.history_["risk"][-1].max() < 0.2

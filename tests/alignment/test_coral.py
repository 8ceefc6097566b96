# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import LOG_LOSS
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.alignment import CORALClassifier, CORALRegressor
from skdg.alignment._coral import CORALPenalty
from skdg.alignment._coral_distance import about_their_mean, coral_distance


def make_rows(sizes, seed=0, counts=False):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    weight = rng.integers(1, 5, n) if counts else np.ones(n)
    X, y = rng.normal(size=(n, 4)), rng.integers(0, 2, (n, 1))
    arrays = (X, y.astype(float), weight.astype(float))
    return DomainRows(*map(torch.tensor, arrays), sizes)


def make_batch(rows, features=None):
    features = rows.inputs if features is None else features
    head = torch.ones(features.shape[1], 1, dtype=torch.float64)
    return DomainBatch.from_outputs(rows, features @ head, features, head, LOG_LOSS)


def distance_by_pairs(rows, features):
    """The distance by loops over pairs; a weight repeats its row."""
    parts = []
    for z, w in zip(
        np.split(np.asarray(features), np.cumsum(rows.sizes)[:-1]),
        np.split(rows.sample_weight.numpy(), np.cumsum(rows.sizes)[:-1]),
        strict=True,
    ):
        repeated = np.repeat(z, w.astype(int), axis=0)
        parts.append((repeated.mean(axis=0), np.cov(repeated.T)))
    total, n_pairs = 0.0, 0
    for i in range(len(parts)):
        for j in range(i):
            means, covariances = zip(parts[i], parts[j], strict=True)
            total += np.mean((means[0] - means[1]) ** 2)
            total += np.mean((covariances[0] - covariances[1]) ** 2)
            n_pairs += 1
    return total / n_pairs


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("sizes", [(6, 6), (5, 9), (4, 11, 7, 5)])
def test_penalty_is_the_mean_distance_over_pairs(sizes, counts):
    rows = make_rows(sizes, counts=counts)
    expected = distance_by_pairs(rows, rows.inputs)
    found = CORALPenalty()(make_batch(rows))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert expected > 0.05


@pytest.mark.parametrize("n_groups", [2, 5])
def test_distance_is_the_mean_over_pairs(n_groups):
    rng = np.random.default_rng(0)
    moments = rng.normal(size=(n_groups, 3)), rng.normal(size=(n_groups, 3, 3))
    expected = sum(
        np.mean(
            [
                np.mean((values[i] - values[j]) ** 2)
                for i in range(n_groups)
                for j in range(i)
            ]
        )
        for values in moments
    )
    found = coral_distance(*about_their_mean(*map(torch.tensor, moments)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_equal_domains_have_no_distance():
    rows = make_rows((6, 6))
    features = torch.cat([rows.inputs[:6], rows.inputs[:6].flip(0)])
    np.testing.assert_allclose(
        CORALPenalty()(make_batch(rows, features)), 0, atol=1e-25
    )


def test_equal_means_and_covariances_have_no_distance():
    # The third moments differ, which two moments do not see.
    features = torch.tensor([[-1.0], [-1.0], [2.0], [1.0], [1.0], [-2.0]]).double()
    rows = make_rows((3, 3))
    np.testing.assert_allclose(
        CORALPenalty()(make_batch(rows, features)), 0, atol=1e-25
    )


def test_one_domain_has_no_distance():
    assert float(CORALPenalty()(make_batch(make_rows((7,))))) == 0.0


def test_a_domain_of_one_row_has_no_covariance():
    rows = make_rows((1, 6))
    first, others = rows.inputs[0].numpy(), rows.inputs[1:].numpy()
    expected = np.mean((first - others.mean(axis=0)) ** 2)
    expected += np.mean(np.cov(others.T) ** 2)
    np.testing.assert_allclose(CORALPenalty()(make_batch(rows)), expected, rtol=1e-10)


def test_gradient_agrees_with_finite_differences():
    rows = make_rows((4, 7, 3), counts=True)
    leaf = rows.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(CORALPenalty()(make_batch(rows, leaf)), leaf)
    differences = np.zeros((14, 4))
    for i in range(14):
        for k in range(4):
            move = np.zeros((14, 4))
            move[i, k] = 1e-5
            up = distance_by_pairs(rows, rows.inputs.numpy() + move)
            down = distance_by_pairs(rows, rows.inputs.numpy() - move)
            differences[i, k] = (up - down) / 2e-5
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)


def own_objective(flat, rows, weight):
    """Mean risk and weighted distance of tanh features, written for autograd."""
    first, offsets, last, offset = flat.split([12, 3, 3, 1])
    hidden = torch.tanh(rows.inputs @ first.reshape(4, 3) + offsets)
    f = hidden @ last + offset
    losses = torch.nn.functional.softplus(f) - rows.targets[:, 0] * f
    parts = [
        (z.repeat_interleave(w.long(), dim=0), w @ a / w.sum())
        for z, a, w in zip(
            *(v.split(rows.sizes) for v in (hidden, losses, rows.sample_weight)),
            strict=True,
        )
    ]
    distances = [
        ((a.mean(0) - b.mean(0)) ** 2).mean() + ((a.T.cov() - b.T.cov()) ** 2).mean()
        for i, (a, _) in enumerate(parts)
        for b, _ in parts[:i]
    ]
    risk = torch.stack([risk for _, risk in parts]).mean()
    return risk + weight * torch.stack(distances).mean()


@pytest.mark.parametrize("iteration", [1, 2])
def test_step_follows_the_gradient_of_the_stated_objective(iteration):
    rows = make_rows((4, 7, 5), counts=True)
    flat = torch.tensor(np.random.default_rng(2).normal(size=19), requires_grad=True)
    weight = 6.0 if iteration >= 2 else 0.0
    (expected,) = torch.autograd.grad(own_objective(flat, rows, weight), flat)
    model = CORALClassifier(penalty_weight=6.0, penalty_anneal_iters=2)
    network = DenseNetwork((4, 3, 1), "tanh", flat.detach().clone())
    model._make_step(np.random.RandomState(0)).advance(
        network, rows, LOG_LOSS, Optimizer(network.parameters, "sgd", 1.0), iteration
    )
    found = flat.detach() - network.parameters
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def make_regression(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1], [40, 25])
    X = rng.normal(size=(65, 3)) * np.where(groups == 0, 1.0, 2.0)[:, None]
    X[:, 1] += 3.0 * groups
    return X, X[:, 0] + 0.1 * rng.normal(size=65), groups


def test_a_linear_model_has_no_features_to_change():
    X, y, groups = make_regression()
    options = {"hidden_layer_sizes": (), "max_iter": 30}
    first, second = (
        CORALRegressor(penalty_weight=weight, **options).fit(X, y, groups=groups)
        for weight in (0.0, 100.0)
    )
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=1e-9)


def test_training_aligns_features():
    X, y, groups = make_regression()
    options = {"hidden_layer_sizes": (8,), "max_iter": 300, "random_state": 0}
    weak, strong = (
        CORALRegressor(penalty_weight=weight, **options).fit(X, y, groups=groups)
        for weight in (1e-9, 1.0)
    )
    assert strong.history_["penalty"][-1] < 0.2 * weak.history_["penalty"][-1]
    assert strong.history_["risk"][-1].max() < 0.2

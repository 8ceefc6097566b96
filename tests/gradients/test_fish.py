# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from skdg import ERMClassifier, ERMRegressor, FishClassifier, FishRegressor
from skdg._training.dense import DenseNetwork
from skdg._training.losses import SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.datasets import make_fish_linear
from skdg.gradients._fish_step import FishStep

SIZES = (5, 3, 7)


class Orders:
    """Stand in for a RandomState: hand out the given orders."""

    def __init__(self, *orders):
        self._orders = iter(orders)

    def permutation(self, n):
        order = next(self._orders)
        assert sorted(order) == list(range(n))
        return np.array(order)


def make_rows(sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    arrays = (rng.normal(size=(n, 2)), rng.normal(size=(n, 1)), rng.uniform(1, 2, n))
    return DomainRows(*map(torch.tensor, arrays), sizes)


THETA = np.array([0.3, -0.8, 0.5])


def quadratics(rows):
    """Return the Hessian of each domain's risk, and its gradient at THETA."""
    A = np.c_[rows.inputs.numpy(), np.ones(len(rows.inputs))]
    y, weight = rows.targets.numpy()[:, 0], rows.sample_weight.numpy()
    hessians, gradients, start = [], [], 0
    for size in rows.sizes:
        own = slice(start, start + size)
        share = weight[own] / weight[own].sum()
        hessians.append(2 * (A[own] * share[:, None]).T @ A[own])
        gradients.append(2 * A[own].T @ (share * (A[own] @ THETA - y[own])))
        start += size
    return hessians, gradients


def mean_move(rows, rate, meta_rate=1.0):
    """Return the move of one meta-step, averaged over all orders of the domains."""
    orders = list(permutations(range(rows.n_domains)))
    moves = []
    for order in orders:
        network = DenseNetwork((2, 1), "relu", torch.tensor(THETA))
        optimizer = Optimizer(network.parameters, "sgd", rate)
        step = FishStep(meta_rate, Orders(order))
        step.advance(network, rows, SQUARED_ERROR, optimizer, 0)
        moves.append(network.parameters.numpy() - THETA)
    return np.mean(moves, axis=0)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("meta_rate", [1.0, 0.3])
def test_step_is_the_algorithm(order, meta_rate):
    rows, rate = make_rows(), 0.1
    hessians, gradients = quadratics(rows)
    theta, risks = THETA.copy(), {}
    A = np.c_[rows.inputs.numpy(), np.ones(len(rows.inputs))]
    for domain in order:
        start = sum(SIZES[:domain])
        own = slice(start, start + SIZES[domain])
        squares = (A[own] @ theta - rows.targets.numpy()[own, 0]) ** 2
        risks[domain] = np.average(squares, weights=rows.sample_weight.numpy()[own])
        slope = gradients[domain] + hessians[domain] @ (theta - THETA)
        theta = theta - rate * slope
    expected = THETA + meta_rate * (theta - THETA)
    network = DenseNetwork((2, 1), "relu", torch.tensor(THETA))
    optimizer = Optimizer(network.parameters, "sgd", rate)
    step = FishStep(meta_rate, Orders(order))
    record = step.advance(network, rows, SQUARED_ERROR, optimizer, 0)
    np.testing.assert_allclose(network.parameters, expected, rtol=1e-12)
    np.testing.assert_allclose(record.risks, [risks[e] for e in range(3)], rtol=1e-12)


def test_expansion_to_the_third_order():
    rows = make_rows()
    hessians, gradients = quadratics(rows)
    # The gradient of the sum over i != j of G_i.G_j.
    products = 2 * sum(
        hessians[i] @ gradients[j] for i in range(3) for j in range(3) if i != j
    )
    remainders = []
    for rate in (1e-2, 1e-3):
        predicted = -rate * sum(gradients) + rate**2 / 4 * products
        remainders.append((mean_move(rows, rate) - predicted) / rate**3)
    # For three quadratics the remainder is of the third order and no other: it is
    # minus the mean over orders of H_c H_b G_a.
    third = -np.mean(
        [
            hessians[c] @ hessians[b] @ gradients[a]
            for a, b, c in permutations(range(3))
        ],
        axis=0,
    )
    np.testing.assert_allclose(remainders[0], third, rtol=1e-7)
    np.testing.assert_allclose(remainders[1], remainders[0], rtol=1e-5)
    assert np.abs(third).min() > 0.01


def test_expansion_fails_for_a_fixed_order():
    rows, rate = make_rows(), 1e-3
    hessians, gradients = quadratics(rows)
    products = 2 * sum(
        hessians[i] @ gradients[j] for i in range(3) for j in range(3) if i != j
    )
    network = DenseNetwork((2, 1), "relu", torch.tensor(THETA))
    optimizer = Optimizer(network.parameters, "sgd", rate)
    FishStep(1.0, Orders((0, 1, 2))).advance(network, rows, SQUARED_ERROR, optimizer, 0)
    predicted = -rate * sum(gradients) + rate**2 / 4 * products
    remainder = (network.parameters.numpy() - THETA - predicted) / rate**2
    # What is left is of the second order, half of H_i G_j - H_j G_i of a later domain i
    # and an earlier one j, and one product of the third order.
    half = 0.5 * sum(
        hessians[i] @ gradients[j] - hessians[j] @ gradients[i]
        for i in range(3)
        for j in range(i)
    )
    third = hessians[2] @ hessians[1] @ gradients[0]
    np.testing.assert_allclose(remainder, half - rate * third, rtol=1e-8)
    assert np.abs(half).max() > 1.0


def data(seed=0, n=40, n_domains=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + 0.3 * rng.normal(size=n) > 0), rng.integers(0, n_domains, n)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("hidden", [(), (5, 4)], ids=len)
@pytest.mark.parametrize(
    ("own", "erm"), [(FishClassifier, ERMClassifier), (FishRegressor, ERMRegressor)]
)
@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
def test_one_domain_and_rate_1_is_erm_bit_for_bit(
    own, erm, hidden, batch_size, optimizer
):
    X, y, _ = data()
    kw = {"hidden_layer_sizes": hidden, "batch_size": batch_size, "max_iter": 25}
    kw |= {"optimizer": optimizer, "random_state": 0}
    fish = own(meta_learning_rate=1.0, **kw).fit(X, y)
    baseline = erm(**kw).fit(X, y)
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(fish, name), getattr(baseline, name), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(fish.history_["risk"], baseline.history_["risk"])


def drawn_orders(n_domains, n_iter, seed):
    """Return the orders in which a training goes through the domains."""
    # Each domain has a feature and a target of its own, so that its inner step moves
    # one weight, and the risk of a domain says nothing; the order shows in a spy.
    orders, own = [], []

    class Spy(FishStep):
        def advance(self, network, rows, loss, optimizer, iteration):
            own.clear()
            forward = network.forward
            network.forward = lambda part, loss: (
                own.append(int(part.inputs[0, 0])),
                forward(part, loss),
            )[1]
            record = super().advance(network, rows, loss, optimizer, iteration)
            network.forward = forward
            orders.append(tuple(own))
            return record

    class Model(FishRegressor):
        def _make_step(self, random_state):
            return Spy(self.meta_learning_rate, random_state)

    X = np.arange(n_domains, dtype=float)[:, None]
    Model(hidden_layer_sizes=(), max_iter=n_iter, random_state=seed).fit(
        X, X[:, 0], groups=np.arange(n_domains)
    )
    return orders


def test_order_is_random_and_uniform():
    n_iter = 1200
    orders = drawn_orders(3, n_iter, seed=0)
    assert len(orders) == n_iter
    possible = list(permutations(range(3)))
    counts = np.array([orders.count(order) for order in possible])
    expected = n_iter / factorial(3)
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-4, 5)
    # Independent of the one before: so are the pairs of successive orders.
    pairs = list(zip(orders[::2], orders[1::2], strict=True))
    counts = np.array([pairs.count((a, b)) for a in possible for b in possible])
    expected = n_iter / 2 / factorial(3) ** 2
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-4, 35)


def test_order_depends_on_the_seed_alone():
    assert drawn_orders(5, 20, seed=1) == drawn_orders(5, 20, seed=1)
    assert drawn_orders(5, 20, seed=1) != drawn_orders(5, 20, seed=2)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_cosine_lasts_for_all_iterations(optimizer):
    X, y, groups = data()
    n_iter, rate = 60, 0.05
    model = FishClassifier(
        hidden_layer_sizes=(),
        optimizer=optimizer,
        learning_rate_init=rate,
        max_iter=n_iter,
        random_state=0,
    ).fit(X, y, groups=groups)
    # The steps become smaller and smaller, and none but the last ones vanish.
    moves = np.abs(np.diff(model.history_["risk"], axis=0)).max(1)
    assert moves[45] > 1e-3 * moves[5]
    assert moves[-1] < 0.05 * moves[5]


def test_inner_moments_live_on():
    # With a tiny meta-step the moments are those of Adam at one place.
    X, y, groups = data()
    kw = {"hidden_layer_sizes": (), "learning_rate": "constant", "random_state": 0}
    kw |= {"alpha": 0.0, "learning_rate_init": 1e-6, "max_iter": 4}
    model = FishRegressor(normalize_y=False, **kw)
    model.fit(X, y.astype(float), groups=groups)
    A = np.c_[X, np.ones(len(X))]
    gradients = np.stack(
        [
            -2 * (A[groups == e].T @ y[groups == e]) / (groups == e).sum()
            for e in range(3)
        ]
    )
    # First domain in the data first; the order is drawn from the third of four seeds.
    appearance = np.argsort([np.flatnonzero(groups == e)[0] for e in range(3)])
    parent = np.random.RandomState(0)
    seeds = [parent.randint(2**31 - 1) for _ in range(4)]
    rng = np.random.RandomState(seeds[2])
    theta, first, second, t = np.zeros(4), np.zeros(4), np.zeros(4), 0
    for _ in range(4):
        start = theta.copy()
        for place in rng.permutation(3):
            gradient, t = gradients[appearance[place]], t + 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            mean = first / (1 - 0.9**t)
            theta = theta - 1e-6 * mean / np.sqrt(second / (1 - 0.999**t))
        theta = start + 0.5 * (theta - start)
    # Gradients change by about a millionth on the way.
    np.testing.assert_allclose([*model.coef_, model.intercept_], theta, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_fish_linear(seed):
    # Published: 93 % and 93 %. Inner steps of 10 give the agreement of gradients the
    # weight 10 / 4 = 2.5, and the meta-step makes the mean step 0.1: that of IDGM.
    X, y, groups = make_fish_linear(random_state=seed)
    test = groups == "test"
    model = FishClassifier(
        hidden_layer_sizes=(),
        alpha=0.0,
        optimizer="sgd",
        learning_rate_init=10.0,
        learning_rate="constant",
        meta_learning_rate=0.005,
        batch_size=None,
        max_iter=1000,
        random_state=seed,
    ).fit(X[~test], y[~test], groups=groups[~test])
    assert model.score(X[~test], y[~test]) == 0.93
    assert model.score(X[test], y[test]) == 0.93

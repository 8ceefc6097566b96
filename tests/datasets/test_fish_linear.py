# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import expit

from skdg.datasets import make_fish_linear

DOMAINS = ["train_1", "train_2", "test"]
OWN = {"train_1": (1, 1, 0, 0), "train_2": (1, 0, 1, 0), "test": (1, 0, 0, 1)}


def rows_of(X, y, groups, domain):
    mask = groups == domain
    pairs = zip(X[mask].astype(int).tolist(), y[mask].tolist(), strict=True)
    return Counter((tuple(x), label) for x, label in pairs)


def train(domains, gamma):
    """Take 1000 steps of 0.1 on the mean log loss minus gamma * G_1.G_2."""
    designs = [np.hstack([X, np.ones((len(X), 1))]) for X, _ in domains]
    w = np.zeros(5)
    for _ in range(1000):
        gradients, hessians = [], []
        for Z, (_, y) in zip(designs, domains, strict=True):
            p = expit(Z @ w)
            gradients.append(Z.T @ (p - y) / len(y))
            hessians.append((Z.T * (p * (1 - p))) @ Z / len(y))
        product = hessians[0] @ gradients[1] + hessians[1] @ gradients[0]
        w -= 0.1 * (np.mean(gradients, axis=0) - gamma * product)
    return w


@pytest.mark.parametrize("n_samples", [100, 700])
def test_proportions_are_exact(n_samples):
    X, y, groups = make_fish_linear(n_samples, random_state=1)
    assert X.dtype == np.float64
    for domain in DOMAINS:
        assert rows_of(X, y, groups, domain) == {
            ((0, 0, 0, 0), 0): n_samples * 50 // 100,
            (OWN[domain], 1): n_samples * 40 // 100,
            ((1, 0, 0, 0), 1): n_samples * 3 // 100,
            ((1, 0, 0, 0), 0): n_samples * 7 // 100,
        }


@pytest.mark.parametrize("n_samples", [1, 2, 7, 33, 99, 101, 150])
def test_other_sizes_round_by_largest_remainder(n_samples):
    shares = [Fraction(p * n_samples, 100) for p in (50, 40, 3, 7)]
    expected = [int(share) for share in shares]
    by_remainder = sorted(range(4), key=lambda k: (expected[k] - shares[k], k))
    for k in by_remainder[: n_samples - sum(expected)]:
        expected[k] += 1
    X, y, groups = make_fish_linear(n_samples, random_state=0)
    for domain in DOMAINS:
        found = rows_of(X, y, groups, domain)
        keys = [
            ((0, 0, 0, 0), 0),
            (OWN[domain], 1),
            ((1, 0, 0, 0), 1),
            ((1, 0, 0, 0), 0),
        ]
        assert [found[key] for key in keys] == expected


@pytest.mark.parametrize(
    ("gamma", "on_train", "on_test"), [(0.0, 0.97, 0.57), (2.5, 0.93, 0.93)]
)
def test_published_accuracies(gamma, on_train, on_test):
    X, y, groups = make_fish_linear(random_state=0)
    parts = [(X[groups == d], y[groups == d]) for d in DOMAINS]
    w = train(parts[:2], gamma)
    accuracy = [np.mean((X @ w[:4] + w[4] > 0) == y) for X, y in parts]
    np.testing.assert_allclose(accuracy, [on_train, on_train, on_test], rtol=1e-12)


def test_seed_only_orders_rows_within_domains():
    first, second = make_fish_linear(random_state=0), make_fish_linear(random_state=1)
    assert not np.array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[2], np.repeat(DOMAINS, 100))
    for domain in DOMAINS:
        assert rows_of(*first, domain) == rows_of(*second, domain)

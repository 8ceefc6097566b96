# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.alignment import MixupClassifier, MixupRegressor
from skdg.alignment import _mixing as mixing
from skdg.alignment._mixing import MixupStep, mix
from skdg.invariance import ERMClassifier, ERMRegressor

TASKS = {
    "binary": (LOG_LOSS, 1),
    "classes": (CROSS_ENTROPY, 3),
    "squared": (SQUARED_ERROR, 2),
}


def make_rows(task, sizes, seed=0, weighted=True):
    loss, n_outputs = TASKS[task]
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    if loss is LOG_LOSS:
        y = rng.integers(0, 2, (n, 1)).astype(float)
    elif loss is CROSS_ENTROPY:
        y = np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
    else:
        y = rng.normal(size=(n, n_outputs))
    weight = rng.uniform(0.2, 3.0, n) if weighted else np.ones(n)
    arrays = (rng.normal(size=(n, 3)), y, weight)
    return DomainRows(*map(torch.tensor, arrays), sizes)


def mixed_losses(task, share, seed=0):
    """Losses of mixed rows by one target and by two, and the outputs."""
    loss, n_outputs = TASKS[task]
    first, second = make_rows(task, (8, 8), seed, weighted=False).by_domain
    mixed = mix(first, second, share)
    outputs = torch.tensor(
        np.random.default_rng(9).normal(size=(8, n_outputs)), requires_grad=True
    )
    one = mixed.sample_weight * loss.value(outputs, mixed.targets)
    two = share * loss.value(outputs, first.targets)
    two = two + (1 - share) * loss.value(outputs, second.targets)
    return one, two, outputs


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("task", ["binary", "classes"])
def test_loss_of_a_mixed_target_is_the_mix_of_losses(task, share):
    one, two, _ = mixed_losses(task, share)
    np.testing.assert_allclose(one.detach(), two.detach(), rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("task", TASKS)
def test_gradients_are_those_of_the_mix_of_losses(task, share):
    one, two, outputs = mixed_losses(task, share)
    (found,) = torch.autograd.grad(one.sum(), outputs)
    (expected,) = torch.autograd.grad(two.sum(), outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_inputs_are_mixed_row_by_row(share):
    first, second = make_rows("binary", (5, 5)).by_domain
    mixed = mix(first, second, share)
    for i in range(5):
        x = share * first.inputs[i] + (1 - share) * second.inputs[i]
        np.testing.assert_allclose(mixed.inputs[i], x, rtol=1e-14)
    assert mixed.sizes == (5,)


def recorded_pairs(monkeypatch, rows, n, concentration=0.2):
    """What `n` iterations mix: lists of (first, second, share)."""
    calls = []

    def record(first, second, share):
        calls.append((first, second, share))
        return mix(first, second, share)

    monkeypatch.setattr(mixing, "mix", record)
    step = MixupStep(concentration, np.random.RandomState(0))
    results = [step._mix_domains(rows) for _ in range(n)]
    n_domains = rows.n_domains
    return [calls[i * n_domains : (i + 1) * n_domains] for i in range(n)], results


def positions_of(part, rows):
    equal = (part.inputs[:, None] == rows.inputs).all(2)
    assert (equal.sum(1) == 1).all()
    return equal.int().argmax(1)


@pytest.mark.parametrize("sizes", [(4, 6), (5, 3, 8), (2, 7, 4, 4, 6)])
def test_domains_form_one_cycle(monkeypatch, sizes):
    rows = make_rows("binary", sizes)
    iterations, results = recorded_pairs(monkeypatch, rows, 40)
    cycles = set()
    for calls, result in zip(iterations, results, strict=True):
        partner = {}
        for first, second, share in calls:
            index = [positions_of(part, rows) for part in (first, second)]
            codes = [set(rows.domain[i].tolist()) for i in index]
            assert [len(code) for code in codes] == [1, 1]
            own, other = (code.pop() for code in codes)
            partner[own] = other
            # As many rows as the smaller of the two has, none of them twice.
            size = min(sizes[own], sizes[other])
            assert all(len(set(i.tolist())) == len(i) == size for i in index)
            # The mixed rows stand in the place of the domain they began with.
            mixed = result.by_domain[own]
            expected = share * first.inputs + (1 - share) * second.inputs
            np.testing.assert_allclose(mixed.inputs, expected, rtol=1e-12)
            # Weights and targets belong to the inputs of their row.
            np.testing.assert_array_equal(
                first.sample_weight, rows.sample_weight[index[0]]
            )
            np.testing.assert_array_equal(second.targets, rows.targets[index[1]])
        visited, domain = [], 0
        for _ in sizes:
            visited.append(domain)
            domain = partner[domain]
        assert domain == 0
        assert sorted(visited) == list(range(len(sizes)))
        cycles.add(tuple(visited))
    # Two domains have one cycle, three have two.
    assert len(cycles) >= min(len(sizes) - 1, 5)


def test_all_rows_of_the_larger_domain_are_used(monkeypatch):
    rows = make_rows("binary", (3, 9))
    iterations, _ = recorded_pairs(monkeypatch, rows, 60)
    used = {
        position
        for calls in iterations
        for part in calls[0][:2]
        for position in positions_of(part, rows).tolist()
    }
    assert used == set(range(12))


@pytest.mark.parametrize("concentration", [0.2, 1.0, 4.0])
def test_shares_follow_a_beta_distribution(monkeypatch, concentration):
    rows = make_rows("binary", (2, 2, 2))
    iterations, _ = recorded_pairs(monkeypatch, rows, 700, concentration)
    shares = [share for calls in iterations for _, _, share in calls]
    assert len(shares) == 2100
    assert kstest(shares, beta(concentration, concentration).cdf).pvalue > 0.01


LINEAR = {
    "concentration": 1.0,
    "hidden_layer_sizes": (),
    "alpha": 0.0,
    "max_iter": 2000,
    "random_state": 0,
}


def make_table(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [30, 14, 21])
    X = rng.normal(size=(65, 3))
    y = (X[:, 0] > 0).astype(int)
    return X, y, groups, rng.uniform(0.2, 3.0, 65)


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(
    ("estimator", "erm"),
    [(MixupClassifier, ERMClassifier), (MixupRegressor, ERMRegressor)],
)
def test_one_domain_is_erm_bit_for_bit(estimator, erm, batch_size):
    X, y, _, weight = make_table()
    options = {"max_iter": 20, "random_state": 0, "batch_size": batch_size}
    model = estimator(**options).fit(X, y, sample_weight=weight)
    plain = erm(**options).fit(X, y, sample_weight=weight)
    for a, b in zip(model.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_step_descends_on_the_mean_loss_of_mixed_rows():
    X, y, groups, weight = make_table(1)
    y = X @ [1.0, -1.0, 0.5]
    # At 0 the residual of a row is minus twice its target.
    step = MixupRegressor(concentration=1.0)._make_step(np.random.RandomState(5))
    rows = DomainRows(
        *map(torch.tensor, (X, y[:, None], weight)), tuple(np.bincount(groups).tolist())
    )
    again = MixupStep(1.0, np.random.RandomState(5))._mix_domains(rows)
    expected, start = np.zeros(3), 0
    for size in again.sizes:
        part = slice(start, start + size)
        w = again.sample_weight[part].numpy()
        residual = -2 * again.targets[part, 0].numpy()
        expected += (w / w.sum() * residual) @ again.inputs[part].numpy() / 3
        start += size
    flat = torch.zeros(4, dtype=torch.float64)
    network = DenseNetwork((3, 1), "relu", flat)
    optimizer = Optimizer(network.parameters, "sgd", 1.0)
    step.advance(network, rows, SQUARED_ERROR, optimizer, 0)
    np.testing.assert_allclose(-network.parameters[:3], expected, rtol=1e-10)


def test_a_linear_law_of_all_domains_is_learned_exactly():
    # Mixed rows obey it as well.
    X, _, groups, _ = make_table(2)
    y = X @ [1.0, -1.0, 0.5] + 2.0
    model = MixupRegressor(**LINEAR).fit(X, y, groups=groups)
    np.testing.assert_allclose(model.coef_, [1.0, -1.0, 0.5], atol=1e-4)
    np.testing.assert_allclose(model.intercept_, 2.0, atol=1e-4)


def test_a_linear_law_holds_whatever_the_weights():
    # A weight repeats a row, and mixtures of repeated rows obey the law too.
    X, _, groups, weight = make_table(2)
    y = X @ [1.0, -1.0, 0.5] + 2.0
    model = MixupRegressor(**LINEAR)
    model.fit(X, y, groups=groups, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, [1.0, -1.0, 0.5], atol=1e-4)


def test_weights_that_are_equal_within_domains_change_nothing():
    X, y, groups, _ = make_table(3)
    model = MixupClassifier(max_iter=20, random_state=0)
    plain = model.fit(X, y, groups=groups).predict_proba(X)
    model.fit(X, y, groups=groups, sample_weight=np.array([5.0, 1.0, 0.2])[groups])
    np.testing.assert_allclose(model.predict_proba(X), plain, rtol=1e-8)

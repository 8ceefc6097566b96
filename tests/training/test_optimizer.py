# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import copy

import numpy as np
import pytest
import torch

from skdg._training.optimizer import Optimizer
from skdg.invariance import ERMRegressor

N_STEPS = 12
RULES = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
KINDS = pytest.mark.parametrize("kind", RULES)


def make_start():
    return torch.tensor(np.random.default_rng(0).normal(size=7))


def gradient_at(parameters, step):
    """Gradient of some function that changes from step to step."""
    return torch.sin((step + 1) * parameters) + 0.3 * parameters


def run(optimizer, parameters, n_steps=N_STEPS, first=0, n_total=N_STEPS):
    for step in range(first, first + n_steps):
        optimizer.set_progress(step / n_total)
        optimizer.apply(gradient_at(parameters, step))
    return parameters


def run_torch(rule, parameters, scheduler=None, n_steps=N_STEPS, first=0):
    for step in range(first, first + n_steps):
        parameters.grad = gradient_at(parameters.detach(), step)
        rule.step()
        if scheduler is not None:
            scheduler.step()
    return parameters.detach()


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@KINDS
def test_steps_are_those_of_torch(kind):
    parameters = make_start()
    found = run(Optimizer(parameters, kind, 0.03), parameters)
    expected = torch.nn.Parameter(make_start())
    run_torch(RULES[kind]([expected], lr=0.03), expected)
    assert_equal(found, expected.detach())


def test_steps_of_sgd_are_plain_descent():
    parameters = make_start()
    found = run(Optimizer(parameters, "sgd", 0.03), parameters)
    expected = make_start().numpy()
    for step in range(N_STEPS):
        expected -= 0.03 * (np.sin((step + 1) * expected) + 0.3 * expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_steps_of_adam_are_those_of_its_paper():
    parameters = make_start()
    found = run(Optimizer(parameters, "adam", 0.03), parameters)
    expected = make_start().numpy()
    first, second = np.zeros(7), np.zeros(7)
    for step in range(N_STEPS):
        gradient = np.sin((step + 1) * expected) + 0.3 * expected
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        mean = first / (1 - 0.9 ** (step + 1))
        square = second / (1 - 0.999 ** (step + 1))
        expected -= 0.03 * mean / (np.sqrt(square) + 1e-8)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@KINDS
def test_decay_is_the_l2_penalty_of_torch(kind):
    parameters = make_start()
    decay = torch.full_like(parameters, 0.2)
    found = run(Optimizer(parameters, kind, 0.03, decay=decay), parameters)
    expected = torch.nn.Parameter(make_start())
    run_torch(RULES[kind]([expected], lr=0.03, weight_decay=0.2), expected)
    assert_equal(found, expected.detach())


@KINDS
def test_decay_of_some_parameters(kind):
    parameters = make_start()
    decay = torch.tensor([0.2] * 3 + [0.0] * 4, dtype=torch.float64)
    found = run(Optimizer(parameters, kind, 0.03, decay=decay), parameters)
    expected = make_start()
    decayed, free = (torch.nn.Parameter(part) for part in expected.split([3, 4]))
    rule = RULES[kind](
        [{"params": [decayed], "weight_decay": 0.2}, {"params": [free]}], lr=0.03
    )
    for step in range(N_STEPS):
        decayed.grad = gradient_at(decayed.detach(), step)
        free.grad = gradient_at(free.detach(), step)
        rule.step()
    assert_equal(found, torch.cat([decayed.detach(), free.detach()]))


def test_decay_is_scaled_with_the_objective():
    parameters, decay = make_start(), torch.full((7,), 0.2, dtype=torch.float64)
    optimizer = Optimizer(parameters, "sgd", 0.5, decay=decay)
    gradient = gradient_at(parameters, 0)
    optimizer.apply(gradient.clone(), scale=0.25)
    start = make_start()
    assert_equal(parameters, start - 0.5 * (gradient + 0.25 * 0.2 * start))


@KINDS
def test_cosine_is_that_of_torch(kind):
    parameters = make_start()
    optimizer = Optimizer(parameters, kind, 0.03, declining=True)
    run(optimizer, parameters)
    expected = torch.nn.Parameter(make_start())
    rule = RULES[kind]([expected], lr=0.03)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(rule, T_max=N_STEPS)
    run_torch(rule, expected, scheduler)
    assert_equal(parameters, expected.detach())


def test_cosine_rates():
    parameters = torch.zeros(1)
    optimizer = Optimizer(parameters, "sgd", 1.0, declining=True)
    moves = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        before = parameters.clone()
        optimizer.set_progress(share)
        optimizer.apply(-torch.ones(1))
        moves.append((parameters - before).item())
    half = 0.5**0.5 / 2
    np.testing.assert_allclose(
        moves, [1.0, 0.5 + half, 0.5, 0.5 - half, 0.0], atol=1e-6
    )


def test_restart_forgets_the_moments():
    parameters = make_start()
    optimizer = Optimizer(parameters, "adam", 0.03)
    run(optimizer, parameters, 5)
    middle = parameters.clone()
    optimizer.restart()
    found = run(optimizer, parameters, 5, first=5)
    expected = torch.nn.Parameter(middle)
    run_torch(torch.optim.Adam([expected], lr=0.03), expected, n_steps=5, first=5)
    assert_equal(found, expected.detach())
    # It matters: the moments would have led elsewhere.
    parameters = make_start()
    without = run(Optimizer(parameters, "adam", 0.03), parameters, 10)
    assert (without - found).abs().max() > 1e-3


def test_restart_keeps_the_decline():
    parameters = make_start()
    optimizer = Optimizer(parameters, "adam", 0.03, declining=True)
    run(optimizer, parameters, 4, n_total=8)
    before = parameters.clone()
    optimizer.restart()
    run(optimizer, parameters, 1, first=4, n_total=8)
    # The first step of Adam has the length of the rate, here half of the first.
    torch.testing.assert_close(
        (parameters - before).abs(), torch.full_like(before, 0.015), rtol=1e-5, atol=0.0
    )


@KINDS
def test_training_goes_on_from_a_saved_state(kind):
    parameters = make_start()
    expected = run(Optimizer(parameters, kind, 0.03), parameters, 8)

    parameters = make_start()
    first = Optimizer(parameters, kind, 0.03)
    run(first, parameters, 5)
    state = first.get_state()
    assert all(isinstance(value, np.ndarray) for value in state.values())
    middle, kept = parameters.clone(), copy.deepcopy(state)
    run(first, parameters, 2, first=5)
    # What was saved is a copy.
    assert all(np.array_equal(state[name], value) for name, value in kept.items())
    second = Optimizer(middle, kind, 0.03)
    second.set_state(state)
    assert torch.equal(run(second, middle, 3, first=5), expected)


def test_zero_alpha_is_no_decay_and_offsets_are_free():
    rng = np.random.default_rng(1)
    X, groups = rng.normal(size=(20, 3)), np.arange(20) % 2
    y = X @ [1.0, 2.0, 3.0] + 7.0
    kw = {"hidden_layer_sizes": (), "optimizer": "sgd", "learning_rate_init": 0.1}
    kw |= {"learning_rate": "constant", "max_iter": 4000, "normalize_y": False}
    free = ERMRegressor(alpha=0.0, **kw).fit(X, y, groups=groups)
    np.testing.assert_allclose(free.coef_, [1.0, 2.0, 3.0], rtol=1e-9)
    ridge = ERMRegressor(alpha=0.3, **kw).fit(X, y, groups=groups)
    # The minimum of mean squared error and half of 0.3 |w|^2, offset free.
    A = np.c_[X, np.ones(20)]
    normal = 2 * A.T @ A / 20 + np.diag([0.3, 0.3, 0.3, 0.0])
    expected = np.linalg.solve(normal, 2 * A.T @ y / 20)
    np.testing.assert_allclose(ridge.coef_, expected[:3], rtol=1e-9)
    np.testing.assert_allclose(ridge.intercept_, expected[3], rtol=1e-9)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import cvxpy
import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from skdg.multitask._cagrad import cagrad_weights
from skdg.multitask._combinations import COMBINATIONS, combine_shared
from skdg.multitask._mgda import min_norm_weights
from skdg.multitask._pcgrad import pcgrad_weights

SHAPES = [(2, 5), (3, 2), (4, 30), (7, 7), (20, 60)]


def make_gradients(shape, seed=0):
    """Gradients of very different lengths, many of them in conflict."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * rng.uniform(0.1, 5.0, size=(shape[0], 1))


def direction(rule, gradients, seed=0):
    gram = gradients @ gradients.T
    return COMBINATIONS[rule](gram, np.random.RandomState(seed)) @ gradients


@pytest.fixture(params=range(4))
def seed(request):
    return request.param


@pytest.fixture(params=SHAPES, ids=str)
def gradients(request, seed):
    return make_gradients(request.param, seed)


@pytest.fixture(params=["opposed", "acute", "dominated"])
def pair(request, seed):
    """Two gradients: in conflict, not in conflict, and one behind the other."""
    first, second = make_gradients((2, 4), seed)
    along = second * (first @ second) / (second @ second)
    across = first - along
    if request.param == "opposed":
        return np.array([across - 0.6 * second, second])
    if request.param == "acute":
        return np.array([across + 0.3 * second, second])
    return np.array([0.1 * across + 2.0 * second, second])


def test_mgda_of_two_tasks(pair):
    a, b = pair
    share = np.clip(b @ (b - a) / ((a - b) @ (a - b)), 0.0, 1.0)
    np.testing.assert_allclose(
        direction("mgda", pair), share * a + (1.0 - share) * b, rtol=1e-10, atol=1e-12
    )


def test_pcgrad_of_two_tasks(pair):
    a, b = pair
    product = a @ b
    if product < 0:
        expected = (a - product / (b @ b) * b + b - product / (a @ a) * a) / 2
    else:
        expected = (a + b) / 2
    np.testing.assert_allclose(
        direction("pcgrad", pair), expected, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("aversion", [0.1, 0.5, 0.9])
def test_cagrad_of_two_tasks(pair, aversion):
    a, b = pair
    mean = (a + b) / 2
    radius = aversion * np.linalg.norm(mean)

    def slope(share):
        """Derivative of the convex dual objective of the paper."""
        point = share * a + (1.0 - share) * b
        return (a - b) @ (mean + radius * point / np.linalg.norm(point))

    if slope(0.0) >= 0:
        share = 0.0
    elif slope(1.0) <= 0:
        share = 1.0
    else:
        share = brentq(slope, 0.0, 1.0, xtol=1e-15)
    point = share * a + (1.0 - share) * b
    expected = (mean + radius * point / np.linalg.norm(point)) / (1.0 + aversion)
    found = cagrad_weights(pair @ pair.T, aversion) @ pair
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_mgda_agrees_with_an_independent_solver(gradients):
    n_tasks = len(gradients)
    share = cvxpy.Variable(n_tasks, nonneg=True)
    problem = cvxpy.Problem(
        cvxpy.Minimize(cvxpy.sum_squares(gradients.T @ share)), [cvxpy.sum(share) == 1]
    )
    problem.solve(
        solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    weights = min_norm_weights(gradients @ gradients.T)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    scale = np.square(gradients).sum()
    squared_norm = np.square(weights @ gradients).sum()
    assert squared_norm == pytest.approx(problem.value, abs=1e-9 * scale)


def test_mgda_harms_no_task(gradients):
    d = direction("mgda", gradients)
    # The condition of optimality, which no other point of the hull satisfies.
    slack = 1e-10 * np.square(gradients).sum()
    assert (gradients @ d >= d @ d - slack).all()


@pytest.mark.parametrize("aversion", [0.2, 0.5, 0.8])
def test_cagrad_agrees_with_an_independent_solver(gradients, aversion):
    mean = gradients.mean(axis=0)
    radius = aversion * np.linalg.norm(mean)
    d, worst = cvxpy.Variable(len(mean)), cvxpy.Variable()
    problem = cvxpy.Problem(
        cvxpy.Maximize(worst),
        [gradients @ d >= worst, cvxpy.norm(d - mean) <= radius],
    )
    problem.solve(solver="CLARABEL")
    found = (1 + aversion) * cagrad_weights(gradients @ gradients.T, aversion)
    found = found @ gradients
    assert np.linalg.norm(found - mean) <= radius * (1 + 1e-9)
    scale = np.square(gradients).sum()
    assert (gradients @ found).min() == pytest.approx(problem.value, abs=1e-6 * scale)


def pcgrad_by_definition(gradients, random_state):
    """Algorithm 1 of Yu et al. on the vectors themselves, with a mean at the end."""
    orders = [random_state.permutation(len(gradients)) for _ in gradients]
    projected = gradients.copy()
    for i, order in enumerate(orders):
        for j in order:
            product = projected[i] @ gradients[j]
            if j != i and product < 0:
                projected[i] -= product / (gradients[j] @ gradients[j]) * gradients[j]
    return projected.mean(axis=0)


def test_pcgrad_agrees_with_its_definition(gradients):
    expected = pcgrad_by_definition(gradients, np.random.RandomState(3))
    np.testing.assert_allclose(
        direction("pcgrad", gradients, seed=3), expected, rtol=1e-9, atol=1e-11
    )


def test_pcgrad_without_conflict_is_the_mean(gradients):
    gradients = np.abs(gradients)
    np.testing.assert_allclose(
        direction("pcgrad", gradients), gradients.mean(axis=0), rtol=1e-12
    )


def test_pcgrad_takes_its_orders_from_the_random_state():
    gradients = make_gradients((6, 4))
    gram = gradients @ gradients.T
    one, same, other = (
        pcgrad_weights(gram, np.random.RandomState(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_cagrad_without_aversion_is_the_mean(gradients):
    weights = cagrad_weights(gradients @ gradients.T, aversion=0.0)
    np.testing.assert_array_equal(weights, np.full(len(gradients), 1 / len(gradients)))


@pytest.mark.parametrize("rule", COMBINATIONS)
@pytest.mark.parametrize("n_tasks", [1, 2, 5])
def test_equal_gradients_are_their_own_combination(rule, n_tasks):
    gradient = make_gradients((1, 6))
    found = direction(rule, np.repeat(gradient, n_tasks, axis=0))
    np.testing.assert_allclose(found, gradient[0], rtol=1e-9)


@pytest.mark.parametrize("rule", COMBINATIONS)
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_unit_of_the_risk_does_not_matter(rule, factor, gradients):
    np.testing.assert_allclose(
        direction(rule, factor * gradients),
        factor * direction(rule, gradients),
        rtol=1e-6,
        atol=1e-6 * factor,
    )


@pytest.mark.parametrize("rule", COMBINATIONS)
def test_degenerate_gradients(rule):
    g = make_gradients((3, 4))
    for gradients in (
        np.zeros((3, 4)),
        np.zeros((3, 0)),
        np.vstack([g, -g]),
        np.vstack([g, np.zeros((2, 4))]),
        np.vstack([g, g, g]),
        g[0] + 1e-9 * g,
        g * [[1e-8], [1.0], [1e8]],
    ):
        found = direction(rule, gradients)
        assert np.isfinite(found).all()
        assert np.linalg.norm(found) <= np.linalg.norm(gradients) + 1e-12


@pytest.mark.parametrize("rule", ["cagrad", "mgda"])
def test_no_direction_serves_a_task_and_its_opposite(rule):
    gradients = make_gradients((3, 4))
    found = direction(rule, np.vstack([gradients, -gradients]))
    np.testing.assert_allclose(found, 0.0, atol=1e-7)


N_SHARED, HEAD = 5, (2, 3)


def tensors(flat):
    """View five shared parameters, and heads of shapes (2, 3) and (3,)."""
    shared, head, offsets = flat.split([N_SHARED, 6, 3], dim=-1)
    return [shared, head.unflatten(-1, HEAD), offsets]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", COMBINATIONS)
def test_heads_take_the_mean_and_shared_parameters_the_rule(rule, dtype):
    array = make_gradients((3, N_SHARED + 9))
    gradients = torch.tensor(array, dtype=dtype)
    found = combine_shared(gradients, tensors, rule, np.random.RandomState(0))
    assert found.dtype == dtype
    rtol = 1e-4 if dtype == torch.float32 else 1e-10
    np.testing.assert_allclose(
        found[:N_SHARED], direction(rule, array[:, :N_SHARED]), rtol=rtol, atol=rtol
    )
    torch.testing.assert_close(found[N_SHARED:], gradients[:, N_SHARED:].mean(0))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("rule", COMBINATIONS)
def test_divergence_is_passed_on(rule, bad):
    gradients = torch.ones(3, N_SHARED + 9, dtype=torch.float64)
    gradients[1, 2] = bad
    found = combine_shared(gradients, tensors, rule, np.random.RandomState(0))
    assert not torch.isfinite(found).all()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.dense import DenseNetwork
from skdg._training.layers import ACTIVATIONS
from skdg._training.state import NetworkState, initial_dense_state

HIDDEN = [(), (4,), (4, 5), (4, 5, 3)]
SIZES = [(6, 6, 6), (5, 1, 8)]


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


class Problem:
    """The same network twice: the program under test, and the plain one."""

    def __init__(self, plain_network, rows, task, loss, hidden, n_outputs, activation):
        sizes = (3, *hidden, n_outputs)
        self.rows, self.loss = rows, loss
        self.plain = plain_network(sizes, activation, task)
        self.flat = self.plain.random_parameters().requires_grad_()
        self.network = DenseNetwork(sizes, activation, self.flat.detach().clone())

    def random_like(self, *tensors):
        rng = np.random.default_rng(5)
        return [torch.tensor(rng.normal(size=tensor.shape)) for tensor in tensors]


@pytest.fixture(params=SIZES, ids=["equal", "ragged"])
def sizes(request):
    return request.param


@pytest.fixture(params=["binary", "classes", "regression", "targets"])
def task(request):
    return request.param


@pytest.fixture(params=HIDDEN, ids=len)
def hidden(request):
    return request.param


@pytest.fixture(params=ACTIVATIONS)
def problem(request, plain_network, make_rows, tasks, task, sizes, hidden):
    loss, n_outputs = tasks[task]
    rows = make_rows(task, sizes)
    return Problem(plain_network, rows, task, loss, hidden, n_outputs, request.param)


def test_forward(problem):
    batch = problem.network.forward(problem.rows, problem.loss)
    outputs, features, head = problem.plain(problem.flat, problem.rows.inputs)
    assert_equal(batch.outputs, outputs.detach())
    assert_equal(batch.features, features.detach())
    assert_equal(batch.head, head.detach())
    assert_equal(problem.network.head, head.detach())
    risks = problem.plain.risks(problem.flat, problem.rows)
    assert_equal(batch.risks, risks.detach())
    assert batch.rows is problem.rows
    assert_equal(problem.network.outputs(problem.rows.inputs), outputs.detach())


def test_backward(problem):
    batch = problem.network.forward(problem.rows, problem.loss)
    outputs, features, head = problem.plain(problem.flat, problem.rows.inputs)
    in_outputs, in_features, in_head = problem.random_like(outputs, features, head)
    # Any scalar of outputs, features and head has such a derivative.
    scalar = (in_outputs * outputs).sum()
    (expected,) = torch.autograd.grad(scalar, problem.flat, retain_graph=True)
    assert_equal(problem.network.backward(in_outputs.clone()), expected)
    scalar = scalar + (in_features * features).sum() + (in_head * head).sum()
    (expected,) = torch.autograd.grad(scalar, problem.flat)
    found = problem.network.backward(in_outputs, in_features, in_head)
    assert_equal(found, expected)
    assert_equal(batch.outputs, outputs.detach())


def test_inputs_gradient(problem):
    problem.network.forward(problem.rows, problem.loss)
    leaf = problem.rows.inputs.clone().requires_grad_()
    outputs, _, _ = problem.plain(problem.flat, leaf)
    (in_outputs,) = problem.random_like(outputs)
    (expected,) = torch.autograd.grad((in_outputs * outputs).sum(), leaf)
    problem.network.backward(in_outputs)
    assert_equal(problem.network.inputs_gradient(), expected)


def test_domain_gradients_and_hessian_products(problem):
    network, plain, flat, rows = (
        problem.network,
        problem.plain,
        problem.flat,
        problem.rows,
    )
    gradients = plain.gradients(flat, rows, create_graph=True)
    (directions,) = problem.random_like(gradients)
    (expected,) = torch.autograd.grad((gradients * directions).sum(), flat)
    batch = network.forward(rows, problem.loss)
    assert_equal(network.domain_gradients(batch), gradients.detach())
    assert_equal(network.hessian_products(directions), expected)
    # A second time, over the same buffers.
    assert_equal(network.hessian_products(2.0 * directions), 2.0 * expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hessian_products_by_finite_differences(
    plain_network, make_rows, tasks, activation
):
    rows = make_rows("classes", (4, 6))
    layers = (3, 5, 4, 3)
    flat = plain_network(layers, activation, "classes").random_parameters()
    directions = torch.tensor(np.random.default_rng(2).normal(size=(2, len(flat))))
    loss, step = tasks["classes"][0], 1e-5

    def gradient(domain, parameters):
        network = DenseNetwork(layers, activation, parameters)
        return network.domain_gradients(network.forward(rows, loss))[domain]

    expected = sum(
        gradient(e, flat + step * u) - gradient(e, flat - step * u)
        for e, u in enumerate(directions)
    ) / (2 * step)
    network = DenseNetwork(layers, activation, flat)
    network.domain_gradients(network.forward(rows, loss))
    found = network.hessian_products(directions)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_passes_of_other_sizes_leave_no_trace(
    plain_network, make_rows, tasks, activation
):
    layers, loss = (3, 4, 4, 1), tasks["binary"][0]
    flat = plain_network(layers, activation, "binary").random_parameters()
    batches = [make_rows("binary", s, seed=i) for i, s in enumerate([(4, 4), (2, 7)])]
    directions = torch.tensor(np.random.default_rng(3).normal(size=(2, len(flat))))

    def numbers(network, rows):
        batch = network.forward(rows, loss)
        found = [batch.outputs.clone(), batch.features.clone()]
        found.append(network.backward(batch.residuals.clone()).clone())
        found.append(network.domain_gradients(batch).clone())
        found.append(network.hessian_products(directions).clone())
        return found

    used = DenseNetwork(layers, activation, flat.clone())
    for rows in [*batches, *batches]:
        fresh = DenseNetwork(layers, activation, flat.clone())
        for found, expected in zip(
            numbers(used, rows), numbers(fresh, rows), strict=True
        ):
            assert torch.equal(found, expected)


def test_passes_follow_changes_of_the_parameters(plain_network, make_rows, tasks):
    plain = plain_network((3, 4, 1), "tanh", "binary")
    rows, loss = make_rows("binary", (4, 5)), tasks["binary"][0]
    network = DenseNetwork(plain.layer_sizes, "tanh", plain.random_parameters(0))
    network.forward(rows, loss)
    network.parameters.copy_(plain.random_parameters(1))
    expected, _, _ = plain(plain.random_parameters(1), rows.inputs)
    assert_equal(network.forward(rows, loss).outputs, expected)
    assert_equal(network.outputs(rows.inputs), expected)


def test_float32_agrees_with_float64(plain_network, make_rows, tasks):
    plain = plain_network((3, 4, 3), "logistic", "classes")
    rows, loss = make_rows("classes", (6, 3)), tasks["classes"][0]
    single = type(rows)(
        rows.inputs.float(), rows.targets.float(), rows.sample_weight.float(), (6, 3)
    )
    found = []
    for own, dtype in ((rows, torch.float64), (single, torch.float32)):
        network = DenseNetwork(
            plain.layer_sizes, "logistic", plain.random_parameters().to(dtype)
        )
        gradients = network.domain_gradients(network.forward(own, loss))
        products = network.hessian_products(gradients)
        assert gradients.dtype == products.dtype == dtype
        found.append(torch.cat([gradients, products[None]]))
    torch.testing.assert_close(found[1].double(), found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_state_is_a_copy_that_makes_the_same_network(plain_network, hidden):
    plain = plain_network((3, *hidden, 2), "tanh", "targets")
    flat = plain.random_parameters()
    state = DenseNetwork(plain.layer_sizes, "tanh", flat).state()
    for (weights, offsets), coefs, intercepts in zip(
        plain.layers(flat), state.coefs, state.intercepts, strict=True
    ):
        np.testing.assert_array_equal(coefs, weights)
        np.testing.assert_array_equal(intercepts, offsets)
    device = torch.device("cpu")
    copy = DenseNetwork.from_state(state, "tanh", torch.float64, device)
    assert torch.equal(copy.parameters, flat)
    copy.parameters.zero_()
    assert all(array.any() for array in [*state.coefs, *state.intercepts])
    assert flat.all()


def test_scaled_outputs(plain_network, make_rows):
    plain = plain_network((3, 4, 2), "relu", "targets")
    state = DenseNetwork(plain.layer_sizes, "relu", plain.random_parameters()).state()
    scale, offset = np.array([2.0, 0.5]), np.array([-1.0, 3.0])
    device = torch.device("cpu")
    scaled, original = (
        DenseNetwork.from_state(s, "relu", torch.float64, device)
        for s in (state.with_outputs(scale, offset), state)
    )
    inputs = make_rows("targets", (9,)).inputs
    np.testing.assert_allclose(
        scaled.outputs(inputs),
        scale * original.outputs(inputs).numpy() + offset,
        rtol=1e-12,
    )


def test_initial_weights():
    state = initial_dense_state((30, 20, 10), "relu", np.random.RandomState(0))
    for coefs, bound in zip(state.coefs, [6 / 50, 6 / 30], strict=True):
        assert np.abs(coefs).max() <= np.sqrt(bound)
        # Uniform: the variance is a third of the squared bound.
        error = np.sqrt(4 / 45 / coefs.size) * bound
        assert abs(coefs.var() - bound / 3) < 4 * error
    assert not any(offsets.any() for offsets in state.intercepts)
    logistic = initial_dense_state((30, 20, 10), "logistic", np.random.RandomState(0))
    np.testing.assert_allclose(logistic.coefs[0], state.coefs[0] / np.sqrt(3))
    linear = initial_dense_state((30, 2), "relu", np.random.RandomState(0))
    assert isinstance(linear, NetworkState)
    assert not linear.coefs[0].any()
    assert linear.coefs[0].shape == (30, 2)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn import functional

from skdg._training import losses
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR, in_pieces

# torch's own losses, of all rows together.
TORCH = {
    "binary": lambda f, y: functional.binary_cross_entropy_with_logits(
        f[:, 0], y[:, 0], reduction="sum"
    ),
    "classes": lambda f, y: functional.cross_entropy(f, y, reduction="sum"),
    "regression": lambda f, y: functional.mse_loss(f, y, reduction="sum"),
    "targets": lambda f, y: functional.mse_loss(f, y, reduction="sum") / f.shape[1],
}
N_ROWS = 6
TASKS = pytest.mark.parametrize("task", TORCH)


@pytest.fixture
def problem(tasks, make_rows):
    def draw(task):
        loss, n_outputs = tasks[task]
        rng = np.random.default_rng(7)
        outputs = torch.tensor(rng.normal(scale=2.0, size=(N_ROWS, n_outputs)))
        return loss, outputs, make_rows(task, (N_ROWS,)).targets

    return draw


@TASKS
def test_value_is_that_of_torch(problem, task):
    loss, outputs, targets = problem(task)
    values = loss.value(outputs, targets)
    assert values.shape == (N_ROWS,)
    torch.testing.assert_close(
        values.sum(), TORCH[task](outputs, targets), rtol=1e-13, atol=0.0
    )
    for row in range(N_ROWS):
        own = slice(row, row + 1)
        torch.testing.assert_close(
            values[row], TORCH[task](outputs[own], targets[own]), rtol=1e-13, atol=0.0
        )


@TASKS
def test_residual_is_the_gradient_by_autograd(problem, task):
    loss, outputs, targets = problem(task)
    leaf = outputs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(TORCH[task](leaf, targets), leaf)
    found = loss.residual(outputs, targets)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3, 15, 16, 40])
@pytest.mark.parametrize("leading", [(9,), (4, 9)])
def test_probabilities_of_few_and_of_many_classes(leading, n_classes):
    rng = np.random.default_rng(3)
    outputs = rng.normal(scale=3.0, size=(*leading, n_classes))
    outputs[..., 0, :] *= 300.0  # no exponential of these is finite
    targets = rng.dirichlet(np.ones(n_classes), size=leading)
    pair = torch.tensor(outputs), torch.tensor(targets)
    found = CROSS_ENTROPY.residual(*pair)
    expected = softmax(outputs, axis=-1) - targets
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    # The derivative of the probabilities along any direction sums to 0.
    along = CROSS_ENTROPY.residual_tangent(pair[0], torch.tensor(targets))
    np.testing.assert_allclose(along.sum(-1), 0.0, atol=1e-15)


@TASKS
def test_residual_is_the_gradient_by_finite_differences(problem, task):
    loss, outputs, targets = problem(task)
    found, step = loss.residual(outputs, targets), 1e-6
    for column in range(outputs.shape[1]):
        up, down = outputs.clone(), outputs.clone()
        up[:, column] += step
        down[:, column] -= step
        slope = (loss.value(up, targets) - loss.value(down, targets)) / (2 * step)
        torch.testing.assert_close(found[:, column], slope, rtol=1e-7, atol=1e-8)


@TASKS
def test_residual_tangent_is_the_second_derivative_by_autograd(problem, task):
    loss, outputs, targets = problem(task)
    directions = torch.tensor(np.random.default_rng(8).normal(size=outputs.shape))
    leaf = outputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        TORCH[task](leaf, targets), leaf, create_graph=True
    )
    # Rows do not interact, so the product with the Hessian is row by row.
    (expected,) = torch.autograd.grad((gradient * directions).sum(), leaf)
    found = loss.residual_tangent(outputs, directions)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@TASKS
def test_residual_tangent_is_the_slope_of_the_residual(problem, task):
    loss, outputs, targets = problem(task)
    directions = torch.tensor(np.random.default_rng(8).normal(size=outputs.shape))
    step = 1e-6
    up = loss.residual(outputs + step * directions, targets)
    down = loss.residual(outputs - step * directions, targets)
    torch.testing.assert_close(
        loss.residual_tangent(outputs, directions),
        (up - down) / (2 * step),
        rtol=1e-7,
        atol=1e-8,
    )


def test_soft_targets_weigh_the_losses_of_the_classes(problem):
    loss, outputs, _ = problem("classes")
    share = torch.tensor(np.random.default_rng(9).dirichlet(np.ones(3), N_ROWS))
    expected = sum(
        share[:, k] * loss.value(outputs, torch.eye(3).double()[[k] * N_ROWS])
        for k in range(3)
    )
    torch.testing.assert_close(loss.value(outputs, share), expected)
    residual = loss.residual(outputs, share)
    np.testing.assert_allclose(
        residual, softmax(outputs.numpy(), axis=1) - share.numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-800.0, 800.0])
def test_log_loss_of_extreme_logits(logit, target, dtype):
    outputs = torch.tensor([[logit]], dtype=dtype)
    targets = torch.tensor([[target]], dtype=dtype)
    right = (logit > 0) == (target == 1.0)
    assert LOG_LOSS.value(outputs, targets).item() == (0.0 if right else 800.0)
    assert LOG_LOSS.residual(outputs, targets).item() == (
        0.0 if right else np.sign(logit)
    )
    assert LOG_LOSS.residual_tangent(outputs, torch.ones_like(outputs)).item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cross_entropy_of_extreme_logits(dtype):
    outputs = torch.tensor([[800.0, -800.0, 0.0]] * 3, dtype=dtype)
    targets = torch.eye(3, dtype=dtype)
    values = CROSS_ENTROPY.value(outputs, targets)
    assert values.tolist() == [0.0, 1600.0, 800.0]
    residual = CROSS_ENTROPY.residual(outputs, targets)
    first = torch.tensor([1.0, 0.0, 0.0], dtype=dtype)
    torch.testing.assert_close(residual, first - targets, rtol=0.0, atol=0.0)
    tangent = CROSS_ENTROPY.residual_tangent(outputs, torch.ones_like(outputs))
    torch.testing.assert_close(tangent, torch.zeros_like(tangent), rtol=0.0, atol=0.0)


def test_squared_error_of_one_target_is_not_halved():
    outputs, targets = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    assert SQUARED_ERROR.value(outputs, targets).item() == 4.0
    assert SQUARED_ERROR.residual(outputs, targets).item() == 4.0
    assert SQUARED_ERROR.residual_tangent(outputs, outputs).item() == 6.0


@pytest.mark.parametrize("n_models", [None, 1, 2, 5])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("most", [3, 11, 40])
def test_pieces_together_are_the_whole(most, n_outputs, n_models, monkeypatch):
    monkeypatch.setattr(losses, "_PIECE", most)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    rng = np.random.default_rng(0)
    models = () if n_models is None else (n_models,)
    outputs = torch.tensor(rng.normal(size=(*models, 7, n_outputs)))
    shared = torch.tensor(rng.normal(size=(7, 1)))
    seen = []

    def product(own_outputs, own_shared, out):
        seen.append(own_outputs.numel())
        return torch.mul(own_outputs, own_shared, out=out)

    def sums(own_outputs, own_shared, out):
        return torch.sum(own_outputs * own_shared, -1, out=out)

    out = torch.empty_like(outputs)
    found = in_pieces(product, outputs, shared, out=out)
    torch.testing.assert_close(found, outputs * shared, rtol=0.0, atol=0.0)
    assert sum(seen) == outputs.numel()
    # A single row is not divided.
    assert max(seen) <= max(most, n_outputs)
    assert (found is out) == (outputs.numel() > most)
    found = in_pieces(sums, outputs, shared, out=outputs.new_empty(*models, 7))
    torch.testing.assert_close(found, (outputs * shared).sum(-1), rtol=1e-15, atol=0.0)
    whole = in_pieces(product, outputs, shared, out=None)
    torch.testing.assert_close(whole, outputs * shared, rtol=0.0, atol=0.0)

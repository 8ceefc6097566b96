# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.func import functional_call, grad, vmap

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.together import fit_models
from skdg.gradients import FishrClassifier, FishrRegressor
from skdg.gradients._fishr import FishrPenalty
from skdg.gradients._head_gradients import HeadGradients

N_HIDDEN = 4
# Name, loss of the library, number of outputs, loss of one row by torch.
TASKS = {
    "binary": (
        LOG_LOSS,
        1,
        torch.nn.functional.binary_cross_entropy_with_logits,
    ),
    "classes": (CROSS_ENTROPY, 3, torch.nn.functional.cross_entropy),
    "squared": (SQUARED_ERROR, 1, torch.nn.functional.mse_loss),
    "two targets": (SQUARED_ERROR, 2, torch.nn.functional.mse_loss),
}


def make_batch(task, sizes, seed=0, weighted=True):
    loss, n_outputs, _ = TASKS[task]
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    features, head, offsets = (
        torch.tensor(rng.normal(size=shape))
        for shape in [(n, N_HIDDEN), (N_HIDDEN, n_outputs), (n_outputs,)]
    )
    if loss is SQUARED_ERROR:
        y = rng.normal(size=(n, n_outputs))
    elif n_outputs == 1:
        y = rng.integers(0, 2, (n, 1)).astype(float)
    else:
        y = np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
    weight = rng.uniform(0.2, 3.0, n) if weighted else np.ones(n)
    rows = DomainRows(features, torch.tensor(y), torch.tensor(weight), sizes)
    outputs = features @ head + offsets
    return DomainBatch.from_outputs(rows, outputs, features, head, loss), offsets


def variances_by_rows(task, batch, offsets):
    """Differentiate the loss of each row by itself."""
    layer = torch.nn.Linear(*batch.head.shape, dtype=torch.float64)
    loss = TASKS[task][2]

    def row_loss(parameters, z, y):
        return loss(functional_call(layer, parameters, (z[None],)), y[None])

    parameters = {"weight": batch.head.T, "bias": offsets}
    found = vmap(grad(row_loss), (None, 0, 0))(
        parameters, batch.features, batch.targets
    )
    # As (n_hidden + 1, n_outputs), offsets last.
    rows = torch.cat([found["weight"].mT, found["bias"][:, None]], 1).flatten(1).numpy()
    variances, start = [], 0
    for size in batch.rows.sizes:
        own = rows[start : start + size]
        w = batch.rows.sample_weight[start : start + size].numpy()
        mean = np.average(own, axis=0, weights=w)
        variances.append(np.average((own - mean) ** 2, axis=0, weights=w))
        start += size
    return np.array(variances)


@pytest.mark.parametrize("sizes", [(6, 6), (7, 1, 12), (9,)])
@pytest.mark.parametrize("task", TASKS)
def test_variances_are_those_of_the_gradients_of_single_rows(task, sizes):
    batch, offsets = make_batch(task, sizes)
    expected = variances_by_rows(task, batch, offsets)
    found = HeadGradients(batch).variances()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert expected.max() > 0.01


def test_weights_count_repetitions_of_rows():
    plain, _ = make_batch("classes", (5, 8), weighted=False)
    counts = torch.tensor(np.random.default_rng(5).integers(1, 4, 13))
    index = torch.arange(13).repeat_interleave(counts)
    sizes = tuple(int(part.sum()) for part in counts.split((5, 8)))
    rows = plain.rows
    weighted = DomainRows(rows.inputs, rows.targets, counts.double(), (5, 8))
    ones = torch.ones(len(index), dtype=torch.float64)
    repeated = DomainRows(rows.inputs[index], rows.targets[index], ones, sizes)
    rest = (plain.head, CROSS_ENTROPY)
    first = DomainBatch.from_outputs(weighted, plain.outputs, plain.features, *rest)
    second = DomainBatch.from_outputs(
        repeated, plain.outputs[index], plain.features[index], *rest
    )
    np.testing.assert_allclose(
        HeadGradients(first).variances(), HeadGradients(second).variances(), rtol=1e-9
    )


def spread(variances):
    variances = np.asarray(variances)
    mean = variances.mean(axis=0)
    return np.mean([np.mean((v - mean) ** 2) for v in variances])


@pytest.mark.parametrize("task", TASKS)
def test_penalty_is_the_mean_squared_distance_to_the_mean_variance(task):
    batch, offsets = make_batch(task, (7, 3, 12))
    expected = spread(variances_by_rows(task, batch, offsets))
    np.testing.assert_allclose(FishrPenalty(0.0)(batch), expected, rtol=1e-9)


@pytest.mark.parametrize("ema", [0.3, 0.95])
def test_running_average_recursion(ema):
    penalty, past = FishrPenalty(ema), None
    for seed in range(8):
        batch, offsets = make_batch("classes", (7, 3, 12), seed)
        now = variances_by_rows("classes", batch, offsets)
        past = now if past is None else ema * past + (1 - ema) * now
        np.testing.assert_allclose(penalty(batch), spread(past), rtol=1e-9)


def test_past_of_the_running_average_is_held_fixed():
    penalty = FishrPenalty(0.9)
    first, _ = make_batch("classes", (7, 3, 12), 0)
    past = HeadGradients(first).variances()
    penalty(first)
    second, _ = make_batch("classes", (7, 3, 12), 1)
    outputs = second.outputs.clone().requires_grad_()
    seen = DomainBatch.from_outputs(
        second.rows, outputs, second.features, second.head, CROSS_ENTROPY
    )
    (found,) = torch.autograd.grad(penalty(seen), outputs)
    again = DomainBatch.from_outputs(
        second.rows, outputs, second.features, second.head, CROSS_ENTROPY
    )
    v = 0.9 * past + 0.1 * HeadGradients(again).variances()
    (expected,) = torch.autograd.grad((v - v.mean(0)).square().mean(), outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_one_domain_has_no_spread(ema):
    penalty = FishrPenalty(ema)
    for seed in range(3):
        assert float(penalty(make_batch("binary", (9,), seed)[0])) == 0.0


# Three domains and six parameters of the last layer: above 18 the objective is divided.
@pytest.mark.parametrize("weight", [0.4, 17.0, 30.0, 700.0])
@pytest.mark.parametrize("iteration", [1, 2])
def test_step_follows_the_gradient_of_the_stated_objective(weight, iteration):
    batch, _ = make_batch("binary", (7, 3, 12))
    rows = batch.rows
    flat = torch.tensor(np.random.default_rng(2).normal(size=31), requires_grad=True)
    first, offsets, last, offset = flat.split([20, 5, 5, 1])
    hidden = torch.tanh(rows.inputs @ first.reshape(4, 5) + offsets)
    f, y = hidden @ last + offset, rows.targets[:, 0]
    losses = torch.nn.functional.softplus(f) - y * f
    slopes = (torch.sigmoid(f) - y)[:, None] * torch.cat(
        [hidden, torch.ones_like(f)[:, None]], 1
    )
    risks, variances = [], []
    for loss, slope, w in zip(
        *(part.split(rows.sizes) for part in (losses, slopes, rows.sample_weight)),
        strict=True,
    ):
        share = w / w.sum()
        risks.append(share @ loss)
        variances.append(share @ (slope - share @ slope) ** 2)
    v = torch.stack(variances)
    in_force = weight if iteration >= 2 else 0.0
    objective = torch.stack(risks).mean() + in_force * ((v - v.mean(0)) ** 2).mean()
    (expected,) = torch.autograd.grad(objective / max(1.0, in_force / 18), flat)
    network = DenseNetwork((4, 5, 1), "tanh", flat.detach().clone())
    model = FishrClassifier(penalty_weight=weight, penalty_anneal_iters=2)
    model._make_step(np.random.RandomState(0)).advance(
        network, rows, LOG_LOSS, Optimizer(network.parameters, "sgd", 1.0), iteration
    )
    found = flat.detach() - network.parameters
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("weight", [0.3, 40.0])
@pytest.mark.parametrize("anneal_iters", [0, 4])
def test_training_follows_the_loop_of_the_sum_with_adam(anneal_iters, weight, alpha):
    # As the authors write it: sums over domains and parameters, gradients of single
    # rows, the whole loss divided by the weight. Adam sees the sizes of gradients
    # where the weight changes, and where they are small.
    sizes, rng = (9, 9), np.random.default_rng(3)
    X, y = rng.normal(size=(18, 3)), rng.integers(0, 2, 18)
    groups = np.repeat([0, 1], sizes)
    options = {
        **{"hidden_layer_sizes": (4,), "activation": "tanh", "batch_size": None},
        **{"learning_rate": "constant", "random_state": 0},
    }
    start = FishrClassifier(max_iter=1, learning_rate_init=1e-300, **options)
    start.fit(X, y, groups=groups)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
    ).double()
    for layer, coef, intercept in zip(
        module[::2], start.coefs_, start.intercepts_, strict=True
    ):
        layer.weight.data = torch.tensor(coef.T)
        layer.bias.data = torch.tensor(intercept)
    adam = torch.optim.Adam(module.parameters(), 0.01)
    inputs, targets = torch.tensor(X), torch.tensor(y).double()[:, None]
    for iteration in range(9):
        risks, variances = [], []
        for own, target in zip(inputs.split(sizes), targets.split(sizes), strict=True):
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                module(own), target, reduction="none"
            )
            slopes = [
                torch.cat(
                    [
                        part.flatten()
                        for part in torch.autograd.grad(
                            loss, tuple(module[2].parameters()), create_graph=True
                        )
                    ]
                )
                for loss in losses.flatten()
            ]
            risks.append(losses.mean())
            variances.append(torch.stack(slopes).var(0, correction=0))
        v = torch.stack(variances)
        in_force = weight if iteration >= anneal_iters else 0.0
        loss = torch.stack(risks).mean() + in_force * (v - v.mean(0)).pow(2).sum()
        loss = loss + alpha / 2 * sum(
            layer.weight.square().sum() for layer in module[::2]
        )
        loss = loss / max(1.0, in_force)
        adam.zero_grad()
        loss.backward()
        adam.step()
    model = FishrClassifier(
        penalty_weight=2 * 5 * weight,
        penalty_anneal_iters=anneal_iters,
        learning_rate_init=0.01,
        alpha=alpha,
        max_iter=9,
        **options,
    ).fit(X, y, groups=groups)
    for layer, coef in zip(module[::2], model.coefs_, strict=True):
        found = layer.weight.detach().numpy().T
        np.testing.assert_allclose(coef, found, rtol=1e-7)


def test_side_by_side_each_model_is_divided_by_its_own_weight():
    rng = np.random.default_rng(4)
    X, y, groups = rng.normal(size=(24, 3)), np.arange(24) % 2, np.arange(24) // 12
    base = FishrClassifier(
        hidden_layer_sizes=(4,), optimizer="sgd", max_iter=10, random_state=0
    )
    weights = [1.0, 9.0, 11.0, 500.0]
    models = [clone(base).set_params(penalty_weight=weight) for weight in weights]
    data = models[0]._validate(X, y, None, *models[0]._encode_domains(X, groups))
    assert fit_models(models, [data] * 4) == [None] * 4
    for model in models:
        alone = clone(model).fit(X, y, groups=groups)
        np.testing.assert_allclose(model.coefs_[0], alone.coefs_[0], rtol=1e-9)


def test_a_large_weight_brings_variances_together():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], [60, 30])
    X = rng.normal(size=(90, 2))
    y = X @ [1.0, -1.0] + (0.3 + groups) * rng.normal(size=90)
    options = {"hidden_layer_sizes": (), "max_iter": 800}
    weak, strong = (
        FishrRegressor(penalty_weight=weight, **options).fit(X, y, groups=groups)
        for weight in (1e-9, 1e3)
    )
    assert strong.history_["penalty"][-1] < 0.3 * weak.history_["penalty"][-1]


def test_each_fit_starts_a_new_average():
    rng = np.random.default_rng(1)
    X, y, groups = rng.normal(size=(30, 2)), rng.normal(size=30), np.arange(30) % 3
    model = FishrRegressor(ema=0.9, penalty_weight=10.0, max_iter=15, random_state=0)
    first = model.fit(X, y, groups=groups).predict(X)
    np.testing.assert_array_equal(model.fit(X, y, groups=groups).predict(X), first)


@pytest.mark.parametrize("sizes", [(6, 6), (7, 2, 12)])
@pytest.mark.parametrize("task", TASKS)
def test_derivative_of_the_penalty_agrees_with_finite_differences(task, sizes):
    batch, _ = make_batch(task, sizes)

    def penalty(features, outputs):
        seen = DomainBatch(
            batch.rows, outputs, features, batch.head, batch.loss, batch.risks
        )
        return FishrPenalty(0.0)(seen)

    leaves = tuple(v.clone().requires_grad_() for v in (batch.features, batch.outputs))
    assert torch.autograd.gradcheck(penalty, leaves)

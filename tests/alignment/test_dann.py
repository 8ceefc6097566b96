# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import copy

import numpy as np
import pytest
import torch

from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.alignment import CDANNClassifier, DANNClassifier, DANNRegressor
from skdg.invariance import ERMClassifier, ERMRegressor

SIZES = (6, 3, 9)
N_DOMAINS = len(SIZES)
TASKS = {
    "binary": (DANNClassifier, LOG_LOSS, 1),
    "classes": (DANNClassifier, CROSS_ENTROPY, 4),
    "squared": (DANNRegressor, SQUARED_ERROR, 2),
    "binary by class": (CDANNClassifier, LOG_LOSS, 1),
    "classes by class": (CDANNClassifier, CROSS_ENTROPY, 4),
}


def make_rows(task, seed=0):
    loss, n_outputs = TASKS[task][1:]
    rng = np.random.default_rng(seed)
    n = sum(SIZES)
    if loss is LOG_LOSS:
        y = rng.integers(0, 2, (n, 1)).astype(float)
    elif loss is CROSS_ENTROPY:
        # The last class does not occur.
        y = np.eye(n_outputs)[rng.integers(0, n_outputs - 1, n)]
    else:
        y = rng.normal(size=(n, n_outputs))
    arrays = (rng.normal(size=(n, 3)), y, rng.uniform(0.2, 3.0, n))
    return DomainRows(*map(torch.tensor, arrays), SIZES)


def own_features(flat, rows, n_outputs):
    first, offsets, last, offset = flat.split([15, 5, 5 * n_outputs, n_outputs])
    hidden = torch.tanh(rows.inputs @ first.reshape(3, 5) + offsets)
    return hidden, hidden @ last.reshape(5, n_outputs) + offset


def own_risk(task, flat, rows):
    """Mean risk, written for autograd."""
    loss, n_outputs = TASKS[task][1:]
    _, f = own_features(flat, rows, n_outputs)
    y = rows.targets
    if loss is LOG_LOSS:
        losses = (torch.nn.functional.softplus(f) - y * f)[:, 0]
    elif loss is CROSS_ENTROPY:
        losses = -(y * torch.log_softmax(f, 1)).sum(1)
    else:
        losses = ((f - y) ** 2).mean(1)
    parts = zip(losses.split(SIZES), rows.sample_weight.split(SIZES), strict=True)
    return torch.stack([w @ a / w.sum() for a, w in parts]).mean()


def row_shares(task, rows):
    """Weight of each row in the discriminator's loss, by loops."""
    weight, codes = rows.sample_weight.numpy(), np.repeat(range(N_DOMAINS), SIZES)
    labels = codes
    if task.endswith("by class"):
        y = rows.targets.numpy()
        labels = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    present = set(labels.tolist())
    totals = {c: sum(weight[labels == c]) for c in present}
    return torch.tensor(
        [
            w / totals[c] / len(present)
            for w, c in zip(weight, labels.tolist(), strict=True)
        ]
    )


def own_cross_entropy(task, discriminator, flat, rows):
    """Cross-entropy of a discriminator with one hidden layer, for autograd."""
    hidden, _ = own_features(flat, rows, TASKS[task][2])
    if task.endswith("by class"):
        y = rows.targets
        indicators = torch.cat([1 - y, y], 1) if y.shape[1] == 1 else y
        hidden = torch.cat([hidden, indicators], 1)
    n_in = hidden.shape[1]
    parts = discriminator.split([7 * n_in, 7, 7 * N_DOMAINS, N_DOMAINS])
    inner = torch.relu(hidden @ parts[0].reshape(n_in, 7) + parts[1])
    logits = inner @ parts[2].reshape(7, N_DOMAINS) + parts[3]
    codes = torch.arange(N_DOMAINS).repeat_interleave(torch.tensor(SIZES))
    losses = torch.nn.functional.cross_entropy(logits, codes, reduction="none")
    return row_shares(task, rows) @ losses


def start(task, penalty_weight=2.0, **options):
    """A step after one iteration, so that there is a discriminator; and a network."""
    estimator, loss, n_outputs = TASKS[task]
    model = estimator(
        penalty_weight=penalty_weight,
        discriminator_hidden_layer_sizes=(7,),
        discriminator_learning_rate=0.03,
        **options,
    )
    step = model._make_step(np.random.RandomState(0))
    flat = torch.tensor(np.random.default_rng(2).normal(size=20 + 6 * n_outputs))
    network = DenseNetwork((3, 5, n_outputs), "tanh", flat)
    optimizer = Optimizer(network.parameters, "sgd", 1.0)
    rows = make_rows(task)
    step.advance(network, rows, loss, optimizer, 0)
    return step, network, optimizer, rows, loss


@pytest.mark.parametrize("task", TASKS)
def test_gradient_is_that_of_the_risk_minus_the_cross_entropy(task):
    step, network, optimizer, rows, loss = start(task)
    before = network.parameters.clone().requires_grad_()
    discriminator = step._discriminator.parameters.clone()
    entropy = own_cross_entropy(task, discriminator, before, rows)
    objective = own_risk(task, before, rows) - 2.0 * entropy
    (expected,) = torch.autograd.grad(objective, before)
    record = step.advance(network, rows, loss, optimizer, 1)
    found = before.detach() - network.parameters
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    # The record is minus the cross-entropy that the features met.
    np.testing.assert_allclose(record.penalties[0], -entropy.detach(), rtol=1e-10)


@pytest.mark.parametrize("task", TASKS)
def test_discriminator_takes_steps_of_adam_on_its_cross_entropy(task):
    step, network, optimizer, rows, loss = start(task)
    # Adam by hand needs the moments of the first step: repeat it from its start.
    step._discriminator, step._memory = None, {}
    step._random_state = np.random.RandomState(0)
    fresh = copy.copy(step)
    fresh._memory = {}
    first_rows = step._discriminator_rows(network.forward(rows, loss))
    fresh._make_discriminator(first_rows)
    theta = fresh._discriminator.parameters.clone()
    step._random_state = np.random.RandomState(0)
    m, v = torch.zeros_like(theta), torch.zeros_like(theta)
    for t in range(1, 5):
        flat, leaf = network.parameters.clone(), theta.clone().requires_grad_()
        entropy = own_cross_entropy(task, leaf, flat, rows)
        (g,) = torch.autograd.grad(entropy, leaf)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        scaled = (m / (1 - 0.9**t)) / (torch.sqrt(v / (1 - 0.999**t)) + 1e-8)
        theta = theta - 0.03 * scaled
        step.advance(network, rows, loss, optimizer, t)
        np.testing.assert_allclose(
            step._discriminator.parameters, theta, rtol=1e-7, atol=1e-10
        )


@pytest.mark.parametrize("task", ["binary by class", "classes by class"])
def test_each_class_counts_equally_and_is_seen(task):
    step, network, _, rows, loss = start(task)
    seen = step._discriminator_rows(network.forward(rows, loss))
    y = rows.targets
    indicators = torch.cat([1 - y, y], 1) if y.shape[1] == 1 else y
    np.testing.assert_array_equal(seen.inputs[:, 5:], indicators)
    by_class = seen.sample_weight @ indicators
    present = indicators.sum(0) > 0
    np.testing.assert_allclose(by_class[present], 1 / int(present.sum()), rtol=1e-10)
    np.testing.assert_allclose(seen.sample_weight, row_shares(task, rows), rtol=1e-10)


def test_domains_count_equally():
    step, network, _, rows, loss = start("classes")
    seen = step._discriminator_rows(network.forward(rows, loss))
    of_domain = [float(part.sum()) for part in seen.sample_weight.split(SIZES)]
    np.testing.assert_allclose(of_domain, 1 / 3, rtol=1e-10)
    assert seen.inputs.shape[1] == 5


def test_weight_is_0_while_annealing_but_the_discriminator_learns():
    step, network, optimizer, rows, loss = start("binary", penalty_anneal_iters=3)
    before = network.parameters.clone().requires_grad_()
    discriminator = step._discriminator.parameters.clone()
    (expected,) = torch.autograd.grad(own_risk("binary", before, rows), before)
    step.advance(network, rows, loss, optimizer, 2)
    found = before.detach() - network.parameters
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    assert not torch.equal(step._discriminator.parameters, discriminator)


def make_classes(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1], [40, 25])
    X = rng.normal(size=(65, 3))
    X[:, 1] += 3.0 * groups
    return X, (X[:, 0] > 0).astype(int), groups


@pytest.mark.parametrize(
    ("estimator", "erm"),
    [
        (DANNClassifier, ERMClassifier),
        (CDANNClassifier, ERMClassifier),
        (DANNRegressor, ERMRegressor),
    ],
)
def test_weight_0_is_erm_bit_for_bit(estimator, erm):
    X, y, groups = make_classes()
    options = {"max_iter": 20, "random_state": 0, "batch_size": 8}
    model = estimator(penalty_weight=0.0, **options).fit(X, y, groups=groups)
    plain = erm(**options).fit(X, y, groups=groups)
    for a, b in zip(model.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sorted(model.history_) == ["risk"]


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
@pytest.mark.parametrize("estimator", [DANNClassifier, CDANNClassifier])
def test_one_domain_is_erm(estimator):
    X, y, _ = make_classes()
    options = {"max_iter": 20, "random_state": 0}
    model = estimator(**options).fit(X, y)
    plain = ERMClassifier(**options).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(X), rtol=1e-9
    )
    np.testing.assert_array_equal(model.history_["penalty"], 0.0)


@pytest.mark.parametrize("estimator", [DANNClassifier, CDANNClassifier])
def test_training_confuses_the_discriminator(estimator):
    X, y, groups = make_classes()
    options = {"hidden_layer_sizes": (8,), "max_iter": 400, "random_state": 0}
    weak, strong = (
        estimator(penalty_weight=weight, **options).fit(X, y, groups=groups)
        for weight in (1e-9, 1.0)
    )
    # 0 for a discriminator that knows the domains, log(2) for one that does not. At
    # the end it gains ground: the network's step size falls, its own does not.
    ends = [-model.history_["penalty"][-50:].mean() for model in (weak, strong)]
    assert ends[0] < 0.05
    assert ends[1] > 0.3
    assert strong.score(X, y) > 0.9


def test_weights_count_repetitions_of_rows():
    X, y, groups = make_classes(1)
    weight = np.random.default_rng(4).integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    for estimator in (DANNClassifier, CDANNClassifier):
        model = estimator(max_iter=20, random_state=0)
        first = model.fit(X, y, groups=groups, sample_weight=weight).predict_proba(X)
        second = model.fit(X[again], y[again], groups=groups[again]).predict_proba(X)
        np.testing.assert_allclose(first, second, rtol=1e-6)

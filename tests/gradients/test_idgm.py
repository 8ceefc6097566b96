# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch
from torch.nn import functional

from skdg import (
    DivergenceError,
    ERMClassifier,
    ERMRegressor,
    IDGMClassifier,
    IDGMRegressor,
    SingleDomainWarning,
)
from skdg.datasets import make_fish_linear
from skdg.gradients._idgm import disagreement_derivative, gradient_disagreement

TASKS = pytest.mark.parametrize("task", ["binary", "classes", "regression", "targets"])
GAMMA = 0.7


@pytest.mark.parametrize("n_domains", [2, 3, 6])
def test_identity_is_the_loop_over_pairs(n_domains):
    gradients = np.random.default_rng(n_domains).normal(size=(n_domains, 7))
    products = [gradients[i] @ gradients[j] for i in range(n_domains) for j in range(i)]
    expected = -2 / (n_domains * (n_domains - 1)) * sum(products)
    found = gradient_disagreement(torch.tensor(gradients))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_domain_has_no_pairs():
    leaf = torch.ones(1, 5, requires_grad=True)
    value = gradient_disagreement(leaf)
    assert value.item() == 0.0
    assert not torch.autograd.grad(value, leaf)[0].any()


@pytest.mark.parametrize("n_domains", [1, 2, 5])
def test_derivative_is_that_of_autograd(n_domains):
    leaf = torch.tensor(np.random.default_rng(n_domains).normal(size=(n_domains, 7)))
    leaf.requires_grad_()
    (expected,) = torch.autograd.grad(gradient_disagreement(leaf), leaf)
    found = disagreement_derivative(leaf.detach().clone())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


def data(task, n_domains=3, n=40, seed=0):
    rng = np.random.default_rng(seed)
    X, groups = rng.normal(size=(n, 3)), rng.integers(0, n_domains, n)
    signal = X @ [1.0, -1.0, 0.5] + 0.5 * groups + 0.3 * rng.normal(size=n)
    if task == "binary":
        return X, (signal > 0.4).astype(int), groups
    if task == "classes":
        return X, np.digitize(signal, [-0.5, 0.8]), groups
    return X, signal if task == "regression" else np.c_[signal, X[:, 0] ** 2], groups


def make_model(task, **kw):
    kw = {"optimizer": "sgd", "learning_rate": "constant", "alpha": 0.0} | kw
    kw = {"activation": "tanh", "random_state": 0, "gamma": GAMMA} | kw
    if task in ("binary", "classes"):
        return IDGMClassifier(**kw)
    return IDGMRegressor(normalize_y=False, **kw)


def flat_of(model):
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    return np.concatenate([a.ravel() for layer in layers for a in layer])


class Objective:
    """The objective with explicit pairs of gradients, written for autograd."""

    def __init__(self, task, X, y, groups, hidden, n_outputs):
        self.task, self.sizes = task, [X.shape[1], *hidden, n_outputs]
        self.parts = []
        for domain in np.unique(groups):
            own = groups == domain
            targets = torch.tensor(y[own])
            if task == "binary":
                targets = targets.double()
            self.parts.append((torch.tensor(X[own]), targets))

    def risk(self, flat, X, y):
        start, z = 0, X
        for layer, n_in in enumerate(self.sizes[:-1]):
            n_out = self.sizes[layer + 1]
            W = flat[start : start + n_in * n_out].reshape(n_in, n_out)
            start += n_in * n_out
            z = z @ W + flat[start : start + n_out]
            start += n_out
            if layer < len(self.sizes) - 2:
                z = torch.tanh(z)
        if self.task == "classes":
            return functional.cross_entropy(z, y)
        z = z.squeeze(1)
        if self.task == "binary":
            return functional.binary_cross_entropy_with_logits(z, y)
        return functional.mse_loss(z, y)

    def __call__(self, flat, gamma=GAMMA):
        risks = [self.risk(flat, *part) for part in self.parts]
        gradients = [
            torch.autograd.grad(risk, flat, create_graph=True)[0] for risk in risks
        ]
        n = len(risks)
        pairs = [gradients[i] @ gradients[j] for i in range(n) for j in range(i)]
        return sum(risks) / n - gamma * sum(pairs) / len(pairs)


@TASKS
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=len)
@pytest.mark.parametrize("equal", [True, False], ids=["equal", "ragged"])
def test_step_is_that_of_the_whole_objective(task, hidden, equal):
    X, y, groups = data(task)
    if equal:
        groups = np.arange(40) % 4
    model = make_model(task, hidden_layer_sizes=hidden, gamma=0.0, max_iter=3)
    model.fit(X, y, groups=groups)
    start = torch.tensor(flat_of(model), requires_grad=True)
    n_outputs = len(model.intercepts_[-1])
    objective = Objective(task, X, y, groups, hidden, n_outputs)
    model.set_params(warm_start=True, gamma=GAMMA, max_iter=1, learning_rate_init=0.01)
    model.fit(X, y, groups=groups)
    (expected,) = torch.autograd.grad(objective(start), start)
    found = (start.detach().numpy() - flat_of(model)) / 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    # The part of the second order is not small.
    (erm,) = torch.autograd.grad(objective(start, gamma=0.0), start)
    assert (expected - erm).abs().max() > 1e-2


@TASKS
def test_step_agrees_with_finite_differences(task):
    X, y, groups = data(task)
    model = make_model(task, hidden_layer_sizes=(4,), gamma=0.0, max_iter=3)
    model.fit(X, y, groups=groups)
    start = flat_of(model)
    objective = Objective(task, X, y, groups, (4,), len(model.intercepts_[-1]))
    model.set_params(warm_start=True, gamma=GAMMA, max_iter=1, learning_rate_init=0.01)
    model.fit(X, y, groups=groups)
    found, step = (start - flat_of(model)) / 0.01, 1e-5
    for index, unit in enumerate(np.eye(len(start))):
        up, down = (
            objective(torch.tensor(start + s * step * unit, requires_grad=True)).item()
            for s in (1, -1)
        )
        np.testing.assert_allclose(
            found[index], (up - down) / (2 * step), rtol=1e-6, atol=1e-8
        )


@TASKS
def test_history_has_the_mean_product_of_gradients(task):
    X, y, groups = data(task)
    model = make_model(task, hidden_layer_sizes=(4,), gamma=0.0, max_iter=3)
    model.fit(X, y, groups=groups)
    now = torch.tensor(flat_of(model), requires_grad=True)
    objective = Objective(task, X, y, groups, (4,), len(model.intercepts_[-1]))
    expected = (objective(now, 1.0) - objective(now, 0.0)).item()
    model.set_params(warm_start=True, gamma=GAMMA, max_iter=1)
    model.fit(X, y, groups=groups)
    np.testing.assert_allclose(model.history_["penalty"], [expected], rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_model_by_hand(classes):
    # G_e = X_e^T (p - y) / n_e, and its derivative, in closed form.
    X, y, groups = data("binary" if classes == 2 else "classes")
    A = np.c_[X, np.ones(len(X))]
    Y = y[:, None] if classes == 2 else np.eye(3)[y]
    theta = np.zeros((4, Y.shape[1]))
    model = IDGMClassifier(
        hidden_layer_sizes=(),
        gamma=GAMMA,
        alpha=0.0,
        optimizer="sgd",
        learning_rate="constant",
        learning_rate_init=0.2,
        max_iter=5,
    ).fit(X, y, groups=groups)
    for _ in range(5):
        gradients, products = [], []
        f = A @ theta
        if classes == 2:
            p = 1 / (1 + np.exp(-f))
        else:
            p = np.exp(f) / np.exp(f).sum(1, keepdims=True)
        own = [groups == domain for domain in range(3)]
        gradients = [A[o].T @ (p - Y)[o] / o.sum() for o in own]
        for o, gradient in zip(own, gradients, strict=True):
            direction = A[o] @ (sum(gradients) - gradient)
            if classes == 2:
                curved = (p * (1 - p))[o] * direction
            else:
                mean = (p[o] * direction).sum(1, keepdims=True)
                curved = p[o] * (direction - mean)
            products.append(A[o].T @ curved / o.sum())
        # The derivative of the sum over i != j of G_i.G_j is 2 sum_i H_i sum_j G_j.
        step = sum(gradients) / 3 - GAMMA * 2 * sum(products) / 6
        theta = theta - 0.2 * step
    np.testing.assert_allclose(model.coef_, theta[:3].T, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, theta[3], rtol=1e-10)


@pytest.mark.parametrize(
    ("own", "erm"), [(IDGMClassifier, ERMClassifier), (IDGMRegressor, ERMRegressor)]
)
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
def test_one_domain_gives_erm(own, erm, batch_size):
    X, y, _ = data("binary")
    kw = {"hidden_layer_sizes": (5,), "batch_size": batch_size, "max_iter": 30}
    kw |= {"random_state": 0, "activation": "tanh"}
    model, baseline = (e(**kw).fit(X, y) for e in (own, erm))
    assert not model.history_["penalty"].any()
    # To rounding: the two compute the same gradient by different matrix products.
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(model, name), getattr(baseline, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_one_domain_is_warned_of():
    X, y, _ = data("binary")
    with pytest.warns(SingleDomainWarning):
        IDGMClassifier(max_iter=1).fit(X, y)


FISH_LINEAR = {
    "hidden_layer_sizes": (),
    "alpha": 0.0,
    "optimizer": "sgd",
    "learning_rate_init": 0.1,
    "learning_rate": "constant",
    "batch_size": None,
    "max_iter": 1000,
}


def fish_linear_scores(model, seed=0):
    """Fit, and return the accuracy on the training domains and on the test domain."""
    X, y, groups = make_fish_linear(random_state=seed)
    test = groups == "test"
    model.fit(X[~test], y[~test], groups=groups[~test])
    return model.score(X[~test], y[~test]), model.score(X[test], y[test])


@pytest.mark.parametrize("seed", range(3))
def test_fish_linear(seed):
    # Published: 97 % and 57 % for ERM, 93 % and 93 % for IDGM.
    assert fish_linear_scores(ERMClassifier(**FISH_LINEAR), seed) == (0.97, 0.57)
    model = IDGMClassifier(gamma=2.5, **FISH_LINEAR)
    assert fish_linear_scores(model, seed) == (0.93, 0.93)
    # Published: W = (0.4, 0.2, 0.2, 0.0), b = -0.4: the first feature decides.
    (W,), (b,) = model.coef_, model.intercept_
    assert 0.0 < W[1] < W[0]
    assert 0.0 < W[2] < W[0]
    assert W[3] == 0.0
    assert b < 0.0 < W[0] + b


@pytest.mark.parametrize("gamma", [10.0, 1e3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_too_large_gamma_is_an_error(gamma, optimizer):
    X, y, groups = make_fish_linear(random_state=0)
    kw = FISH_LINEAR | {"optimizer": optimizer, "max_iter": 300}
    model = IDGMClassifier(gamma=gamma, **kw)
    with pytest.raises(DivergenceError, match="weight of the penalty"):
        model.fit(X, y, groups=groups)
    assert not hasattr(model, "coef_")


def test_too_large_gamma_is_an_error_for_a_regressor():
    X, y, groups = data("regression")
    model = IDGMRegressor(gamma=100.0, random_state=0)
    with pytest.raises(DivergenceError, match="weight of the penalty"):
        model.fit(X, y, groups=groups)

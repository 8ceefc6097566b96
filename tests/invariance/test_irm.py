# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from functools import partial
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from skdg import IRMClassifier, IRMRegressor
from skdg._training.batch import DomainBatch
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS, SQUARED_ERROR
from skdg._training.rows import DomainRows
from skdg.datasets import irm_sem_errors, make_irm_sem, make_linear_unit_test
from skdg.invariance._irm_penalty import irm_penalty

TASKS = {
    "binary": (LOG_LOSS, 1),
    "classes": (CROSS_ENTROPY, 3),
    "regression": (SQUARED_ERROR, 1),
    "targets": (SQUARED_ERROR, 2),
}
ALL_TASKS = pytest.mark.parametrize("task", TASKS)
DUMMIES = pytest.mark.parametrize("dummy", ["scalar", "affine", "vector"])
N_HIDDEN = 4


def torch_loss(task, outputs, targets):
    """The loss of each row, by torch's own functions."""
    if task == "binary":
        return functional.binary_cross_entropy_with_logits(
            outputs[:, 0], targets[:, 0], reduction="none"
        )
    if task == "classes":
        return functional.cross_entropy(outputs, targets, reduction="none")
    return functional.mse_loss(outputs, targets, reduction="none").mean(1)


def with_dummy(dummy, features, head, offsets):
    """An actual dummy, and the outputs that it has."""
    n = {"scalar": 1, "affine": 1 + len(offsets), "vector": len(head)}[dummy]
    w = torch.ones(n, dtype=torch.float64)
    w[1:] = dummy == "vector"
    w.requires_grad_()
    if dummy == "vector":
        return w, (w * features) @ head + offsets
    return w, w[0] * (features @ head + offsets) + (w[1:] if dummy == "affine" else 0.0)


def scaled(dummy, gradients):
    """Gradients whose squares sum to the squared norm that is penalized."""
    return gradients / (gradients.shape[-1] ** 0.5 if dummy == "vector" else 1.0)


class Problem:
    """Rows with features, and a last layer on top of them."""

    def __init__(self, task, sizes, weighted=True, seed=0):
        rng = np.random.default_rng(seed)
        n, (self.loss, n_outputs) = sum(sizes), TASKS[task]
        if task == "binary":
            targets = rng.integers(0, 2, (n, 1)).astype(float)
        elif task == "classes":
            targets = np.eye(3)[rng.integers(0, 3, n)]
        else:
            targets = rng.normal(size=(n, n_outputs))
        weight = rng.uniform(0.2, 3.0, n) if weighted else np.ones(n)
        self.task = task
        self.features = torch.tensor(rng.normal(size=(n, N_HIDDEN)))
        self.head = torch.tensor(rng.normal(size=(N_HIDDEN, n_outputs)))
        self.offsets = torch.tensor(rng.normal(size=n_outputs))
        arrays = (rng.normal(size=(n, 2)), targets, weight)
        self.rows = DomainRows(*map(torch.tensor, arrays), sizes)

    def take(self, index, sizes):
        """Return the problem of some of the rows, unweighted."""
        index = torch.as_tensor(index)
        copy = object.__new__(Problem)
        vars(copy).update(vars(self))
        copy.features = self.features[index]
        rows = self.rows
        copy.rows = DomainRows(
            rows.inputs[index],
            rows.targets[index],
            torch.ones(len(index), dtype=torch.float64),
            sizes,
        )
        return copy

    def batch(self):
        outputs = self.features @ self.head + self.offsets
        return DomainBatch.from_outputs(
            self.rows, outputs, self.features, self.head, self.loss
        )

    def dummy_gradients(self, dummy):
        """The gradient of each domain's risk in an actual dummy, by autograd."""
        gradients, start = [], 0
        for size in self.rows.sizes:
            own = slice(start, start + size)
            features, weight = self.features[own], self.rows.sample_weight[own]
            w, outputs = with_dummy(dummy, features, self.head, self.offsets)
            losses = torch_loss(self.task, outputs, self.rows.targets[own])
            risk = (weight * losses).sum() / weight.sum()
            gradients.append(torch.autograd.grad(risk, w)[0])
            start += size
        return scaled(dummy, torch.stack(gradients))

    def row_gradients(self, dummy):
        """The gradient of each row's loss in the dummy."""
        n = len(self.features)
        return self.take(range(n), (1,) * n).dummy_gradients(dummy).numpy()


@ALL_TASKS
@DUMMIES
@pytest.mark.parametrize("sizes", [(5, 5), (6, 1, 3), (4,)])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalty_is_the_squared_gradient_in_a_dummy(task, dummy, sizes, weighted):
    problem = Problem(task, sizes, weighted)
    expected = (problem.dummy_gradients(dummy) ** 2).sum(1).mean()
    found = irm_penalty(problem.batch(), dummy)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0.0)


def test_vector_of_one_feature_is_the_scalar_without_its_offset():
    problem = Problem("regression", (5, 4))
    problem.features = problem.features[:, :1]
    problem.head = problem.head[:1]
    with_offset = [irm_penalty(problem.batch(), d) for d in ("scalar", "vector")]
    assert abs(with_offset[0] - with_offset[1]) > 1e-3
    problem.offsets = torch.zeros_like(problem.offsets)
    scalar, vector = (irm_penalty(problem.batch(), d) for d in ("scalar", "vector"))
    torch.testing.assert_close(scalar, vector, rtol=1e-12, atol=0.0)


def test_a_wrong_offset_can_make_up_for_small_outputs_but_for_an_affine_dummy():
    # A feature of 1 and -1 tells the classes well. Outputs that are a hundredth of it
    # are much too small, and a factor should grow; unless an offset is wrong as well.
    x = torch.tensor([1.0] * 9 + [-1.0] + [-1.0] * 9 + [1.0], dtype=torch.float64)
    y = torch.tensor([1.0] * 10 + [0.0] * 10, dtype=torch.float64)
    rows = DomainRows(x[:, None], y[:, None], torch.ones_like(x), (20,))
    head = torch.tensor([[0.01]], dtype=torch.float64)

    def slopes(offset):
        f = 0.01 * x + offset
        residuals = torch.sigmoid(f) - y
        return (f * residuals).mean().item(), residuals.mean().item()

    assert slopes(0.0)[0] < -1e-3
    offset = brentq(lambda b: slopes(b)[0], 0.0, 1.0, xtol=1e-15)
    # To first order b / 2 tells all: (0.01^2 + b^2) / 4 makes up for 0.8 * 0.01 / 2.
    np.testing.assert_allclose(offset**2, 2 * 0.8 * 0.01 - 0.01**2, rtol=2e-2)
    outputs = rows.inputs @ head + offset
    batch = DomainBatch.from_outputs(rows, outputs, rows.inputs, head, LOG_LOSS)
    assert irm_penalty(batch, "scalar") < 1e-20
    expected = slopes(offset)[1] ** 2
    np.testing.assert_allclose(irm_penalty(batch, "affine"), expected, rtol=1e-10)
    assert expected > 5e-4


def average_over_splits(gradients):
    """The mean product of the halves' gradients over all equal splits."""
    n = len(gradients)
    products = []
    for half in combinations(range(n), n // 2):
        other = [row for row in range(n) if row not in half]
        products.append(gradients[list(half)].mean(0) * gradients[other].mean(0))
    return np.sum(np.mean(products, 0))


@ALL_TASKS
@DUMMIES
@pytest.mark.parametrize("sizes", [(4, 4), (2, 6, 8)])
def test_unbiased_is_the_average_over_all_equal_splits(task, dummy, sizes):
    problem = Problem(task, sizes, weighted=False)
    rows = problem.row_gradients(dummy)
    expected = np.mean(
        [average_over_splits(own) for own in np.split(rows, np.cumsum(sizes[:-1]))]
    )
    found = irm_penalty(problem.batch(), dummy, "unbiased")
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@DUMMIES
@pytest.mark.parametrize("n", [2, 3, 4])
def test_unbiased_is_unbiased_and_squared_is_too_large(dummy, n):
    # All equally likely samples of n rows out of a population of three.
    population = Problem("binary", (3,), weighted=False)
    slope = population.dummy_gradients(dummy)[0].numpy()
    variance = population.row_gradients(dummy).var(0)
    means = {
        estimate: np.mean(
            [
                irm_penalty(population.take(index, (n,)).batch(), dummy, estimate)
                for index in product(range(3), repeat=n)
            ]
        )
        for estimate in ("squared", "unbiased")
    }
    np.testing.assert_allclose(means["unbiased"], np.sum(slope**2), rtol=1e-10)
    np.testing.assert_allclose(
        means["squared"], np.sum(slope**2 + variance / n), rtol=1e-10
    )


def test_unbiased_can_be_negative():
    # Two rows whose gradients cancel: their product is minus the square of either.
    problem = Problem("regression", (2,), weighted=False)
    problem.features[1] = problem.features[0]
    outputs = problem.features @ problem.head + problem.offsets
    shift = torch.tensor([[1.0], [-1.0]])
    problem.rows.targets.copy_(outputs + shift)
    batch = problem.batch()
    assert abs(irm_penalty(batch)) < 1e-25
    expected = -((2.0 * outputs[0, 0]) ** 2)
    found = irm_penalty(batch, estimate="unbiased")
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0.0)


@DUMMIES
def test_domain_of_one_row_has_no_unbiased_estimate_and_counts_as_0(dummy):
    problem = Problem("binary", (1, 4, 1), weighted=False)
    alone = problem.take(range(1, 5), (4,))
    leaf = problem.features.clone().requires_grad_()
    problem.features = leaf
    found = irm_penalty(problem.batch(), dummy, "unbiased")
    expected = irm_penalty(alone.batch(), dummy, "unbiased") / 3
    torch.testing.assert_close(found.detach(), expected, rtol=1e-12, atol=0.0)
    (gradient,) = torch.autograd.grad(found, leaf)
    assert torch.isfinite(gradient).all()
    assert gradient[1:5].any()
    assert gradient[[0, 5]].abs().max() < 1e-14


@DUMMIES
@pytest.mark.parametrize("estimate", ["squared", "unbiased"])
def test_weight_is_the_number_of_repetitions(dummy, estimate):
    problem = Problem("classes", (3, 2), weighted=False)
    repeated = problem.take([0, 0, 0, 1, 2, 2, 3, 4], (6, 2))
    weight = torch.tensor([3.0, 1.0, 2.0, 1.0, 1.0])
    problem.rows.sample_weight.copy_(weight)
    torch.testing.assert_close(
        irm_penalty(problem.batch(), dummy, estimate),
        irm_penalty(repeated.batch(), dummy, estimate),
        rtol=1e-12,
        atol=0.0,
    )


@pytest.mark.parametrize("weight", [0.3, 1.0, 5.0])
def test_unbiased_of_equal_rows_is_their_squared_gradient(weight):
    # Whatever their weight: the product of any two of them is just that.
    problem = Problem("regression", (4,), weighted=False)
    equal = problem.take([0] * 4, (4,))
    equal.rows.sample_weight.fill_(weight)
    expected = (problem.row_gradients("scalar")[0] ** 2).mean()
    found = irm_penalty(equal.batch(), estimate="unbiased")
    np.testing.assert_allclose(found, expected, rtol=1e-10)


# The estimators.


def data(task, n=40, seed=0):
    rng = np.random.default_rng(seed)
    X, groups = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    signal = X @ [1.0, -1.0, 0.5] + 0.5 * groups
    if task == "regression":
        return X, signal, groups
    return X, np.digitize(signal, [-0.5, 0.8] if task == "classes" else [0.3]), groups


def objective(flat, task, X, y, groups, hidden, dummy, weight, alpha):
    """The objective of the estimator, written for autograd with an actual dummy."""
    n_outputs = 3 if task == "classes" else 1
    sizes = [3, *hidden, n_outputs]
    z, penalty_on_weights, start = torch.tensor(X), 0.0, 0
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        W = flat[start : start + n_in * n_out].reshape(n_in, n_out)
        start += n_in * n_out
        b = flat[start : start + n_out]
        start += n_out
        penalty_on_weights = penalty_on_weights + (W**2).sum()
        if layer < len(sizes) - 2:
            z = torch.tanh(z @ W + b)
    w, f = with_dummy(dummy, z, W, b)
    risks, penalties = [], []
    for domain in np.unique(groups):
        own = torch.tensor(groups == domain)
        if task == "classes":
            loss = functional.cross_entropy(f[own], torch.tensor(y)[own])
        elif task == "binary":
            loss = functional.binary_cross_entropy_with_logits(
                f[own, 0], torch.tensor(y)[own].double()
            )
        else:
            loss = functional.mse_loss(f[own, 0], torch.tensor(y)[own])
        (slope,) = torch.autograd.grad(loss, w, create_graph=True)
        risks.append(loss)
        penalties.append((scaled(dummy, slope) ** 2).sum())
    risk, penalty = torch.stack(risks).mean(), torch.stack(penalties).mean()
    total = risk + weight * penalty + alpha / 2 * penalty_on_weights
    return total / max(1.0, weight), penalty


@pytest.mark.parametrize("task", ["binary", "classes", "regression"])
@DUMMIES
@pytest.mark.parametrize("weight", [0.5, 20.0])
@pytest.mark.parametrize("hidden", [(), (4,)], ids=len)
def test_training_follows_the_annealed_objective(task, dummy, weight, hidden):
    X, y, groups = data(task)
    kw = {"hidden_layer_sizes": hidden, "activation": "tanh", "alpha": 0.02}
    kw |= {"optimizer": "sgd", "learning_rate_init": 0.02, "random_state": 0}
    kw |= {"learning_rate": "constant", "dummy": dummy, "penalty_weight": weight}
    if task == "regression":
        model = IRMRegressor(**kw, normalize_y=False)
    else:
        model = IRMClassifier(**kw)
    model.set_params(max_iter=2).fit(X, y, groups=groups)

    def flat_of(model):
        layers = zip(model.coefs_, model.intercepts_, strict=True)
        return np.concatenate([a.ravel() for layer in layers for a in layer])

    flat = torch.tensor(flat_of(model), requires_grad=True)
    model.set_params(warm_start=True, max_iter=7, penalty_anneal_iters=4)
    model.fit(X, y, groups=groups)
    penalties = []
    for iteration in range(7):
        now = min(1.0, weight) if iteration < 4 else weight
        value, penalty = objective(
            flat, task, X, y, groups, hidden, dummy, now, alpha=0.02
        )
        (gradient,) = torch.autograd.grad(value, flat)
        flat = (flat - 0.02 * gradient).detach().requires_grad_()
        penalties.append(penalty.item())
    np.testing.assert_allclose(model.history_["penalty"], penalties, rtol=1e-9)
    np.testing.assert_allclose(
        flat_of(model), flat.detach().numpy(), rtol=1e-9, atol=1e-12
    )


def test_adam_is_restarted_where_the_weight_changes():
    X, y, groups = data("binary")
    kw = {"hidden_layer_sizes": (4,), "random_state": 0, "learning_rate": "constant"}
    kw |= {"alpha": 0.0, "penalty_weight": 50.0, "penalty_anneal_iters": 5}
    before = IRMClassifier(max_iter=5, **kw).fit(X, y, groups=groups)
    moves = []
    for reset in (False, True):
        after = IRMClassifier(max_iter=6, reset_optimizer=reset, **kw)
        after.fit(X, y, groups=groups)
        moves.append(np.abs(after.coefs_[0] - before.coefs_[0]))
    # The first step of a fresh Adam has the length of the learning rate.
    np.testing.assert_allclose(moves[1], 0.01, rtol=1e-3)
    assert np.abs(moves[0] - 0.01).max() > 1e-3


def test_penalty_estimates_differ_by_the_variance_over_n():
    X, y, groups = data("binary")
    kw = {"hidden_layer_sizes": (), "max_iter": 20, "random_state": 0}
    model = IRMClassifier(penalty_weight=5.0, **kw).fit(X, y, groups=groups)
    values = {
        estimate: IRMClassifier(
            penalty_weight=5.0,
            penalty_estimate=estimate,
            warm_start=True,
            **(kw | {"max_iter": 1}),
        )
        for estimate in ("squared", "unbiased")
    }
    for estimate, other in values.items():
        other.coefs_, other.intercepts_ = model.coefs_, model.intercepts_
        other.classes_ = model.classes_
        values[estimate] = other.fit(X, y, groups=groups).history_["penalty"][0]
    f = model.decision_function(X)
    rows = f * (1 / (1 + np.exp(-f)) - y)
    excess = np.mean(
        [
            rows[groups == domain].var(ddof=1) / np.sum(groups == domain)
            for domain in range(3)
        ]
    )
    np.testing.assert_allclose(values["squared"] - values["unbiased"], excess)


def irm_minimum(X, y, groups, weight):
    """Minimize the scalar form, from least squares, in terms of second moments."""
    A = np.c_[X, np.ones(len(X))]
    moments = []
    for domain in np.unique(groups):
        own = groups == domain
        moments.append((A[own].T @ A[own], A[own].T @ y[own], y[own] @ y[own]))
        moments[-1] = tuple(m / own.sum() for m in moments[-1])

    def value(w):
        risks = [w @ S @ w - 2 * w @ c + v for S, c, v in moments]
        slopes = [2 * (w @ S @ w - w @ c) for S, c, _ in moments]
        return np.mean(risks) + weight * np.mean(np.square(slopes))

    def gradient(w):
        terms = []
        for S, c, _ in moments:
            slope = 2 * (w @ S @ w - w @ c)
            terms.append(2 * (S @ w - c) + weight * 2 * slope * 2 * (2 * S @ w - c))
        return np.mean(terms, 0)

    start = np.linalg.lstsq(A, y)[0]
    return minimize(value, start, jac=gradient, method="BFGS").fun


@pytest.mark.parametrize("setting", ["FEU", "FES"])
def test_structural_equations(setting):
    # The published errors, for a search over weights, are 0.26 and 0.33.
    X, y, groups, coef, unscramble = make_irm_sem(
        setting, return_coef=True, random_state=0
    )
    least_squares = LinearRegression(fit_intercept=False).fit(X, y).coef_
    assert min(irm_sem_errors(least_squares, coef, unscramble)) > 0.75
    # Of a linear model only the optimizer notices the whitening.
    pca = PCA(whiten=True).fit(X)
    model = IRMRegressor(
        hidden_layer_sizes=(),
        normalize_y=False,
        alpha=0.0,
        penalty_weight=0.0,
        warm_start=True,
        learning_rate_init=0.3,
        batch_size=None,
        max_iter=1500,
    )
    # From 0 this weight would not find its way out: least squares first.
    for weight in (0.0, 9.0):
        model.set_params(penalty_weight=weight)
        model.fit(pca.transform(X), y, groups=groups)
    found = pca.components_.T / np.sqrt(pca.explained_variance_) @ model.coef_
    causal, non_causal = irm_sem_errors(found, coef, unscramble)
    assert causal < 0.13
    assert non_causal < 0.18
    history = model.history_
    reached = history["risk"][-1].mean() + 9.0 * history["penalty"][-1]
    np.testing.assert_allclose(reached, irm_minimum(X, y, groups, 9.0), rtol=1e-3)


@pytest.mark.parametrize("name", ["Example3", "Example3s"])
def test_large_weights_leave_the_invariant_direction_and_an_affine_dummy_its_sign(name):
    """How the published error comes about: the mean of the oracle's is 0.0127."""
    draw = partial(make_linear_unit_test, name, n_domains=10, random_state=0)
    X, y, groups = draw(200)
    X_test, y_test, _ = draw(1000, sample=1, shuffle_spurious=True)
    models = {
        dummy: IRMClassifier(
            hidden_layer_sizes=(),
            dummy=dummy,
            penalty_weight=200.0,
            alpha=0.2,
            learning_rate_init=0.005,
            batch_size=None,
            max_iter=1000,
            random_state=0,
        ).fit(X, y, groups=groups)
        for dummy in ("affine", "scalar")
    }
    affine, scalar = (models[d].predict_proba(X_test)[:, 1] for d in models)
    oracle = norm.sf(np.sqrt(5.0))
    assert abs(np.mean((affine > 0.5) != y_test) - oracle) < 0.003
    assert np.abs(affine - 0.5).max() < 0.005
    # A factor alone finds that direction as well, with larger outputs, which the wrong
    # offset makes up for.
    assert abs(roc_auc_score(y_test, scalar) - norm.cdf(np.sqrt(10.0))) < 1e-3
    assert len(np.unique(scalar > 0.5)) == 1
    size = np.linalg.norm(models["scalar"].coef_) / np.linalg.norm(
        models["affine"].coef_
    )
    assert size > 10.0

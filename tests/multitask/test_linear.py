# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear multi-task models against formulas written down independently of them."""

import itertools
import warnings

import cvxpy
import numpy as np
import pytest

from skdg.multitask import MultiTaskLinearClassifier, MultiTaskLinearRegressor

COUPLINGS = ["mean", "graph", "clustered", "low_rank", "joint_feature", "dirty"]
CLASSIFIER_LOSSES = ["hinge", "squared_hinge", "logistic"]
REGRESSOR_LOSSES = ["squared", "epsilon_insensitive"]
LOSSES = CLASSIFIER_LOSSES + REGRESSOR_LOSSES


def make(loss, **params):
    if loss in REGRESSOR_LOSSES:
        return MultiTaskLinearRegressor(loss=loss, **params)
    return MultiTaskLinearClassifier(loss=loss, **params)


def draw(seed, loss):
    """Draw a problem of random size, with unequal tasks and labels out of order."""
    rng = np.random.RandomState(seed)
    n_tasks, d = rng.randint(2, 6), rng.randint(1, 6)
    sizes = rng.randint(1, 12, size=n_tasks)
    sizes[0] += 6
    names = rng.permutation(n_tasks)
    groups = np.repeat(names, sizes)
    X = rng.normal(size=(len(groups), d)) * rng.choice([0.3, 1.0, 3.0])
    W = rng.normal(size=d) + rng.normal(size=(n_tasks, d))
    y = (X * W[groups]).sum(1) + rng.normal(size=len(groups)) + rng.normal()
    if loss in CLASSIFIER_LOSSES:
        y = np.where(y > 0, 1, -1)
        # One task has one class only; all together have both.
        y[groups == names[-1]] = 1
        y[:2] = (1, -1)
    weight = rng.choice([0.5, 1.0, 2.0], size=len(y))
    graph = rng.choice([0.0, 0.0, 0.5, 2.0], size=(n_tasks, n_tasks))
    params = {
        "lambda_shared": 10 ** rng.uniform(-1, 1),
        "lambda_task": 10 ** rng.uniform(-1, 1),
        "fit_intercept": bool(rng.randint(2)),
        "graph": graph + graph.T,
        "n_clusters": rng.randint(1, 4),
    }
    return X, y, groups, weight, params


def penalty_of(coupling, W, lambda_shared, lambda_task, graph, n_clusters):
    """Write the penalty of the rows of W as its definition reads."""
    n_tasks, d = W.shape
    if coupling == "mean":
        w0 = cvxpy.Variable(d)
        own = sum(cvxpy.sum_squares(W[t] - w0) for t in range(n_tasks))
        return lambda_shared * cvxpy.sum_squares(w0) + lambda_task / n_tasks * own, []
    if coupling == "graph":
        total = lambda_shared / n_tasks * cvxpy.sum_squares(W)
        for s, t in itertools.combinations(range(n_tasks), 2):
            apart = cvxpy.sum_squares(W[s] - W[t])
            total += lambda_task / n_tasks**2 * graph[s, t] * apart
        return total, []
    if coupling == "clustered":
        # tr W' (eta I + M)^-1 W over the tasks' side, whatever the shape of W.
        eta = lambda_shared / lambda_task
        M = cvxpy.Variable((n_tasks, n_tasks), symmetric=True)
        constraints = [M >> 0, np.eye(n_tasks) - M >> 0]
        constraints += [cvxpy.trace(M) == min(n_clusters, n_tasks)]
        inside = cvxpy.matrix_frac(W, eta * np.eye(n_tasks) + M)
        return lambda_task / n_tasks * eta * (1 + eta) * inside, constraints
    if coupling == "low_rank":
        return lambda_task * cvxpy.normNuc(W), []
    if coupling == "joint_feature":
        return lambda_task * sum(cvxpy.norm2(W[:, j]) for j in range(d)), []
    P, Q = cvxpy.Variable(W.shape), cvxpy.Variable(W.shape)
    shared = sum(cvxpy.norm_inf(P[:, j]) for j in range(d))
    return lambda_shared * shared + lambda_task * cvxpy.sum(cvxpy.abs(Q)), [P + Q == W]


def dense_optimum(X, y, groups, weight, loss, coupling, **params):
    """Solve the formula as it stands, with one term per task."""
    n_tasks, d = groups.max() + 1, X.shape[1]
    fit_intercept = params.pop("fit_intercept")
    W, b = cvxpy.Variable((n_tasks, d)), cvxpy.Variable(n_tasks)
    objective, constraints = penalty_of(coupling, W, **params)
    if fit_intercept:
        b0 = cvxpy.Variable()
        own = cvxpy.sum_squares(b - b0)
        objective = objective + params["lambda_task"] / n_tasks * own
    else:
        constraints = [*constraints, b == 0]
    for t in range(n_tasks):
        rows = groups == t
        f, target = X[rows] @ W[t] + b[t], y[rows]
        cost = {
            "hinge": lambda f, z: cvxpy.pos(1 - cvxpy.multiply(z, f)),
            "squared_hinge": lambda f, z: cvxpy.pos(1 - cvxpy.multiply(z, f)) ** 2,
            "logistic": lambda f, z: cvxpy.logistic(-cvxpy.multiply(z, f)),
            "squared": lambda f, z: (z - f) ** 2,
            "epsilon_insensitive": lambda f, z: cvxpy.pos(cvxpy.abs(z - f) - 0.1),
        }[loss](f, target)
        objective = objective + weight[rows] @ cost
    problem = cvxpy.Problem(cvxpy.Minimize(objective), constraints)
    with warnings.catch_warnings():
        # It is said where 1e-8 is not reached. The comparison is what counts.
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        return problem.solve(solver="CLARABEL")


def loss_value(loss, y, f, weight):
    xi = {
        "hinge": lambda: np.maximum(0, 1 - y * f),
        "squared_hinge": lambda: np.maximum(0, 1 - y * f) ** 2,
        "logistic": lambda: np.log1p(np.exp(-y * f)),
        "squared": lambda: (y - f) ** 2,
        "epsilon_insensitive": lambda: np.maximum(0, np.abs(y - f) - 0.1),
    }[loss]()
    return weight @ xi


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_optimum_is_that_of_the_formula(coupling, loss):
    for seed in range(6):
        X, y, groups, weight, params = draw(seed, loss)
        model = make(loss, coupling=coupling, **params)
        model.fit(X, y, groups=groups, sample_weight=weight)
        optimum = dense_optimum(X, y, groups, weight, loss, coupling, **params)
        np.testing.assert_allclose(model.objective_, optimum, rtol=1e-6)
        assert 0 <= model.dual_gap_ < 1e-6
        # The coefficients are what the objective belongs to.
        own = model.task_coef_.reshape(model.n_domains_, -1)
        offsets = np.ravel(model.task_intercept_)
        f = (X * own[groups]).sum(1) + offsets[groups]
        value = loss_value(loss, y, f, weight)
        c = offsets - np.ravel(model.intercept_)
        value += params["lambda_task"] / model.n_domains_ * c @ c
        names = ("lambda_shared", "lambda_task", "graph", "n_clusters")
        penalty, constraints = penalty_of(
            coupling, cvxpy.Constant(own), **{name: params[name] for name in names}
        )
        problem = cvxpy.Problem(cvxpy.Minimize(penalty), constraints)
        value += problem.solve(solver="CLARABEL")
        np.testing.assert_allclose(value, model.objective_, rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("coupling", ["mean", "graph", "all pairs"])
def test_direct_solution_is_that_of_cvxpy(coupling, loss):
    for seed in range(8):
        X, y, groups, weight, params = draw(seed, loss)
        if coupling == "all pairs":
            params["graph"] = None
        params["coupling"] = "mean" if coupling == "mean" else "graph"
        direct = make(loss, **params)
        general = make(loss, **params, solver="CLARABEL")
        for model in (direct, general):
            model.fit(X, y, groups=groups, sample_weight=weight)
        assert (direct.solver_, general.solver_) == ("NEWTON", "CLARABEL")
        assert direct.dual_gap_ < 1e-10
        np.testing.assert_allclose(direct.objective_, general.objective_, rtol=1e-8)
        for name in ("coef_", "task_coef_", "intercept_", "task_intercept_"):
            found, expected = getattr(direct, name), getattr(general, name)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

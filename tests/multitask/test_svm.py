# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The multi-task support vector machine against independent formulations."""

import copy
import pickle
from functools import partial

import cvxpy
import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skdg import MultiTaskLinearClassifier, MultiTaskLinearSVC, MultiTaskLinearSVR
from skdg.metrics import GroupScorer

SINGLE = pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")


def draw(seed, *, regression=False):
    """Draw a problem of random size, with unequal tasks."""
    rng = np.random.RandomState(seed)
    n_tasks, d = rng.randint(1, 6), rng.randint(1, 6)
    sizes = rng.randint(1, 15, size=n_tasks)
    sizes[0] += 6
    groups = np.repeat(np.arange(n_tasks), sizes)
    X = rng.normal(size=(len(groups), d)) * rng.choice([0.3, 1.0, 3.0])
    W = rng.normal(size=d) + rng.normal(size=(n_tasks, d))
    f = (X * W[groups]).sum(1) + rng.normal(size=len(groups)) + rng.normal()
    if regression:
        y = f
    else:
        y = np.where(f > 0, 1, -1)
        # Some tasks have one class only; all together have both.
        y[groups == n_tasks - 1] = 1
        y[:2] = (1, -1)
    weight = rng.choice([0.5, 1.0, 2.0], size=len(y))
    params = {
        "lambda_shared": 10 ** rng.uniform(-2, 2),
        "lambda_task": 10 ** rng.uniform(-2, 2),
        "fit_intercept": bool(rng.randint(2)),
    }
    return X, y, groups, weight, params


def dense_optimum(X, y, groups, weight, loss, epsilon=None, **params):
    """Solve the formula as it stands: w_0, v_t and one term per task."""
    n_tasks, d = groups.max() + 1, X.shape[1]
    w0, b0 = cvxpy.Variable(d), cvxpy.Variable()
    V, c = cvxpy.Variable((n_tasks, d)), cvxpy.Variable(n_tasks)
    objective = params["lambda_shared"] * cvxpy.sum_squares(w0)
    objective += params["lambda_task"] / n_tasks * cvxpy.sum_squares(V)
    constraints = []
    if params["fit_intercept"]:
        objective += params["lambda_task"] / n_tasks * cvxpy.sum_squares(c)
    else:
        constraints = [b0 == 0, c == 0]
    for t in range(n_tasks):
        rows = groups == t
        f = X[rows] @ (w0 + V[t]) + b0 + c[t]
        if epsilon is None:
            xi = cvxpy.pos(1 - cvxpy.multiply(y[rows], f))
        else:
            xi = cvxpy.pos(cvxpy.abs(y[rows] - f) - epsilon)
        if loss.startswith("squared"):
            xi = cvxpy.square(xi)
        objective += weight[rows] @ xi
    problem = cvxpy.Problem(cvxpy.Minimize(objective), constraints)
    tight = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    problem.solve(solver="CLARABEL", **tight)
    return problem.value


def objective(model, X, y, groups, weight):
    """Evaluate the formula at a fitted binary or regression model."""
    regression = isinstance(model, MultiTaskLinearSVR)
    shared = np.ravel(model.coef_)
    own = model.task_coef_.reshape(model.n_domains_, -1)
    offsets = np.ravel(model.task_intercept_)
    f = (X * own[groups]).sum(1) + offsets[groups]
    if regression:
        xi = np.maximum(0, np.abs(y - f) - model.epsilon)
    else:
        xi = np.maximum(0, 1 - y * f)
    if model.loss.startswith("squared"):
        xi = xi**2
    deviations = ((own - shared) ** 2).sum()
    deviations += ((offsets - np.ravel(model.intercept_)) ** 2).sum()
    return (
        weight @ xi
        + model.lambda_task / model.n_domains_ * deviations
        + model.lambda_shared * shared @ shared
    )


@SINGLE
@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_classifier_reaches_the_optimum_of_the_dense_formulation(loss, block):
    for seed in range(20 * block, 20 * block + 20):
        X, y, groups, weight, params = draw(seed)
        model = MultiTaskLinearSVC(loss=loss, **params)
        model.fit(X, y, groups=groups, sample_weight=weight)
        optimum = dense_optimum(X, y, groups, weight, loss, **params)
        np.testing.assert_allclose(model.objective_, optimum, rtol=1e-6)
        np.testing.assert_allclose(
            objective(model, X, y, groups, weight), model.objective_, rtol=1e-9
        )
        assert 0 <= model.dual_gap_ < 1e-7


@SINGLE
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_regressor_reaches_the_optimum_of_the_dense_formulation(loss):
    for seed in range(50):
        X, y, groups, weight, params = draw(seed, regression=True)
        model = MultiTaskLinearSVR(loss=loss, epsilon=0.2, **params)
        model.fit(X, y, groups=groups, sample_weight=weight)
        optimum = dense_optimum(X, y, groups, weight, loss, 0.2, **params)
        np.testing.assert_allclose(model.objective_, optimum, rtol=1e-6)
        np.testing.assert_allclose(
            objective(model, X, y, groups, weight), model.objective_, rtol=1e-9
        )
        assert 0 <= model.dual_gap_ < 1e-7


def tasks(seed=0, n_tasks=4, size=30, d=3):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_tasks), size)
    X = rng.normal(size=(len(groups), d))
    W = rng.normal(size=d) + 0.7 * rng.normal(size=(n_tasks, d))
    f = (X * W[groups]).sum(1) + 0.3 * rng.normal(size=len(groups))
    return X, np.where(f > 0, 1, -1), groups


def test_deviations_sum_to_mu_times_the_shared_part():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC(lambda_shared=0.3, lambda_task=2.0)
    model.fit(X, y, groups=groups)
    deviations = (model.task_coef_ - model.coef_).sum(axis=0)
    mu = 4 * 0.3 / 2.0
    np.testing.assert_allclose(deviations, mu * model.coef_, rtol=1e-6, atol=1e-8)
    offsets = (model.task_intercept_ - model.intercept_).sum(axis=0)
    np.testing.assert_allclose(offsets, 0.0, atol=1e-7)


def test_large_lambda_task_is_one_pooled_machine():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC(lambda_shared=1.0, lambda_task=1e7)
    model.fit(X, y, groups=groups)
    # |w|^2 + sum of losses is 2 * (|w|^2 / 2 + C * sum of losses) with C = 1/2.
    pooled = SVC(kernel="linear", C=0.5, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, pooled.coef_, atol=1e-4)
    np.testing.assert_allclose(model.intercept_, pooled.intercept_, atol=1e-4)
    np.testing.assert_allclose(
        model.task_coef_, np.tile(model.coef_, (4, 1, 1)), atol=1e-4
    )


def test_large_lambda_shared_is_one_machine_per_task():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC(lambda_shared=1e7, fit_intercept=False)
    model.fit(X, y, groups=groups)
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-5)
    for t in range(4):
        rows = groups == t
        # The offset is a feature here, so fit_intercept=False on both sides.
        own = LinearSVC(
            loss="hinge", C=4 / 2, fit_intercept=False, tol=1e-9, max_iter=10**6
        ).fit(X[rows], y[rows])
        np.testing.assert_allclose(model.task_coef_[t], own.coef_, atol=1e-4)


def feature_map(X, groups, mu):
    n, d = X.shape
    mapped = np.zeros((n, d * (groups.max() + 2)))
    mapped[:, :d] = X / np.sqrt(mu)
    for t in np.unique(groups):
        mapped[groups == t, d * (t + 1) : d * (t + 2)] = X[groups == t]
    return mapped


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_one_machine_on_the_feature_map_has_the_same_optimum(loss):
    X, y, groups = tasks()
    lambda_shared, lambda_task = 0.5, 3.0
    model = MultiTaskLinearSVC(
        loss=loss,
        lambda_shared=lambda_shared,
        lambda_task=lambda_task,
        fit_intercept=False,
    ).fit(X, y, groups=groups)
    mu = 4 * lambda_shared / lambda_task
    mapped = feature_map(X, groups, mu)
    one = LinearSVC(
        loss=loss, C=4 / (2 * lambda_task), fit_intercept=False, tol=1e-10,
        max_iter=10**7, dual=True, random_state=0,
    ).fit(mapped, y)  # fmt: skip
    w = one.coef_[0].reshape(5, -1)
    np.testing.assert_allclose(model.coef_[0], w[0] / np.sqrt(mu), atol=2e-5)
    for t in range(4):
        own = w[0] / np.sqrt(mu) + w[t + 1]
        np.testing.assert_allclose(model.task_coef_[t, 0], own, atol=2e-5)


def test_several_classes_are_one_against_the_rest():
    X, y, groups = tasks()
    labels = np.where(X[:, 0] > 0.5, "c", np.where(y > 0, "b", "a"))
    model = MultiTaskLinearSVC().fit(X, labels, groups=groups)
    for index, label in enumerate("abc"):
        one = MultiTaskLinearSVC().fit(X, labels == label, groups=groups)
        np.testing.assert_allclose(model.coef_[index], one.coef_[0], atol=1e-7)
        np.testing.assert_allclose(
            model.task_coef_[:, index], one.task_coef_[:, 0], atol=1e-7
        )
        assert model.objective_[index] == pytest.approx(one.objective_)
    scores = model.decision_function(X, groups=groups)
    expected = model.classes_[scores.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X, groups=groups), expected)


@pytest.mark.parametrize("Estimator", [MultiTaskLinearSVC, MultiTaskLinearSVR])
def test_sparse_and_dense_agree(Estimator):
    X, y, groups = tasks()
    X[np.abs(X) < 0.5] = 0
    dense = Estimator().fit(X, y, groups=groups)
    thin = Estimator().fit(sparse.csr_array(X), y, groups=groups)
    np.testing.assert_allclose(thin.task_coef_, dense.task_coef_, atol=1e-8)
    np.testing.assert_allclose(
        thin.predict(sparse.csr_array(X), groups=groups),
        dense.predict(X, groups=groups),
    )


def test_weights_repeat_rows_and_classes():
    X, y, groups = tasks()
    weight = np.random.RandomState(0).randint(0, 4, size=len(y))
    weighted = MultiTaskLinearSVC().fit(X, y, groups=groups, sample_weight=weight)
    repeated = MultiTaskLinearSVC().fit(
        *(np.repeat(a, weight, axis=0) for a in (X, y)),
        groups=np.repeat(groups, weight),
    )
    np.testing.assert_allclose(weighted.task_coef_, repeated.task_coef_, atol=1e-7)
    by_class = MultiTaskLinearSVC(class_weight={1: 3, -1: 1})
    by_row = MultiTaskLinearSVC()
    by_class.fit(X, y, groups=groups)
    by_row.fit(X, y, groups=groups, sample_weight=np.where(y == 1, 3, 1))
    np.testing.assert_array_equal(by_class.task_coef_, by_row.task_coef_)


def test_only_support_vectors_matter():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC().fit(X, y, groups=groups)
    kept = model.support_
    assert 0 < len(kept) < len(y)
    margins = y * model.decision_function(X, groups=groups)
    others = np.setdiff1d(np.arange(len(y)), kept)
    assert (margins[others] > 1 - 1e-6).all()
    again = MultiTaskLinearSVC().fit(X[kept], y[kept], groups=groups[kept])
    np.testing.assert_allclose(again.task_coef_, model.task_coef_, atol=1e-6)


def test_known_domains_have_their_own_model_and_others_the_shared_one():
    X, y, groups = tasks()
    names = np.array(["north", "south", "east", "west"])[groups]
    model = MultiTaskLinearSVR().fit(X, y, groups=names)
    assert model.domains_.tolist() == ["east", "north", "south", "west"]
    shared = X @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.predict(X), shared)
    mixed = np.where(names == "east", "mars", names)
    predicted = model.predict(X, groups=mixed)
    for index, name in enumerate(model.domains_):
        rows = names == name
        own = X[rows] @ model.task_coef_[index] + model.task_intercept_[index]
        expected = shared[rows] if name == "east" else own
        np.testing.assert_allclose(predicted[rows], expected)


def test_groups_reach_fit_and_predict_in_a_search():
    X, y, groups = tasks(size=40)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), MultiTaskLinearSVC()),
            {"multitasklinearsvc__lambda_task": [0.1, 1e6]},
            scoring=GroupScorer("accuracy", reduction="mean"),
            cv=GroupKFold(2),
        ).fit(X, y, groups=groups)
        best = search.best_estimator_
        assert best[-1].n_domains_ == 4
        by_domain = best.predict(X, groups=groups)
        scaled = best[0].transform(X)
        np.testing.assert_array_equal(by_domain, best[-1].predict(scaled, groups))


@pytest.mark.parametrize("name", ["clarabel", "OSQP", "HIGHS"])
def test_other_solvers_find_the_same_optimum(name):
    X, y, groups = tasks()
    auto = MultiTaskLinearSVC().fit(X, y, groups=groups)
    assert auto.solver_ == "PIQP"
    options = {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iter": 10**6}
    model = MultiTaskLinearSVC(
        solver=name, solver_options=options if name == "OSQP" else None
    ).fit(X, y, groups=groups)
    assert model.solver_ == name.upper()
    assert model.objective_ == pytest.approx(auto.objective_, rel=1e-6)


def test_solver_that_stops_short_warns_with_the_gap():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC(solver_options={"max_iter": 2})
    with pytest.warns(ConvergenceWarning, match=r"up to .* above it"):
        model.fit(X, y, groups=groups)
    assert model.dual_gap_ > 1e-6
    optimum = MultiTaskLinearSVC().fit(X, y, groups=groups).objective_
    # The certificate holds: the true distance is not above it.
    assert model.objective_ - optimum <= model.dual_gap_ * model.objective_


class PanicException(BaseException):
    """Named as what Clarabel raises where its own checks fail."""


@pytest.mark.parametrize("kind", [cvxpy.SolverError, PanicException])
def test_solver_that_fails_is_an_error_with_its_words(kind, monkeypatch):
    X, y, groups = tasks()

    def fail(self, *args, **kwargs):
        raise kind("the matrix went away")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    with pytest.raises(
        RuntimeError, match=r"CLARABEL failed.*the matrix went away.*Penalties"
    ):
        MultiTaskLinearSVC().fit(X, y, groups=groups)


def test_clarabel_takes_over_where_the_default_fails(monkeypatch):
    X, y, groups = tasks()
    optimum = MultiTaskLinearSVC().fit(X, y, groups=groups)
    solve = cvxpy.Problem.solve

    def fail(self, *args, solver, **kwargs):
        if solver == "PIQP":
            raise cvxpy.SolverError("the matrix went away")
        return solve(self, *args, solver=solver, **kwargs)

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    for model in (MultiTaskLinearSVC(), MultiTaskLinearClassifier(loss="hinge")):
        model.fit(X, y, groups=groups)
        assert model.solver_ == "CLARABEL"
        assert model.objective_ == pytest.approx(optimum.objective_, rel=1e-6)
    # A solver that was asked for, or its options, are for the one solver.
    for params in ({"solver": "PIQP"}, {"solver_options": {"verbose": False}}):
        for Estimator in (
            MultiTaskLinearSVC,
            partial(MultiTaskLinearClassifier, loss="hinge"),
        ):
            with pytest.raises(RuntimeError, match=r"PIQP failed.*matrix went away"):
                Estimator(**params).fit(X, y, groups=groups)


def test_numbers_that_are_not_finite_are_no_solution(monkeypatch):
    X, y, groups = tasks()
    solve = cvxpy.Problem.solve

    # As PIQP does with constant columns of 1e12, where it stops at its limit.
    def overflow(self, *args, solver, **kwargs):
        solve(self, *args, solver=solver, **kwargs)
        if solver == "PIQP":
            for variable in self.variables():
                variable.save_value(np.full(variable.shape, np.nan))

    monkeypatch.setattr(cvxpy.Problem, "solve", overflow)
    for make in (MultiTaskLinearSVC, partial(MultiTaskLinearClassifier, loss="hinge")):
        assert make().fit(X, y, groups=groups).solver_ == "CLARABEL"
        with pytest.raises(RuntimeError, match=r"PIQP left no sol.*Standardize X"):
            make(solver="PIQP").fit(X, y, groups=groups)


def test_each_solver_that_found_a_solution_is_named(monkeypatch):
    X, _, groups = tasks()
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    solve, calls = cvxpy.Problem.solve, []

    def fail_once(self, *args, solver, **kwargs):
        calls.append(solver)
        if len(calls) == 2:
            raise cvxpy.SolverError("the matrix went away")
        return solve(self, *args, solver=solver, **kwargs)

    monkeypatch.setattr(cvxpy.Problem, "solve", fail_once)
    model = MultiTaskLinearSVC().fit(X, y, groups=groups)
    assert calls == ["PIQP", "PIQP", "CLARABEL", "PIQP"]
    assert model.solver_ == "PIQP, CLARABEL"


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1e12])
@pytest.mark.parametrize("Estimator", [MultiTaskLinearSVC, MultiTaskLinearSVR])
def test_the_unit_of_the_objective_does_not_matter(Estimator, unit):
    X, y, groups = tasks()
    model = Estimator().fit(X, y, groups=groups)
    other = Estimator(lambda_shared=0.01 * unit, lambda_task=unit)
    other.fit(X, y, groups=groups, sample_weight=np.full(len(X), unit))
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lambda_task": -1.0}, "lambda_task"),
        ({"lambda_shared": float("nan")}, "lambda_shared"),
        ({"solver": "magic"}, "solver='magic' is not a solver that cvxpy knows"),
        ({"loss": "logistic"}, "loss"),
    ],
)
def test_bad_parameters_are_named(params, message):
    X, y, groups = tasks()
    model = MultiTaskLinearSVC(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, groups=groups)
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "solver_")


def test_failed_refit_leaves_the_model_as_it_was():
    X, y, groups = tasks()
    model = MultiTaskLinearSVC().fit(X, y, groups=groups)
    before = copy.deepcopy(vars(model))
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X[:, :2], np.ones(len(y)), groups=groups)
    with pytest.raises(ValueError, match="119 labels, X has 120 rows"):
        model.fit(X, y, groups=groups[1:])
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(vars(model)[name], value)


def test_pickle_and_copy_predict_the_same_and_input_is_unchanged():
    X, y, groups = tasks()
    inputs = [a.copy() for a in (X, y, groups)]
    model = MultiTaskLinearSVC().fit(X, y, groups=groups)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(
            other.decision_function(X, groups=groups),
            model.decision_function(X, groups=groups),
        )
    for before, after in zip(inputs, (X, y, groups), strict=True):
        np.testing.assert_array_equal(before, after)

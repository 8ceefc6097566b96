# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The unit of the objective, that of weights and penalties, changes no model."""

import functools

import cvxpy
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skdg.multitask import (
    MultiTaskLinearClassifier,
    MultiTaskLinearRegressor,
    MultiTaskLinearSVC,
    MultiTaskLinearSVR,
)

COUPLINGS = ["mean", "graph", "clustered", "low_rank", "joint_feature", "dirty"]
CASES = [
    *(
        (Estimator, {"loss": loss, "coupling": coupling})
        for Estimator, losses in [
            (MultiTaskLinearClassifier, ["logistic", "hinge", "squared_hinge"]),
            (MultiTaskLinearRegressor, ["squared", "epsilon_insensitive"]),
        ]
        for loss in losses
        for coupling in COUPLINGS
    ),
    (MultiTaskLinearSVC, {"loss": "hinge"}),
    (MultiTaskLinearSVC, {"loss": "squared_hinge"}),
    (MultiTaskLinearSVR, {"loss": "epsilon_insensitive"}),
    (MultiTaskLinearSVR, {"loss": "squared_epsilon_insensitive"}),
]
FITTED = ("coef_", "intercept_", "task_coef_", "task_intercept_")


def data(Estimator):
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(4), 15)
    X = rng.normal(size=(60, 3))
    W = rng.normal(size=3) + 0.7 * rng.normal(size=(4, 3))
    y = (X * W[groups]).sum(1) + 0.5 * rng.normal(size=60)
    regressor = Estimator in (MultiTaskLinearRegressor, MultiTaskLinearSVR)
    return X, y if regressor else y > 0, groups, rng.choice([0.5, 1.0, 2.0], size=60)


@functools.cache
def fitted(case, unit):
    Estimator, params = CASES[case]
    X, y, groups, weight = data(Estimator)
    model = Estimator(lambda_shared=0.7 * unit, lambda_task=0.5 * unit, **params)
    return model.fit(X, y, groups=groups, sample_weight=unit * weight)


def assert_same(model, expected, unit=1.0, rtol=1e-8):
    for name in FITTED:
        found, wanted = np.asarray(getattr(model, name)), getattr(expected, name)
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    assert model.objective_ == pytest.approx(unit * expected.objective_, rel=rtol)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e12])
@pytest.mark.parametrize(
    "case", range(len(CASES)), ids=[f"{E.__name__}-{p}" for E, p in CASES]
)
def test_the_unit_of_weights_and_penalties_changes_nothing(case, unit):
    model, expected = fitted(case, unit), fitted(case, 1.0)
    assert_same(model, expected, unit)
    assert model.dual_gap_ < 1e-6
    if hasattr(expected, "support_"):
        np.testing.assert_array_equal(model.support_, expected.support_)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_solver_that_stops_short_says_so_in_any_unit(coupling):
    X, y, groups, weight = data(MultiTaskLinearClassifier)
    gaps = []
    for unit in (1e-12, 1.0, 1e12):
        model = MultiTaskLinearClassifier(
            loss="hinge",
            coupling=coupling,
            lambda_shared=0.7 * unit,
            lambda_task=0.5 * unit,
            solver="CLARABEL",
            solver_options={"max_iter": 2},
        )
        with pytest.warns(ConvergenceWarning, match="stopped short of the optimum"):
            model.fit(X, y, groups=groups, sample_weight=unit * weight)
        gaps.append(model.dual_gap_)
    np.testing.assert_allclose(gaps, gaps[1], rtol=1e-6)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_many_tiny_weights_do_not_set_the_unit(case):
    Estimator, params = CASES[case]
    X, y, groups, weight = data(Estimator)
    tiny = np.arange(60) % 5 < 3
    params = {"lambda_shared": 0.7, "lambda_task": 0.5, **params}
    model, expected = (
        Estimator(**params).fit(
            X, y, groups=groups, sample_weight=np.where(tiny, small, weight)
        )
        for small in (1e-12, 0.0)
    )
    assert_same(model, expected)


# The logistic loss of a row goes on to fall with its weight.
HUGE = [
    case
    for case, (_, params) in enumerate(CASES)
    if params.get("coupling", "mean") == "mean" and params["loss"] != "logistic"
]


@pytest.mark.parametrize("case", HUGE)
def test_one_huge_weight_does_not_set_the_unit(case):
    Estimator, params = CASES[case]
    X, y, groups, weight = data(Estimator)
    model, expected = (
        Estimator(lambda_shared=0.7, lambda_task=0.5, **params).fit(
            X,
            y,
            groups=groups,
            sample_weight=np.where(np.arange(60) == 3, huge, weight),
        )
        for huge in (1e9, 1e6)
    )
    # The row is met already, and costs no more if it weighs more.
    assert_same(model, expected, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2, 169])  # with 169 PIQP goes far astray
@pytest.mark.parametrize("Estimator", [MultiTaskLinearSVC, MultiTaskLinearSVR])
def test_weights_that_are_tiny_beside_penalties_leave_one_offset(Estimator, seed):
    rng = np.random.RandomState(seed)
    X, groups = rng.normal(size=(5, 3)), rng.randint(3, size=5)
    weight = 1e-12 * rng.uniform(0.5, 2.0, size=5)
    y = rng.normal(size=5)
    if Estimator is MultiTaskLinearSVC:
        y = np.where(y > np.median(y), 1.0, -1.0)
        costs, corners = lambda b: np.maximum(0, 1 - y * b), y
    else:
        costs, corners = lambda b: np.maximum(0, np.abs(y - b) - 0.1), y + 0.1
        corners = np.append(corners, y - 0.1)
    model = Estimator().fit(X, y, groups=groups, sample_weight=weight)
    # The objective in b alone is linear between corners.
    optimum = min(weight @ costs(b) for b in corners)
    assert model.objective_ == pytest.approx(optimum, rel=1e-5)
    assert model.dual_gap_ < 1e-6


@pytest.mark.parametrize("case", range(len(CASES) - 4, len(CASES)))
def test_second_solver_takes_over_where_the_first_stops_short(case, monkeypatch):
    expected = fitted(case, 1.0)
    Estimator, params = CASES[case]
    X, y, groups, weight = data(Estimator)
    solve = cvxpy.Problem.solve

    def stop_short(self, *args, solver, **kwargs):
        limit = {"max_iter": 3} if solver == "PIQP" else {}
        return solve(self, *args, solver=solver, **kwargs, **limit)

    monkeypatch.setattr(cvxpy.Problem, "solve", stop_short)
    params = {"lambda_shared": 0.7, "lambda_task": 0.5, **params}
    model = Estimator(**params).fit(X, y, groups=groups, sample_weight=weight)
    assert (model.solver_, expected.solver_) == ("CLARABEL", "PIQP")
    assert_same(model, expected)
    # Whoever chose the solver learns how far it came.
    with pytest.warns(ConvergenceWarning, match="PIQP stopped short"):
        model.set_params(solver="PIQP").fit(X, y, groups=groups, sample_weight=weight)


def test_a_failed_solver_says_what_penalties_are_too_much(monkeypatch):
    X, y, groups, _ = data(MultiTaskLinearSVC)
    # What CLARABEL says of some penalties of 1e12.
    monkeypatch.setattr(cvxpy.Problem, "status", property(lambda self: "infeasible"))
    for case in (0, len(CASES) - 3):
        Estimator, params = CASES[case]
        model = Estimator(solver="CLARABEL", **params)
        with pytest.raises(RuntimeError, match=r"'infeasible'.*far below 1e12 times"):
            model.fit(X, y, groups=groups)

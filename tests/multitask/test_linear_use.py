# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear multi-task models: limits, equivalences, and what users meet."""

import copy
import itertools
import pickle
import re

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold

from skdg.multitask import (
    MultiTaskLinearClassifier,
    MultiTaskLinearRegressor,
    MultiTaskLinearSVC,
    MultiTaskLinearSVR,
    _coupled,
    _linear_solve,
)

BOTH = [MultiTaskLinearClassifier, MultiTaskLinearRegressor]
COUPLINGS = ["mean", "graph", "clustered", "low_rank", "joint_feature", "dirty"]
GRAPH = np.array(
    [[0, 1, 0, 0], [1, 0, 0.5, 0], [0, 0.5, 0, 2], [0, 0, 2, 0]], dtype=float
)


def tasks(seed=0, n_tasks=4, size=30, d=3):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_tasks), size)
    X = rng.normal(size=(len(groups), d))
    W = rng.normal(size=d) + 0.7 * rng.normal(size=(n_tasks, d))
    f = (X * W[groups]).sum(1) + 0.3 * rng.normal(size=len(groups))
    return X, f, groups


def data(Estimator, **params):
    X, f, groups = tasks(**params)
    return X, f if Estimator is MultiTaskLinearRegressor else f > 0, groups


def tasks_of(model):
    return model.task_coef_.reshape(model.n_domains_, -1)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_mean_is_the_support_vector_classifier(loss):
    X, f, groups = tasks()
    params = {"lambda_shared": 0.3, "lambda_task": 2.0, "loss": loss}
    one = MultiTaskLinearClassifier(**params).fit(X, f > 0, groups=groups)
    other = MultiTaskLinearSVC(**params).fit(X, f > 0, groups=groups)
    assert one.solver_ == other.solver_
    for name in ("coef_", "task_coef_", "intercept_", "task_intercept_", "objective_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_mean_is_the_support_vector_regressor():
    X, f, groups = tasks()
    params = {"lambda_shared": 0.3, "lambda_task": 2.0, "epsilon": 0.2}
    one = MultiTaskLinearRegressor(loss="epsilon_insensitive", **params)
    other = MultiTaskLinearSVR(**params)
    one.fit(X, f, groups=groups)
    other.fit(X, f, groups=groups)
    np.testing.assert_array_equal(one.task_coef_, other.task_coef_)
    squared = MultiTaskLinearRegressor(lambda_shared=0.3, lambda_task=2.0)
    other.set_params(loss="squared_epsilon_insensitive", epsilon=0.0)
    squared.fit(X, f, groups=groups)
    other.fit(X, f, groups=groups)
    assert squared.objective_ == pytest.approx(other.objective_, rel=1e-9)


@pytest.mark.parametrize("coupling", ["mean", "graph"])
def test_large_lambda_task_is_one_pooled_ridge(coupling):
    X, y, groups = tasks()
    model = MultiTaskLinearRegressor(
        coupling=coupling, lambda_shared=3.0, lambda_task=1e9
    ).fit(X, y, groups=groups)
    pooled = Ridge(alpha=3.0, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, pooled.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, pooled.intercept_, atol=1e-6)
    np.testing.assert_allclose(
        model.task_coef_, np.tile(model.coef_, (4, 1)), atol=1e-6
    )


def test_large_lambda_task_is_one_pooled_logistic_regression():
    X, f, groups = tasks()
    y = f > 0
    model = MultiTaskLinearClassifier(lambda_shared=3.0, lambda_task=1e9)
    model.fit(X, y, groups=groups)
    # |w|^2 lambda is |w|^2 / 2 with C = 1 / (2 lambda).
    pooled = LogisticRegression(C=1 / 6, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, pooled.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, pooled.intercept_, atol=1e-5)


@pytest.mark.parametrize("coupling", ["mean", "graph", "clustered"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_no_coupling_is_one_model_per_task(coupling, loss):
    X, f, groups = tasks()
    # Each w_t has the weight 2 / 4 in all three.
    weights = {
        "mean": {"lambda_shared": 1e9, "lambda_task": 2.0},
        "graph": {"lambda_shared": 2.0, "lambda_task": 1e-9},
        "clustered": {"lambda_shared": 2.0, "lambda_task": 1.0, "n_clusters": 4},
    }[coupling]
    shared = {"coupling": coupling, "fit_intercept": False}
    if loss == "squared":
        model = MultiTaskLinearRegressor(**weights, **shared).fit(X, f, groups=groups)
        single = Ridge(alpha=0.5, fit_intercept=False, tol=1e-12)
    else:
        f = f > 0
        model = MultiTaskLinearClassifier(**weights, **shared).fit(X, f, groups=groups)
        single = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10)
    for t in range(4):
        rows = groups == t
        own = np.ravel(single.fit(X[rows], f[rows]).coef_)
        np.testing.assert_allclose(tasks_of(model)[t], own, atol=2e-5)


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("ratio", [1e8, 1e10, 1e12])
def test_clustered_reaches_the_limit_of_one_model_per_task(ratio, Estimator):
    X, y, groups = data(Estimator)
    # The graph has this limit too, and Newton's method solves it.
    for shared, task in [(2.0, 2.0 / ratio), (2.0 * ratio, 2.0)]:
        params = {"lambda_shared": shared, "lambda_task": task}
        one, other = (
            Estimator(coupling=coupling, **params).fit(X, y, groups=groups)
            for coupling in ("clustered", "graph")
        )
        for name in ("task_coef_", "task_intercept_"):
            found, expected = getattr(one, name), getattr(other, name)
            np.testing.assert_allclose(found, expected, atol=1e-4)
        assert one.objective_ == pytest.approx(other.objective_, rel=1e-7)


def test_weights_near_zero_are_least_squares_per_task():
    X, y, groups = tasks()
    expected = np.stack(
        [np.linalg.lstsq(X[groups == t], y[groups == t])[0] for t in range(4)]
    )
    for coupling in COUPLINGS:
        model = MultiTaskLinearRegressor(
            coupling=coupling,
            lambda_shared=1e-6,
            lambda_task=1e-6,
            fit_intercept=False,
        ).fit(X, y, groups=groups)
        np.testing.assert_allclose(model.task_coef_, expected, atol=1e-4)


def test_graph_of_all_pairs_is_mean_by_lemma_2_2():
    X, y, groups = tasks()
    shared, task = 0.7, 3.0
    mean = MultiTaskLinearRegressor(
        lambda_shared=shared, lambda_task=task, fit_intercept=False
    ).fit(X, y, groups=groups)
    total = shared + task
    for graph in (None, np.ones((4, 4)), sparse.csr_array(np.ones((4, 4)))):
        model = MultiTaskLinearRegressor(
            coupling="graph",
            graph=graph,
            lambda_shared=shared * task / total,
            lambda_task=task**2 / total,
            fit_intercept=False,
        ).fit(X, y, groups=groups)
        np.testing.assert_allclose(model.task_coef_, mean.task_coef_, atol=1e-10)
        np.testing.assert_allclose(model.coef_, mean.task_coef_.mean(axis=0))
        assert model.objective_ == pytest.approx(mean.objective_)


def test_graph_with_two_parts_has_two_models():
    X, y, groups = tasks()
    graph = np.kron(np.eye(2), np.ones((2, 2)))
    model = MultiTaskLinearRegressor(
        coupling="graph", graph=graph, lambda_task=1e8, lambda_shared=0.4,
        fit_intercept=False,
    ).fit(X, y, groups=groups)  # fmt: skip
    for pair in (0, 2):
        rows = (groups == pair) | (groups == pair + 1)
        # Two tasks of four, each with the weight 0.4 / 4.
        pooled = Ridge(alpha=0.2, fit_intercept=False, tol=1e-12).fit(X[rows], y[rows])
        for t in (pair, pair + 1):
            np.testing.assert_allclose(model.task_coef_[t], pooled.coef_, atol=1e-5)


def test_clustered_is_a_relaxation_over_all_clusterings():
    X, y, groups = tasks()
    params = {"lambda_task": 50.0, "lambda_shared": 5.0}
    for n_clusters in (1, 2, 3, 4, 9):
        relaxed = MultiTaskLinearRegressor(
            coupling="clustered", n_clusters=n_clusters, **params
        ).fit(X, y, groups=groups)
        for labels in itertools.product(range(n_clusters), repeat=4):
            # A graph with weight T / (size of the cluster) has the distances from the
            # mean of the cluster as its penalty.
            same = np.equal.outer(labels, labels)
            exact = MultiTaskLinearRegressor(
                coupling="graph", graph=4 * same / same.sum(axis=1), **params
            ).fit(X, y, groups=groups)
            assert relaxed.objective_ <= exact.objective_ * (1 + 1e-7)
            if n_clusters >= 4 and len(set(labels)) == 4:
                assert relaxed.objective_ == pytest.approx(exact.objective_)
            if n_clusters > 4 and labels[0] > 0:
                break


def test_clustered_finds_as_many_dimensions_as_clusters():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(8), 60)
    centers = np.array([[2.0, -1.0, 0.5, 1.0], [-1.0, -2.0, 2.0, 0.5]])
    X = rng.normal(size=(480, 4))
    y = (X * centers[groups % 2]).sum(1) + rng.normal(size=480)
    model = MultiTaskLinearRegressor(
        coupling="clustered", lambda_task=3000.0, lambda_shared=100.0
    ).fit(X, y, groups=groups)
    singular = np.linalg.svd(model.task_coef_)[1]
    assert singular[1] > 2.0
    assert singular[2] < 0.1 * singular[1]


def test_low_rank_has_low_rank_and_vanishes():
    X, y, groups = tasks(n_tasks=6, d=5)
    params = {"coupling": "low_rank", "fit_intercept": False}
    S = np.stack([X[groups == t].T @ y[groups == t] for t in range(6)])
    # 0 is the solution from the largest singular value of the gradient there on.
    largest = 2 * np.linalg.norm(S, 2)
    some = MultiTaskLinearRegressor(lambda_task=0.3 * largest, **params)
    singular = np.linalg.svd(some.fit(X, y, groups=groups).task_coef_)[1]
    assert singular[0] > 0.1
    assert singular[-1] < 1e-5 * singular[0]
    for factor, vanishes in ((0.99, False), (1.01, True)):
        model = MultiTaskLinearRegressor(lambda_task=factor * largest, **params)
        coef = model.fit(X, y, groups=groups).task_coef_
        assert (np.abs(coef).max() < 1e-5) == vanishes


def test_joint_feature_takes_features_for_all_tasks_or_none():
    rng = np.random.RandomState(0)
    X, y, groups = tasks(d=2)
    X = np.hstack([X, rng.normal(size=(len(y), 4))])
    model = MultiTaskLinearRegressor(coupling="joint_feature", lambda_task=25.0)
    W = model.fit(X, y, groups=groups).task_coef_
    norms = np.linalg.norm(W, axis=0)
    assert (norms[:2] > 0.1).all()
    assert (norms[2:] < 1e-4).all()


def test_dirty_is_the_lasso_or_the_largest_coefficients_alone():
    X, y, groups = tasks()
    params = {"coupling": "dirty", "fit_intercept": False}

    def fit(shared, own):
        model = MultiTaskLinearRegressor(
            lambda_shared=shared, lambda_task=own, **params
        )
        return model.fit(X, y, groups=groups)

    # A shared part that costs more than four own coefficients is not used ...
    np.testing.assert_allclose(
        fit(4.1 * 8.0, 8.0).task_coef_, fit(1e5, 8.0).task_coef_, atol=1e-5
    )
    # ... nor is an own coefficient that costs more than the shared part.
    np.testing.assert_allclose(
        fit(8.0, 8.1).task_coef_, fit(8.0, 1e5).task_coef_, atol=1e-5
    )
    between = fit(16.0, 8.0).objective_
    assert between < min(fit(1e5, 8.0).objective_, fit(16.0, 1e5).objective_)


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_names_and_order_of_tasks_change_nothing(coupling, Estimator):
    X, y, groups = data(Estimator)
    params = {"coupling": coupling, "lambda_shared": 0.5, "lambda_task": 0.7}
    model = Estimator(graph=GRAPH, **params).fit(X, y, groups=groups)
    names = np.array(["west", "south", "east", "north"])
    order = np.argsort(names)
    renamed = Estimator(graph=GRAPH[np.ix_(order, order)], **params)
    renamed.fit(X, y, groups=names[groups])
    np.testing.assert_array_equal(renamed.domains_, names[order])
    np.testing.assert_array_equal(renamed.task_coef_, model.task_coef_[order])
    np.testing.assert_array_equal(renamed.coef_, model.coef_)
    shuffled = np.random.RandomState(0).permutation(len(y))
    moved = Estimator(graph=GRAPH, **params)
    moved.fit(X[shuffled], y[shuffled], groups=groups[shuffled])
    np.testing.assert_allclose(moved.objective_, model.objective_, rtol=1e-7)
    np.testing.assert_allclose(moved.task_coef_, model.task_coef_, atol=1e-4)


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_weights_repeat_rows(coupling, Estimator):
    X, y, groups = data(Estimator)
    weight = np.random.RandomState(0).randint(0, 4, size=len(y))
    params = {"coupling": coupling, "lambda_shared": 0.5, "graph": GRAPH}
    weighted = Estimator(**params).fit(X, y, groups=groups, sample_weight=weight)
    X, y, groups = (np.repeat(a, weight, axis=0) for a in (X, y, groups))
    repeated = Estimator(**params).fit(X, y, groups=groups)
    np.testing.assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-7)
    np.testing.assert_allclose(weighted.task_coef_, repeated.task_coef_, atol=1e-4)


def test_domain_of_weight_zero_is_absent():
    X, y, groups = tasks()
    weight = (groups != 1).astype(float)
    model = MultiTaskLinearRegressor(coupling="graph", graph=np.ones((3, 3)))
    model.fit(X, y, groups=groups, sample_weight=weight)
    assert model.domains_.tolist() == [0, 2, 3]
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.fit(X, y, groups=groups, sample_weight=np.zeros(120))


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("coupling", ["mean", "graph", "low_rank"])
def test_sparse_and_dense_agree(coupling, Estimator):
    X, y, groups = data(Estimator)
    X[np.abs(X) < 0.5] = 0
    params = {"coupling": coupling, "graph": GRAPH}
    dense = Estimator(**params).fit(X, y, groups=groups)
    thin = Estimator(**params).fit(sparse.csr_array(X), y, groups=groups)
    np.testing.assert_allclose(thin.task_coef_, dense.task_coef_, atol=1e-8)
    np.testing.assert_allclose(
        thin.predict(sparse.csr_array(X), groups=groups), dense.predict(X, groups)
    )


def test_known_domains_have_their_own_model_and_others_the_shared_one():
    X, y, groups = tasks()
    model = MultiTaskLinearRegressor(coupling="low_rank").fit(X, y, groups=groups)
    np.testing.assert_allclose(model.coef_, model.task_coef_.mean(axis=0))
    np.testing.assert_allclose(model.intercept_, model.task_intercept_.mean())
    shared = X @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.predict(X), shared)
    predicted = model.predict(X, groups=np.where(groups == 0, 99, groups))
    own = (X * model.task_coef_[groups]).sum(1) + model.task_intercept_[groups]
    np.testing.assert_allclose(predicted, np.where(groups == 0, shared, own))


def test_several_classes_are_one_against_the_rest_and_have_probabilities():
    X, f, groups = tasks()
    labels = np.where(X[:, 0] > 0.5, "c", np.where(f > 0, "b", "a"))
    model = MultiTaskLinearClassifier().fit(X, labels, groups=groups)
    assert model.task_coef_.shape == (4, 3, 3)
    assert model.objective_.shape == (3,)
    for index, label in enumerate("abc"):
        one = MultiTaskLinearClassifier().fit(X, labels == label, groups=groups)
        np.testing.assert_allclose(model.task_coef_[:, index], one.task_coef_[:, 0])
        proba = one.predict_proba(X, groups=groups)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
        scores = one.decision_function(X, groups=groups)
        np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-scores)))
    proba = model.predict_proba(X, groups=groups)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    expected = model.predict(X, groups=groups)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], expected)
    far = model.predict_proba(np.full((1, 3), 1e5) * [[-1, 1, 1]])
    np.testing.assert_allclose(far.sum(), 1.0)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_only_the_logistic_loss_has_probabilities(loss):
    assert not hasattr(MultiTaskLinearClassifier(loss=loss), "predict_proba")
    assert hasattr(MultiTaskLinearClassifier(), "predict_proba")


@pytest.mark.parametrize("Estimator", [MultiTaskLinearClassifier, MultiTaskLinearSVC])
def test_class_weights_multiply_and_are_checked(Estimator):
    X, f, groups = tasks()
    y = np.where(f > 0, "yes", "no")
    by_class = Estimator(class_weight={"yes": 3}).fit(X, y, groups=groups)
    by_row = Estimator().fit(
        X, y, groups=groups, sample_weight=np.where(y == "yes", 3, 1)
    )
    np.testing.assert_array_equal(by_class.task_coef_, by_row.task_coef_)
    for wrong, message in [
        ({"yes": -1.0}, "class 'yes' must be a finite number >= 0, got -1.0"),
        ({"no": np.nan}, "class 'no' must be a finite number >= 0, got nan"),
        ({"no": np.inf}, "class 'no' must be a finite number >= 0, got inf"),
        ({"yes": 0, "no": 0}, "0 for each of the classes ['no', 'yes']"),
        ({"oui": 2.0}, "(2.0) for class 'oui', which does not occur"),
    ]:
        model = Estimator(class_weight=wrong)
        with pytest.raises(ValueError, match=re.escape(message)):
            model.fit(X, y, groups=groups)
        assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (np.ones((3, 3)), r"in the order of domains_, .*; got the shape \(3, 3\)"),
        (np.ones(4), r"got the shape \(4,\)"),
        (-GRAPH, r"graph\[0, 1\] is -1.0"),
        (np.where(GRAPH == 2, np.nan, GRAPH), r"graph\[2, 3\] is nan"),
        (np.triu(GRAPH), r"graph\[0, 1\] is 1.0, but graph\[1, 0\] is 0.0"),
        ([["a"] * 4] * 4, "symmetric non-negative matrix.*got what is no matrix"),
    ],
)
def test_graph_that_is_none_is_named(graph, message):
    X, y, groups = tasks()
    model = MultiTaskLinearRegressor(coupling="graph", graph=graph)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, groups=groups)
    assert not hasattr(model, "domains_")


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_solver_that_stops_short_warns_with_the_gap(coupling, Estimator):
    X, y, groups = data(Estimator)
    params = {"coupling": coupling, "graph": GRAPH, "lambda_shared": 0.5}
    # A quadratic objective without inequalities takes one step.
    params["loss"] = (
        "hinge" if Estimator is MultiTaskLinearClassifier else "epsilon_insensitive"
    )
    model = Estimator(solver="clarabel", solver_options={"max_iter": 2}, **params)
    with pytest.warns(ConvergenceWarning, match=r"CLARABEL.*up to .* above it"):
        model.fit(X, y, groups=groups)
    optimum = Estimator(**params).fit(X, y, groups=groups).objective_
    scale = max(1.0, model.objective_)
    # The certificate holds: the true distance is not above it.
    assert -1e-9 <= (model.objective_ - optimum) / scale <= model.dual_gap_ + 1e-9


def test_solver_that_cannot_is_an_error_with_its_words():
    X, y, groups = tasks()
    model = MultiTaskLinearRegressor(coupling="low_rank", solver="PIQP")
    with pytest.raises(RuntimeError, match=r"PIQP failed.*(not solve|no conic)"):
        model.fit(X, y, groups=groups)
    model.set_params(solver="magic")
    with pytest.raises(ValueError, match="solver='magic' is not a solver"):
        model.fit(X, y, groups=groups)


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("coupling", ["mean", "graph"])
def test_ill_conditioned_data_have_a_proven_solution(coupling, Estimator):
    X, y, groups = data(Estimator)
    X = np.hstack([X, X[:, :1], np.ones((len(y), 1)), np.zeros((len(y), 1)), 1e6 * X])
    for weight in (1e-8, 1e8):
        model = Estimator(
            coupling=coupling, graph=GRAPH, lambda_task=weight, lambda_shared=weight
        ).fit(X, y, groups=groups)
        assert np.isfinite(model.task_coef_).all()
        assert model.dual_gap_ < 1e-6


def test_many_tasks_are_solved_at_once():
    X, y, groups = tasks(n_tasks=2000, size=5, d=4)
    for coupling in ("mean", "graph"):
        model = MultiTaskLinearRegressor(coupling=coupling).fit(X, y, groups=groups)
        assert model.dual_gap_ < 1e-10
    chain = sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(2000, 2000))
    model.set_params(graph=chain).fit(X, y, groups=groups)
    assert model.dual_gap_ < 1e-10


def test_groups_reach_fit_and_predict_in_a_search():
    X, y, groups = tasks()
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            MultiTaskLinearRegressor(), {"lambda_task": [0.1, 1e6]}, cv=GroupKFold(2)
        ).fit(X, y, groups=groups)
    assert search.best_estimator_.n_domains_ == 4


@pytest.mark.parametrize("Estimator", BOTH)
def test_copies_predict_the_same_and_input_is_unchanged(Estimator):
    X, y, groups = data(Estimator)
    graph = GRAPH.copy()
    inputs = [a.copy() for a in (X, y, groups)]
    model = Estimator(coupling="graph", graph=graph).fit(X, y, groups=groups)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(
            other.predict(X, groups), model.predict(X, groups)
        )
    for before, after in zip([*inputs, GRAPH], [X, y, groups, graph], strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("Estimator", [*BOTH, MultiTaskLinearSVC, MultiTaskLinearSVR])
def test_docstring_names_the_default_of_each_parameter(Estimator):
    for name, value in Estimator().get_params().items():
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        line = re.search(rf"^{name} : .*$", Estimator.__doc__, re.MULTILINE)
        assert line is not None
        assert line.group().endswith(f"default={shown}")


def test_the_graph_is_looked_at_once_for_all_classes(monkeypatch):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 2)), np.repeat(["a", "b", "c"], 20)
    y = rng.integers(0, 4, 60)
    counts = {"check_graph": 0, "graph_coupling": 0}

    def counted(module, name):
        function = getattr(module, name)

        def count(*args):
            counts[name] += 1
            return function(*args)

        monkeypatch.setattr(module, name, count)

    counted(_coupled, "check_graph")
    counted(_linear_solve, "graph_coupling")
    graph = [[0, 1, 2], [1, 0, 0], [2, 0, 0]]
    for loss in ("logistic", "hinge"):
        model = MultiTaskLinearClassifier(loss=loss, coupling="graph", graph=graph)
        model.fit(X, y, groups=groups)
        assert counts == {"check_graph": 1, "graph_coupling": 1}
        counts.update(check_graph=0, graph_coupling=0)
        # Each class still has its own model, as if it were alone.
        alone = model.__class__(**model.get_params()).fit(X, y == 2, groups=groups)
        np.testing.assert_allclose(
            model.task_coef_[:, 2], alone.task_coef_[:, 0], rtol=1e-6, atol=1e-8
        )
        counts.update(check_graph=0, graph_coupling=0)

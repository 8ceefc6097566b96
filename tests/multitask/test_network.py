# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What multi-task networks learn, hold and predict."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import ERMClassifier, ERMRegressor
from skdg.inspection import GradientAlignmentMonitor
from skdg.multitask import (
    MultiTaskNetworkClassifier,
    MultiTaskNetworkRegressor,
)

# As the rows name them; sorting turns them round.
DOMAINS = ["q", "t", "b"]
TASKS = ["binary", "classes", "regression", "targets"]


def small_module(n_features):
    return torch.nn.Sequential(torch.nn.Linear(n_features, 4), torch.nn.Tanh())


KINDS = {
    "hard": {},
    "module": {"module": small_module},
    "soft": {"sharing": "soft"},
    "pcgrad": {"gradient_combination": "pcgrad"},
    "cagrad": {"gradient_combination": "cagrad"},
    "mgda": {"gradient_combination": "mgda"},
}


def make_data(task, n=44):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(n, 3)), rng.permutation(np.arange(n) % 7 % 3)
    signal = np.sin(X[:, 0] * (1 + codes)) + X[:, 1] * (codes - 1)
    y = {
        "binary": np.where(signal > 0, "yes", "no"),
        "classes": np.digitize(signal, [-0.7, 0.7]),
        "regression": 30.0 + 2.0 * signal,
        "targets": np.column_stack([signal, 10.0 - X[:, 2] * codes]),
    }[task]
    names = dict(zip(dict.fromkeys(codes.tolist()), DOMAINS, strict=True))
    return X, y, np.array([names[code] for code in codes.tolist()])


def make(task, **kw):
    """Make an estimator that trains on all rows at once."""
    cls = MultiTaskNetworkRegressor
    if task in ("binary", "classes"):
        cls = MultiTaskNetworkClassifier
    defaults = {"hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 40}
    return cls(**(defaults | {"batch_size": None, "random_state": 0} | kw))


def make_erm(model):
    """Make ERM with the same parameters."""
    erm = ERMClassifier() if is_classifier(model) else ERMRegressor()
    known = erm.get_params()
    return erm.set_params(**{k: v for k, v in model.get_params().items() if k in known})


def response(model, X, **kw):
    name = "decision_function" if is_classifier(model) else "predict"
    return getattr(model, name)(X, **kw)


def layers(model, domain):
    """Return the numpy arrays of the network of a domain."""
    task = model.domains_.tolist().index(domain)
    n_shared = len(model.coefs_) - len(model.task_coefs_)
    coefs = [*model.coefs_[:n_shared], *(own[task] for own in model.task_coefs_)]
    offsets = [own[task] for own in model.task_intercepts_]
    return coefs, [*model.intercepts_[:n_shared], *offsets]


def propagate(X, coefs, intercepts):
    *hidden, (head, offsets) = zip(coefs, intercepts, strict=True)
    for weights, hidden_offsets in hidden:
        X = np.tanh(X @ weights + hidden_offsets)
    return X @ head + offsets


@pytest.fixture(params=TASKS)
def task(request):
    return request.param


@pytest.fixture(params=["hard", "soft"])
def sharing(request):
    return request.param


# Limits: what sharing is the same as.


@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
@pytest.mark.parametrize("kw", [{}, {"batch_size": 8}, {"optimizer": "sgd"}], ids=str)
@pytest.mark.parametrize("module", [None, small_module])
def test_one_task_with_hard_sharing_is_erm_bit_for_bit(task, module, kw):
    X, y, _ = make_data(task)
    model = make(task, module=module, **kw).fit(X, y)
    erm = make_erm(model).fit(X, y)
    np.testing.assert_array_equal(response(model, X), response(erm, X))
    np.testing.assert_array_equal(model.history_["risk"], erm.history_["risk"])


@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("kw", [KINDS["soft"], KINDS["pcgrad"], KINDS["mgda"]], ids=str)
def test_one_task_is_erm(task, kw, optimizer):
    X, y, _ = make_data(task)
    model = make(task, optimizer=optimizer, **kw).fit(X, y)
    erm = make_erm(model).fit(X, y)
    np.testing.assert_allclose(response(model, X), response(erm, X), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=len)
def test_without_a_pull_each_task_is_erm_by_itself(task, hidden, optimizer):
    X, y, groups = make_data(task)
    kw = {} if task in ("binary", "classes") else {"normalize_y": False}
    model = make(
        task,
        sharing="soft",
        sharing_weight=0,
        optimizer=optimizer,
        hidden_layer_sizes=hidden,
        **kw,
    ).fit(X, y, groups=groups)
    for place, domain in enumerate(model.domains_):
        own = groups == domain
        erm = make_erm(model).fit(X[own], y[own])
        np.testing.assert_allclose(
            response(model, X, groups=[domain] * len(X)),
            response(erm, X),
            rtol=1e-9,
            atol=1e-10,
        )
        np.testing.assert_allclose(
            model.history_["risk"][:, place], erm.history_["risk"][:, 0], rtol=1e-9
        )


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("weight", [1e6, 1e9, 1e12])
def test_with_a_stiff_pull_all_tasks_are_erm_together(task, weight, optimizer):
    X, y, groups = make_data(task)
    model = make(task, sharing="soft", sharing_weight=weight, optimizer=optimizer)
    model.fit(X, y, groups=groups)
    erm = make_erm(model).fit(X, y, groups=groups)
    size = np.abs(response(erm, X)).max()
    for kw in ({}, {"groups": groups}):
        np.testing.assert_allclose(
            response(model, X, **kw), response(erm, X), atol=100 / weight * size
        )


def test_more_pull_means_nearer_tasks(task):
    X, y, groups = make_data(task)
    distances = [
        make(task, sharing="soft", sharing_weight=weight, max_iter=150)
        .fit(X, y, groups=groups)
        .history_["penalty"]
        for weight in (0.0, 0.01, 0.1, 1.0, 10.0)
    ]
    assert all(distance[0] < 1e-25 for distance in distances)
    assert (np.diff([distance[-1] for distance in distances]) < 0).all()


def test_pull_per_layer():
    X, y, groups = make_data("binary")
    model = make("binary", sharing="soft", sharing_weight=[1e9, 0.0])
    model.fit(X, y, groups=groups)
    for arrays in (model.task_coefs_, model.task_intercepts_):
        shared, own = (np.ptp(array, axis=0).max() for array in arrays)
        assert shared < 1e-6
        assert own > 0.05
    same = [make("binary", sharing="soft", sharing_weight=w) for w in (0.3, [0.3, 0.3])]
    a, b = (response(model.fit(X, y, groups=groups), X) for model in same)
    np.testing.assert_array_equal(a, b)


# Optima of linear models, in closed form.


def ridge(X, y, groups, blocks):
    """Minimize the mean over tasks of squared errors plus a quadratic form."""
    tasks, codes = np.unique(groups, return_inverse=True)
    n_tasks, n_columns = len(tasks), X.shape[1] + 1
    system = np.zeros((n_tasks, n_columns, n_tasks, n_columns))
    right = np.zeros((n_tasks, n_columns))
    for t in range(n_tasks):
        own = np.column_stack([X, np.ones(len(X))])[codes == t]
        system[t, :, t] = own.T @ own / len(own)
        right[t] = own.T @ y[codes == t] / len(own)
    size = n_tasks * n_columns
    system = system.reshape(size, size) + blocks(n_tasks, n_columns)
    return np.linalg.solve(system, right.ravel()).reshape(n_tasks, n_columns)


@pytest.mark.parametrize("weight", [0.0, 0.05, 1.0, 20.0])
def test_optimum_of_linear_soft_sharing(weight):
    X, y, groups = make_data("regression")
    alpha = 0.2

    def blocks(n_tasks, n_columns):
        penalized = np.diag([*[1.0] * (n_columns - 1), 0.0])
        centring = np.eye(n_tasks) - 1.0 / n_tasks
        return np.kron(np.eye(n_tasks), 0.5 * alpha * penalized) + np.kron(
            centring, weight * np.eye(n_columns)
        )

    expected = ridge(X, y - 30.0, groups, blocks)
    model = make(
        "regression",
        sharing="soft",
        sharing_weight=weight,
        alpha=alpha,
        hidden_layer_sizes=(),
        optimizer="sgd",
        learning_rate="constant",
        learning_rate_init=0.2,
        normalize_y=False,
        max_iter=600,
    ).fit(X, y - 30.0, groups=groups)
    np.testing.assert_allclose(model.task_coef_, expected[:, :-1], atol=1e-6)
    np.testing.assert_allclose(model.task_intercept_, expected[:, -1], atol=1e-6)
    np.testing.assert_allclose(model.coef_, expected[:, :-1].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", ["hard", "pcgrad", "cagrad", "mgda"])
def test_linear_model_with_hard_sharing_shares_nothing(kind):
    X, y, groups = make_data("regression")
    alpha = 0.2

    def blocks(n_tasks, n_columns):
        penalized = np.diag([*[1.0] * (n_columns - 1), 0.0])
        return np.kron(np.eye(n_tasks), 0.5 * alpha * penalized)

    expected = ridge(X, y - 30.0, groups, blocks)
    model = make(
        "regression",
        alpha=alpha,
        hidden_layer_sizes=(),
        optimizer="sgd",
        learning_rate="constant",
        learning_rate_init=0.6,
        normalize_y=False,
        max_iter=600,
        **KINDS[kind],
    ).fit(X, y - 30.0, groups=groups)
    np.testing.assert_allclose(model.task_coef_, expected[:, :-1], atol=1e-6)
    np.testing.assert_allclose(model.task_intercept_, expected[:, -1], atol=1e-6)


# Predictions.


def test_each_row_goes_through_the_network_of_its_domain(task, sharing):
    X, y, groups = make_data(task)
    model = make(task, sharing=sharing).fit(X, y, groups=groups)
    assert model.domains_.tolist() == ["b", "q", "t"]
    mean = propagate(X, model.coefs_, model.intercepts_)
    own = {domain: propagate(X, *layers(model, domain)) for domain in DOMAINS}
    asked = np.random.default_rng(1).choice([*DOMAINS, "new", "other"], len(X))
    expected = [own.get(domain, mean)[row] for row, domain in enumerate(asked.tolist())]
    expected = np.squeeze(expected)
    np.testing.assert_allclose(response(model, X, groups=asked), expected, rtol=1e-9)
    np.testing.assert_allclose(response(model, X), np.squeeze(mean), rtol=1e-9)
    # Not vacuous: the networks differ.
    assert np.abs(own["b"] - own["t"]).max() > 0.1


def test_module_with_a_head_per_task(task):
    X, y, groups = make_data(task)
    model = make(task, module=small_module).fit(X, y, groups=groups)
    state = model.module_state_
    features = np.tanh(X @ state["0.weight"].T + state["0.bias"])
    for domain in DOMAINS:
        expected = np.squeeze(propagate(features, *layers(model, domain)))
        found = response(model, X, groups=[domain] * len(X))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    expected = np.squeeze(propagate(features, model.coefs_, model.intercepts_))
    np.testing.assert_allclose(response(model, X), expected, rtol=1e-9)


def test_shared_model_is_the_mean(task, sharing):
    X, y, groups = make_data(task)
    model = make(task, sharing=sharing).fit(X, y, groups=groups)
    for means, owns in (
        (model.coefs_, model.task_coefs_),
        (model.intercepts_, model.task_intercepts_),
    ):
        assert len(owns) == (2 if sharing == "soft" else 1)
        for mean, own in zip(means[-len(owns) :], owns, strict=True):
            assert own.shape == (3, *mean.shape)
            np.testing.assert_allclose(mean, own.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_linear_models_have_coefficients_by_task(task, kind):
    X, y, groups = make_data(task)
    kw = {"hidden_layer_sizes": ()} | KINDS[kind]
    model = make(task, **kw).fit(X, y, groups=groups)
    shape = {"binary": (1,), "classes": (3,), "regression": (), "targets": (2,)}[task]
    assert model.task_coef_.shape == (3, *shape, 3)
    assert model.task_intercept_.shape == (3, *shape)
    for t, domain in enumerate(model.domains_):
        expected = X @ model.task_coef_[t].T + model.task_intercept_[t]
        found = response(model, X, groups=[domain] * len(X))
        np.testing.assert_allclose(found, np.squeeze(expected), rtol=1e-9)
    model.set_params(hidden_layer_sizes=(2,)).fit(X, y, groups=groups)
    assert not hasattr(model, "task_coef_")
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("n_classes", ["binary", "classes"])
def test_predictions_of_a_classifier_agree(n_classes):
    X, y, groups = make_data(n_classes)
    model = make(n_classes, max_iter=300, learning_rate_init=0.05)
    model.fit(X, y, groups=groups)
    for kw in ({}, {"groups": groups}):
        scores, shares = response(model, X, **kw), model.predict_proba(X, **kw)
        labels = model.predict(X, **kw)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
        np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], labels)
        if n_classes == "binary":
            odds = np.log(shares[:, 1] / shares[:, 0])
            np.testing.assert_allclose(odds, scores, rtol=1e-8)
        else:
            expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            np.testing.assert_allclose(shares, expected, rtol=1e-8)
    # A rule per task is learned, and not one for all.
    assert model.score(X, y, groups=groups) > 0.95 > model.score(X, y) + 0.1


def test_score(task):
    X, y, groups = make_data(task)
    model = make(task).fit(X, y, groups=groups)
    weight = np.random.default_rng(2).uniform(size=len(X))
    metric = accuracy_score if is_classifier(model) else r2_score
    for kw in ({}, {"groups": groups}):
        expected = metric(y, model.predict(X, **kw), sample_weight=weight)
        assert model.score(X, y, sample_weight=weight, **kw) == expected
    assert model.score(X, y, groups=groups) > model.score(X, y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["b"] * 3, "groups has 3 labels, X has 44 rows"),
        (["b"] * 43 + [None], "missing value in row 43"),
        ("b", "one domain label per row"),
    ],
)
def test_groups_that_cannot_be_used(groups, message):
    X, y, domains = make_data("binary")
    model = make("binary").fit(X, y, groups=domains)
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match=message):
            method(X, groups=groups)
    with pytest.raises(ValueError, match=message):
        model.score(X, y, groups=groups)


@pytest.mark.parametrize("container", [list, np.asarray, pd.Series, pd.Categorical])
@pytest.mark.parametrize(
    "names", [[3, 1, 2], ["c", "a", "b"], pd.to_datetime(["2022", "2020", "2021"])]
)
def test_labels_of_any_kind(names, container):
    X, y, groups = make_data("regression")
    expected = make("regression").fit(X, y, groups=groups).predict(X, groups=groups)
    codes = np.searchsorted(np.sort(DOMAINS), groups)
    groups = [names[code] for code in codes]
    model = make("regression").fit(X, y, groups=groups)
    found = model.predict(X, groups=container(groups))
    np.testing.assert_array_equal(found, expected)


# What training leaves behind.


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_domains_do_not_matter(task, kind):
    X, y, groups = make_data(task)
    model = make(task, **KINDS[kind]).fit(X, y, groups=groups)
    names = {"t": 1, "b": 2, "q": 0}
    renamed = np.array([names[domain] for domain in groups])
    other = make(task, **KINDS[kind]).fit(X, y, groups=renamed)
    np.testing.assert_array_equal(
        response(model, X, groups=groups), response(other, X, groups=renamed)
    )
    np.testing.assert_array_equal(response(model, X), response(other, X))


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic_and_leaves_no_trace(kind):
    X, y, groups = make_data("classes")
    model = make("classes", batch_size=6, **KINDS[kind])
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    scores = [
        response(clone(model).fit(X, y, groups=groups), X, groups=groups) for _ in "ab"
    ]
    np.testing.assert_array_equal(*scores)
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    other = clone(model).set_params(random_state=1).fit(X, y, groups=groups)
    assert np.abs(response(other, X, groups=groups) - scores[0]).max() > 1e-3


def test_combinations_differ_from_the_mean_and_from_each_other():
    X, y, groups = make_data("regression")
    found = [
        response(make("regression", **KINDS[kind]).fit(X, y, groups=groups), X)
        for kind in ("hard", "pcgrad", "cagrad", "mgda")
    ]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("kind", ["hard", "soft", "mgda"])
def test_minibatches_learn(kind):
    X, y, groups = make_data("regression", n=300)
    model = make("regression", batch_size=16, max_iter=300, **KINDS[kind])
    model.set_params(learning_rate_init=0.05).fit(X, y, groups=groups)
    assert model.score(X, y, groups=groups) > 0.9 > model.score(X, y) + 0.1


@pytest.mark.parametrize("kind", ["hard", "soft", "cagrad"])
def test_precision_is_that_of_X(kind):
    X, y, groups = make_data("targets")
    model = make("targets", **KINDS[kind]).fit(X.astype(np.float32), y, groups=groups)
    for array in (*model.coefs_, *model.task_coefs_, *model.task_intercepts_):
        assert array.dtype == np.float32
    assert model.predict(X.astype(np.float32), groups=groups).dtype == np.float32


@pytest.mark.parametrize("kind", ["hard", "soft", "module"])
def test_pickle_holds_numpy_alone(task, kind):
    X, y, groups = make_data(task)
    model = make(task, **KINDS[kind]).fit(X, y, groups=groups)
    # A function of a test module is not found by its name.
    data = pickle.dumps({k: v for k, v in vars(model).items() if k != "module"})
    assert b"torch" not in data
    other = clone(model)
    vars(other).update(pickle.loads(data))
    np.testing.assert_array_equal(
        response(other, X, groups=groups), response(model, X, groups=groups)
    )


def test_domain_without_weight_is_no_task():
    X, y, groups = make_data("regression")
    weight = (groups != "q").astype(float)
    model = make("regression").fit(X, y, groups=groups, sample_weight=weight)
    assert model.domains_.tolist() == ["b", "t"]
    assert len(model.task_coefs_[0]) == 2
    only = groups == "q"
    np.testing.assert_array_equal(
        model.predict(X[only], groups=groups[only]), model.predict(X[only])
    )


# Going on from a fit.


@pytest.mark.parametrize("kind", ["hard", "soft", "module"])
def test_warm_start_goes_on(task, kind):
    X, y, groups = make_data(task)
    model = make(task, max_iter=100, warm_start=True, **KINDS[kind])
    risk = model.fit(X, y, groups=groups).history_["risk"]
    # Rows in another order name the domains in another order.
    again = model.fit(X[::-1], y[::-1], groups=groups[::-1]).history_["risk"]
    assert again[0].mean() < 0.7 * risk[0].mean()
    np.testing.assert_allclose(again[0], risk[-1], rtol=0.05)


@pytest.mark.parametrize(("first", "then"), [("hard", "soft"), ("soft", "hard")])
def test_warm_start_with_another_sharing(first, then):
    X, y, groups = make_data("regression")
    model = make("regression", sharing=first, warm_start=True, max_iter=100)
    before = model.fit(X, y, groups=groups).history_["risk"]
    after = model.set_params(sharing=then).fit(X, y, groups=groups).history_["risk"]
    assert after[0].mean() < before[0].mean()
    assert after[-1].mean() < before[0].mean()


def test_warm_start_with_other_domains_is_an_error():
    X, y, groups = make_data("regression")
    model = make("regression", warm_start=True).fit(X, y, groups=groups)
    before = model.predict(X)
    with pytest.raises(ValueError, match=r"whose domains were \['b' 'q' 't'\]"):
        model.fit(X, y, groups=np.char.upper(groups))
    np.testing.assert_array_equal(model.predict(X), before)


def test_there_is_no_partial_fit(task):
    model = make(task)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="has no partial_fit, since all tasks"):
        model.partial_fit  # noqa: B018


# Parameters that do not go together.


@pytest.mark.parametrize(
    ("kw", "message"),
    [
        ({"gradient_combination": "pcgrad"}, "with sharing='soft' there are none"),
        ({"module": small_module}, "module needs sharing='hard'"),
        ({"sharing_weight": [1.0]}, "one for each of the 2 layers"),
        ({"sharing_weight": [1.0, -1.0]}, "not negative"),
        ({"sharing_weight": [1.0, np.inf]}, "finite"),
        ({"sharing_weight": [[1.0, 1.0]]}, "one for each of the 2 layers"),
    ],
)
def test_soft_sharing_says_what_it_cannot_do(kw, message):
    X, y, groups = make_data("binary")
    with pytest.raises(ValueError, match=message):
        make("binary", sharing="soft", **kw).fit(X, y, groups=groups)


def test_gradients_are_compared_with_hard_sharing_alone():
    X, y, groups = make_data("binary")
    monitor = GradientAlignmentMonitor(every=10)
    make("binary").set_callbacks(monitor).fit(X, y, groups=groups)
    assert np.isfinite(monitor.cosines_).all()
    model = make("binary", sharing="soft").set_callbacks(monitor)
    with pytest.raises(ValueError, match="use sharing='hard'"):
        model.fit(X, y, groups=groups)


# Groups through scikit-learn.


@pytest.fixture
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("_routing")
def test_groups_are_routed_to_score():
    X, y, groups = make_data("regression")
    model, cv = make("regression"), KFold(3)
    scores = cross_val_score(model, X, y, cv=cv, params={"groups": groups})
    for score, (train, test) in zip(scores, cv.split(X), strict=True):
        fitted = clone(model).fit(X[train], y[train], groups=groups[train])
        assert score == fitted.score(X[test], y[test], groups=groups[test])
        assert score != fitted.score(X[test], y[test])


@pytest.mark.usefixtures("_routing")
def test_groups_are_routed_to_each_method(task):
    X, y, groups = make_data(task)
    model = make_pipeline(StandardScaler(), make(task)).fit(X, y, groups=groups)
    methods = ["predict"]
    if is_classifier(model):
        methods += ["predict_proba", "decision_function"]
    for method in methods:
        found = getattr(model, method)(X, groups=groups)
        expected = getattr(model[-1], method)(model[0].transform(X), groups=groups)
        np.testing.assert_array_equal(found, expected)
        assert (found != getattr(model, method)(X)).any()

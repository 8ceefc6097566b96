# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Wrong input: the message names what is wrong, and nothing is changed."""

import copy
import pickle
from contextlib import contextmanager
from functools import cache
from inspect import signature

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from quick_fits import (
    CLASSIFIERS,
    LABELED,
    NETWORKS,
    PARTIAL,
    make,
    make_data,
    output,
    snapshot,
)
from skdg import DivergenceError
from skdg._registry import ESTIMATORS


def has(name, parameter):
    return parameter in make(name).get_params(deep=False)


PREDICTORS = [name for name in ESTIMATORS if hasattr(make(name), "predict")]
NETWORK_CLASSIFIERS = [name for name in NETWORKS if name in CLASSIFIERS]
NETWORK_REGRESSORS = [name for name in NETWORKS if name not in CLASSIFIERS]
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
every_network = pytest.mark.parametrize("name", NETWORKS)


@contextmanager
def refused(estimator, *inputs, match, error=ValueError):
    """Expect an error with a message, and that estimator and inputs stay as they are.

    Twice: for the estimator as it is given, and for one that was fitted before.
    """
    before = snapshot(estimator), [pickle.dumps(value) for value in inputs]
    with pytest.raises(error, match=match):
        yield
    after = snapshot(estimator), [pickle.dumps(value) for value in inputs]
    assert after[0] == before[0]
    assert after[1] == before[1]


def assert_fit_refused(name, *inputs, match, error=ValueError, **params):
    """Fit a new estimator, and one that was fitted before."""
    new = make(name, **params)
    with refused(new, *inputs, match=match, error=error):
        new.fit(*inputs)
    with pytest.raises(NotFittedError):
        output(new, make_data(name)[0])
    fitted = copy.deepcopy(fitted_before(name)).set_params(**params)
    with refused(fitted, *inputs, match=match, error=error):
        fitted.fit(*inputs)
    fitted.set_params(**make(name).get_params())
    X, _, _ = make_data(name)
    np.testing.assert_array_equal(output(fitted, X), output(fitted_before(name), X))


@cache
def fitted_before(name):
    """A fitted estimator, to be copied."""
    X, y, groups = make_data(name)
    return make(name).fit(X, y, groups=groups)


# groups


WRONG_GROUPS = {
    "too short": (lambda g: g[:-1], "groups has 29 labels, X has 30 rows"),
    "too long": (lambda g: [*g, "a"], "groups has 31 labels, X has 30 rows"),
    "None inside": (lambda g: [*g[:7], None, *g[8:]], "missing value in row 7 .None"),
    "NaN inside": (
        lambda g: [*g[:7], float("nan"), *g[8:]],
        "missing value in row 7 .nan",
    ),
    "NaN in floats": (
        lambda g: np.where(np.arange(30) == 29, np.nan, 1.0),
        "missing value in row 29",
    ),
    "2-D": (lambda g: g[:, None], r"one-dimensional.* shape \(30, 1\)"),
    "a name": (lambda g: "hospital", "single value 'hospital'"),
    "unhashable": (
        lambda g: [*[{"a"}] * 30],
        "hashable labels; row 0 holds .*type set",
    ),
}


@pytest.mark.parametrize("kind", WRONG_GROUPS)
@every_estimator
def test_groups(name, kind):
    wrong, message = WRONG_GROUPS[kind]
    X, y, groups = make_data(name)
    assert_fit_refused(name, X, y, wrong(groups), match=f"^groups .*{message}")


@pytest.mark.parametrize(
    "name",
    [n for n in PREDICTORS if "groups" in signature(make(n).predict).parameters],
)
def test_groups_of_predict(name):
    X, y, groups = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    with refused(model, X, match="^groups .* 29 labels, X has 30 rows"):
        model.predict(X, groups=groups[:-1])
    with refused(model, X, match="missing value in row 0"):
        model.predict(X, groups=[None, *groups[1:]])


# X and y


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "X contains NaN"), (np.inf, "X contains infinity")]
)
@every_estimator
def test_x_that_is_not_finite(name, value, message):
    X, y, groups = make_data(name)
    X[4, 1] = value
    assert_fit_refused(name, X, y, groups, match=message)
    model = make(name).fit(*make_data(name))
    with refused(model, X, match=message):
        output(model, X)


@every_estimator
def test_x_with_another_number_of_rows_than_y(name):
    X, y, groups = make_data(name)
    message = r"inconsistent numbers of samples: \[30, 29\]"
    assert_fit_refused(name, X, y[:-1], groups, match=message)


@every_estimator
def test_y_with_nan(name):
    X, y, groups = make_data(name)
    y = y.astype(float)
    y[3] = np.nan
    assert_fit_refused(name, X, y, groups, match="y contains NaN")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_y_of_one_class(name):
    X, _, groups = make_data(name)
    message = f"^{name} .* 2 classes in y, got only one class: .*'yes'"
    assert_fit_refused(name, X, np.full(30, "yes"), groups, match=message)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_y_of_a_regression_given_to_a_classifier(name):
    X, _, groups = make_data(name)
    message = "Unknown label type: .*continuous"
    assert_fit_refused(name, X, X[:, 0], groups, match=message)


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n not in LABELED])
def test_y_of_strings_given_to_a_regressor(name):
    X, _, groups = make_data(name)
    wrong = np.array(["low", "high"] * 15)
    assert_fit_refused(name, X, wrong, groups, match="could not convert string")


# Weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: 0.0 * w, r"[Ss]ample weights? .*(non-zero|zero)"),
        (lambda w: np.where(np.arange(30) == 5, -1.0, w), "Negative .*sample_weight"),
        (lambda w: np.where(np.arange(30) == 5, np.nan, w), "sample_weight .*NaN"),
        (lambda w: np.where(np.arange(30) == 5, np.inf, w), "sample_weight .*infinity"),
        (lambda w: w[:-1], r"sample_weight.shape == \(29,\), expected \(30,\)"),
        (lambda w: w[:, None], "[Ss]ample.weight.* 1D"),
    ],
    ids=["all zero", "negative", "NaN", "infinite", "too short", "2-D"],
)
@every_estimator
def test_sample_weight(name, change, message):
    X, y, groups = make_data(name)
    weight = change(np.ones(30))
    assert_fit_refused(name, X, y, groups, weight, match=message)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 0.0, 1: 0.0}, "class_weight"),
        ({0: -1.0, 1: 1.0}, "class_weight"),
        ({0: float("nan"), 1: 1.0}, "class_weight"),
        ("equal", "'class_weight' parameter"),
    ],
    ids=["all zero", "negative", "NaN", "unknown"],
)
@pytest.mark.parametrize("name", [n for n in ESTIMATORS if has(n, "class_weight")])
def test_class_weight(name, class_weight, message):
    X, y, groups = make_data(name)
    assert_fit_refused(name, X, y, groups, match=message, class_weight=class_weight)


# Parameters


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1", None])
@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, parameter)
        for name in ESTIMATORS
        for parameter in (
            "penalty_weight",
            "gamma",
            "alpha",
            "learning_rate_init",
            "meta_learning_rate",
            "lambda_shared",
            "lambda_task",
            "epsilon",
        )
        if has(name, parameter)
    ],
)
def test_numbers(name, parameter, value):
    X, y, groups = make_data(name)
    message = f"'{parameter}' parameter of {name} must be"
    assert_fit_refused(name, X, y, groups, match=message, **{parameter: value})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0,), "hidden_layer_sizes"),
        ((4, -1), "hidden_layer_sizes"),
        ((2.5,), "hidden_layer_sizes"),
        (("4",), "hidden_layer_sizes"),
        (7, "'hidden_layer_sizes' parameter"),
    ],
)
@every_network
def test_hidden_layer_sizes(name, sizes, message):
    X, y, groups = make_data(name)
    assert_fit_refused(name, X, y, groups, match=message, hidden_layer_sizes=sizes)


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", "^device must be .*'cpu'.* got 'tpu'"),
        ("meta", "^device must be .*got 'meta'"),
        ("", "^device must be .*got ''"),
        ("cuda:x", "^device must be .*got 'cuda:x'"),
        ("cuda:-1", "^device must be .*got 'cuda:-1'"),
        ("cuda", "^device='cuda' is not available .* 0 CUDA devices"),
        ("cuda:7", "^device='cuda:7' is not available .* 0 CUDA devices"),
        ("mps", "^device='mps' is not available"),
        (7, "'device' parameter"),
        (None, "'device' parameter"),
    ],
)
@every_network
def test_device(name, device, message):
    X, y, groups = make_data(name)
    assert_fit_refused(name, X, y, groups, match=message, device=device)


@every_network
def test_an_unknown_device_when_predicting(name):
    X, y, groups = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    model.device = "tpu"
    with refused(model, X, match="^device must be .*got 'tpu'"):
        model.predict(X)


# A user's module


class Misshapen(torch.nn.Module):
    """A featurizer whose output has a wrong form, in evaluation mode or in training."""

    def __init__(self, change, training):
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.change = change
        self.when = training

    def forward(self, inputs):
        features = self.linear(inputs)
        return self.change(features) if self.training is self.when else features


WRONG_OUTPUTS = {
    "tuple": (lambda f: (f, f), "one tensor .*type tuple"),
    "array": (lambda f: f.detach().numpy(), "one tensor .*type ndarray"),
    "nothing": (lambda f: None, "one tensor .*type NoneType"),
    "3-D": (lambda f: f[:, :, None], r"\(n_rows, n_hidden\).* shape \(\d+, 4, 1\)"),
    "1-D": (lambda f: f[:, 0], r"\(n_rows, n_hidden\).* shape \(\d+,\)"),
    "other rows": (
        lambda f: torch.cat([f, f]),
        r"\(n_rows, n_hidden\).* shape \(\d+, 4\)",
    ),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", WRONG_OUTPUTS)
@every_network
def test_output_of_the_module(name, kind, training):
    change, message = WRONG_OUTPUTS[kind]
    X, y, groups = make_data(name)
    assert_fit_refused(
        name,
        X,
        y,
        groups,
        match=f"^module must map .*{message}",
        module=lambda n_features: Misshapen(change, training),
    )


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (lambda n_features: "net", "str"),
        (lambda n_features: None, "NoneType"),
        (lambda n_features: torch.nn.Linear, "type"),
        (lambda n_features: torch.ones(n_features), "Tensor"),
    ],
)
@every_network
def test_module_that_returns_no_module(name, module, kind):
    X, y, groups = make_data(name)
    message = rf"^module must .* module\(3\) returned an object of type {kind}\."
    assert_fit_refused(name, X, y, groups, match=message, module=module)


@every_network
def test_module_that_is_not_callable(name):
    X, y, groups = make_data(name)
    message = "'module' parameter"
    assert_fit_refused(name, X, y, groups, match=message, module="net")


@every_network
def test_an_error_of_the_module_comes_through(name):
    X, y, groups = make_data(name)

    def broken(n_features):
        raise KeyError("no such layer")

    assert_fit_refused(
        name, X, y, groups, match="no such layer", error=KeyError, module=broken
    )


# Divergence


def noise(name):
    """Targets that X says nothing about, so that no large step happens to fit them."""
    rng = np.random.RandomState(1)
    return rng.randint(2, size=30) if name in CLASSIFIERS else rng.normal(size=30)


# In noise the domains' gradients do not agree, and a linear model that masks let move
# along agreement alone stays at 0.
DIVERGING = [
    (name, sizes)
    for name in NETWORKS
    for sizes in ((), (8,))
    if sizes or name not in ("ANDMaskClassifier", "SANDMaskClassifier")
]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(("name", "hidden_layer_sizes"), DIVERGING)
def test_divergence(name, hidden_layer_sizes, optimizer):
    X, _, groups = make_data(name)
    assert_fit_refused(
        name,
        X,
        noise(name),
        groups,
        match=r"(?s)^Training diverged.*iteration.*learning_rate_init.*StandardScaler",
        error=DivergenceError,
        hidden_layer_sizes=hidden_layer_sizes,
        optimizer=optimizer,
        learning_rate_init=1e9,
        learning_rate="constant",
        max_iter=60,
    )


@every_network
def test_divergence_names_the_iteration_and_the_term(name):
    X, _, groups = make_data(name)
    assert_fit_refused(
        name,
        X,
        noise(name),
        groups,
        match=r"^Training diverged in iteration \d: the (risk|penalty|.* penalty) is ",
        error=DivergenceError,
        # Squares of such numbers are beyond what a float holds.
        hidden_layer_sizes=(8,),
        optimizer="sgd",
        learning_rate_init=1e200,
        learning_rate="constant",
        max_iter=60,
    )


@pytest.mark.parametrize("seed", range(5))
@every_network
def test_the_noise_of_small_batches_is_not_divergence(name, seed):
    # A short training from a start that is worse than nothing, in batches of 2 rows per
    # domain: the last of them says little about the model.
    X, y, groups = make_data(name, n_samples=48)
    model = make(name, batch_size=2, max_iter=5, random_state=seed)
    model.fit(X, y, groups=groups)
    assert np.isfinite(model.history_["risk"]).all()


# Going on from an earlier fit


@every_network
def test_warm_start_with_other_features(name):
    X, y, groups = make_data(name)
    model = make(name, warm_start=True).fit(X, y, groups=groups)
    message = r"cannot go on .*\[3, 4, \d\].*\[2, 4, \d\].*warm_start=False"
    with refused(model, X, y, match=message):
        model.fit(X[:, :2], y, groups=groups)
    assert model.n_features_in_ == 3


@every_network
def test_warm_start_with_other_layers(name):
    X, y, groups = make_data(name)
    model = make(name, warm_start=True).fit(X, y, groups=groups)
    model.set_params(hidden_layer_sizes=(4, 4))
    with refused(model, X, y, match=r"cannot go on .*\[3, 4, 4, \d\]"):
        model.fit(X, y, groups=groups)


@pytest.mark.parametrize("classes", [(0, 1, 2), (1, 2), ("0", "1")])
@pytest.mark.parametrize("name", NETWORK_CLASSIFIERS)
def test_warm_start_with_other_classes(name, classes):
    X, y, groups = make_data(name)
    model = make(name, warm_start=True).fit(X, y, groups=groups)
    other = np.array(classes)[np.arange(30) % len(classes)]
    with refused(model, X, other, match="class|cannot go on"):
        model.fit(X, other, groups=groups)
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", NETWORK_REGRESSORS)
def test_warm_start_with_another_number_of_targets(name):
    X, y, groups = make_data(name)
    model = make(name, warm_start=True).fit(X, y, groups=groups)
    with refused(model, X, y, match=r"cannot go on .*\[3, 4, 2\]"):
        model.fit(X, np.column_stack([y, y]), groups=groups)


def linear_module(n_features):
    return torch.nn.Linear(n_features, 4)


@every_network
def test_warm_start_with_another_module(name):
    X, y, groups = make_data(name)
    model = make(name, warm_start=True, module=linear_module)
    model.fit(X, y, groups=groups)
    model.module = lambda n_features: torch.nn.Sequential(
        torch.nn.Linear(n_features, 4), torch.nn.Linear(4, 4)
    )
    with refused(model, X, y, match="module|cannot go on"):
        model.fit(X, y, groups=groups)


@every_network
def test_predict_with_another_module(name):
    X, y, groups = make_data(name)
    model = make(name, module=linear_module).fit(X, y, groups=groups)
    model.module = lambda n_features: torch.nn.Linear(n_features, 5)
    with refused(model, X, match="module"):
        model.predict(X)


# Predicting


@every_estimator
def test_predict_before_fit(name):
    X, y, _ = make_data(name)
    model = make(name)
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, method):
            with refused(model, X, match=f"This {name} instance", error=NotFittedError):
                getattr(model, method)(X)
    if name in PREDICTORS:
        with refused(model, X, match=f"This {name} instance", error=NotFittedError):
            model.score(X, y)


@every_estimator
def test_predict_with_another_number_of_features(name):
    X, y, groups = make_data(name)
    model = make(name).fit(X, y, groups=groups)
    message = f"X has 2 features, but {name} is expecting 3 features"
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, method):
            with refused(model, X, match=message):
                getattr(model, method)(X[:, :2])


# partial_fit


@pytest.mark.parametrize("name", [n for n in PARTIAL if n in CLASSIFIERS])
def test_partial_fit_needs_classes_at_first(name):
    X, y, groups = make_data(name)
    model = make(name)
    with refused(model, X, y, groups, match="first call of partial_fit .* classes"):
        model.partial_fit(X, y, groups=groups)
    model.partial_fit(X, y, classes=[0, 1], groups=groups)
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", [n for n in PARTIAL if n in CLASSIFIERS])
def test_partial_fit_with_an_unknown_label(name):
    X, y, groups = make_data(name)
    strange = y.copy()
    strange[7:9] = 5
    message = r"label .*5.* in row 7, .* among classes=\[0 1\]"
    model = make(name)
    with refused(model, X, strange, groups, match=message):
        model.partial_fit(X, strange, classes=[0, 1], groups=groups)
    model.partial_fit(X, y, classes=[0, 1], groups=groups)
    with refused(model, X, strange, groups, match=message):
        model.partial_fit(X, strange, groups=groups)


@pytest.mark.parametrize("name", [n for n in PARTIAL if n in CLASSIFIERS])
def test_partial_fit_with_other_classes_later(name):
    X, y, groups = make_data(name)
    model = make(name).partial_fit(X, y, classes=[0, 1], groups=groups)
    with refused(model, X, y, match=r"classes=\[0 1 2\] differ .*\[0 1\]"):
        model.partial_fit(X, y, classes=[0, 1, 2], groups=groups)


@pytest.mark.parametrize("name", [n for n in PARTIAL if n in CLASSIFIERS])
def test_partial_fit_with_one_class(name):
    X, y, groups = make_data(name)
    model = make(name)
    with refused(model, X, y, match="2 classes.* only one class"):
        model.partial_fit(X, 0 * y, classes=[0], groups=groups)


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_fit_with_another_number_of_features(name):
    X, y, groups = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model = make(name).partial_fit(X, y, groups=groups, **classes)
    with refused(model, X, y, match="X has 2 features, .* expecting 3 features"):
        model.partial_fit(X[:, :2], y, groups=groups)


@pytest.mark.parametrize("name", [n for n in PARTIAL if n not in CLASSIFIERS])
def test_partial_fit_with_another_number_of_targets(name):
    X, y, groups = make_data(name)
    model = make(name).partial_fit(X, y, groups=groups)
    with refused(model, X, y, match="targets|outputs|cannot go on"):
        model.partial_fit(X, np.column_stack([y, y]), groups=groups)
    model = make(name).partial_fit(X, np.column_stack([y, y]), groups=groups)
    with refused(model, X, y, match="targets|outputs|cannot go on"):
        model.partial_fit(X, np.column_stack([y, y, y]), groups=groups)


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_fit_with_wrong_groups(name):
    X, y, groups = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model = make(name).partial_fit(X, y, groups=groups, **classes)
    with refused(model, X, y, match="^groups .*missing value in row 2"):
        model.partial_fit(X, y, groups=["a", "b", None] * 10)


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_fit_that_diverges(name):
    X, y, groups = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model = make(name, optimizer="sgd", learning_rate_init=1e-4)
    model.partial_fit(X, y, groups=groups, **classes)
    model.learning_rate_init = 1e200
    before = None

    def train():
        # A step that is too large shows in the next one.
        nonlocal before
        for _ in range(3):
            before = snapshot(model)
            model.partial_fit(X, noise(name), groups=groups)

    with pytest.raises(DivergenceError, match="learning_rate_init"):
        train()
    assert snapshot(model) == before
    assert all(np.isfinite(values).all() for values in model.coefs_)

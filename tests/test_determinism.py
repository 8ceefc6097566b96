# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The same data and parameters give the same model, and nothing else is touched."""

import copy
import random
from functools import cache, partial

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import zero_one_loss

import quick_fits
from quick_fits import CLASSIFIERS, LABELED, NETWORKS, PARTIAL, output
from skdg import SingleDomainWarning
from skdg._registry import ESTIMATORS
from skdg._training.device import few_threads
from skdg.metrics import group_summary
from skdg.model_selection import DomainHoldout, DomainSearchCV

# Long enough for differences to grow.
make = partial(quick_fits.make, max_iter=10)
KINDS = ("Classifier", "Regressor")
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
every_network = pytest.mark.parametrize("name", NETWORKS)


def make_data(name, n_samples=72):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_samples, 3))
    # Domains of unequal size, whose labels appear in another order than they sort.
    groups = np.array(list("cabcbc"))[np.arange(n_samples) % 6]
    noise = 0.1 * rng.normal(size=n_samples)
    if name == "InvariantCausalPrediction":  # finds what is the same in all domains
        X[:, 0] += 3.0 * (groups == "a")
        return X, X[:, 0] + noise, groups
    y = X[:, 0] + (groups == "a") * X[:, 1] + noise
    return X, (y > 0).astype(int) if name in LABELED else y, groups


def noisy_module(n_features):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 4),
        torch.nn.BatchNorm1d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(4, 3),
    )


# Parameters of networks under which a model must be repeatable as well.
SETTINGS = {
    "full batch": {},
    "minibatch": {"batch_size": 8},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": (4, 3), "activation": "tanh", "optimizer": "sgd"},
    "module": {"module": noisy_module},
    "module, minibatch": {"module": noisy_module, "batch_size": 8},
}
# What initial values, layers and a module are is no business of a method's step: there
# the simplest of each kind stand for all.
STEP_SETTINGS = ["full batch", "minibatch", "linear", "module, minibatch"]


def settings_of(name):
    if name not in NETWORKS:
        return ["full batch"]
    return SETTINGS if name.startswith(("ERM", "Fish", "IDGM")) else STEP_SETTINGS


CASES = [(name, key) for name in ESTIMATORS for key in settings_of(name)]
every_setting = pytest.mark.parametrize(("name", "setting"), CASES)


def fitted_part(model):
    """All fitted values, by a dotted path."""
    params = model.get_params(deep=False)
    values = {}

    def walk(value, path):
        if isinstance(value, dict):
            for key in sorted(value):
                walk(value[key], f"{path}.{key}")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                walk(item, f"{path}[{i}]")
        elif hasattr(value, "get_params"):  # a model within a meta-estimator
            walk(vars(value), path)
        else:
            values[path] = np.array(value)

    for key in sorted(vars(model).keys() - params.keys()):
        walk(vars(model)[key], key)
    return values


def assert_same_model(one, two, without=()):
    """Compare all fitted values bit for bit."""
    ours, theirs = fitted_part(one), fitted_part(two)
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        if path not in without:
            assert value.dtype == theirs[path].dtype, path
            assert value.tobytes() == theirs[path].tobytes(), path


def fit(name, **params):
    X, y, groups = make_data(name)
    return make(name, **params).fit(X, y, groups=groups)


@cache
def reference(name, setting):
    """A model that tests compare with, fitted once in each process."""
    return fit(name, **SETTINGS[setting])


def disturb():
    """Do what may run before a fit in a process."""
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    np.random.rand(3)  # noqa: NPY002
    torch.rand(3)
    for name in ("ERMRegressor", "FishClassifier"):
        fit(name, random_state=5, max_iter=2)


# The same model again


@every_setting
def test_the_same_model_again_and_after_other_fits(name, setting):
    first = reference(name, setting)
    disturb()
    second = fit(name, **SETTINGS[setting])
    assert_same_model(first, second)
    # An estimator that is fitted again forgets its last fit.
    X, y, groups = make_data(name)
    second.fit(X[:40, ::-1], y[:40], groups=groups[:40] == "c")
    assert_same_model(first, second.fit(X, y, groups=groups))
    np.testing.assert_array_equal(output(first, X), output(second, X))


@every_setting
def test_predictions_repeat_and_depend_on_the_model_alone(name, setting):
    X, _, _ = make_data(name)
    model = reference(name, setting)
    before = fitted_part(copy.deepcopy(model))
    predicted = output(model, X)
    disturb()
    np.testing.assert_array_equal(output(model, X), predicted)
    after = fitted_part(model)
    assert before.keys() == after.keys()
    for path, value in before.items():
        assert value.tobytes() == after[path].tobytes(), path


# Settings in which the seed matters: a linear model starts from 0.
SEEDED = {k: v for k, v in SETTINGS.items() if k != "linear"}


@pytest.mark.parametrize("setting", SEEDED)
@every_network
def test_another_seed_is_another_model(name, setting):
    first = reference(name, setting)
    second = fit(name, **SEEDED[setting], random_state=1)
    assert not np.array_equal(first.coefs_[-1], second.coefs_[-1])


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("name", PARTIAL)
def test_in_parts_the_same_again(name, batch_size):
    X, y, groups = make_data(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}

    def train():
        model = make(name, batch_size=batch_size)
        for part in (slice(0, 36), slice(36, 72)):
            model.partial_fit(X[part], y[part], groups=groups[part], **classes)
        return model

    first = train()
    disturb()
    assert_same_model(first, train())


@every_network
def test_a_warm_start_is_the_same_again(name):
    X, y, groups = make_data(name)
    models = []
    for _ in range(2):
        model = make(name, warm_start=True, batch_size=8)
        models.append(model.fit(X, y, groups=groups).fit(X, y, groups=groups))
        disturb()
    assert_same_model(*models)
    cold = make(name, batch_size=8).fit(X, y, groups=groups)
    assert not np.array_equal(models[0].coefs_[-1], cold.coefs_[-1])


# Sources of randomness


@every_setting
def test_a_generator_is_used_and_goes_on(name, setting):
    params = SETTINGS[setting]
    first = fit(name, **params, random_state=np.random.RandomState(3))
    second = fit(name, **params, random_state=np.random.RandomState(3))
    assert_same_model(first, second)
    if name not in NETWORKS:
        return
    generator = np.random.RandomState(3)
    third = fit(name, **params, random_state=generator)
    fourth = fit(name, **params, random_state=generator)
    assert_same_model(first, third)
    if setting in SEEDED:
        assert not np.array_equal(third.coefs_[-1], fourth.coefs_[-1])


@every_network
def test_without_a_seed_two_models_differ(name):
    disturb()
    first = fit(name, random_state=None)
    disturb()
    # Although the global generators are where they were.
    second = fit(name, random_state=None)
    assert not np.array_equal(first.coefs_[-1], second.coefs_[-1])


def global_state():
    algorithm, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "numpy": (algorithm, keys.tobytes(), *rest),
        "python": random.getstate(),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "errors": np.geterr(),
    }


@pytest.mark.parametrize("seed", [0, None])
@every_setting
def test_global_state_is_left_alone(name, setting, seed):
    X, y, groups = make_data(name)
    model = make(name, **SETTINGS[setting], random_state=seed)
    before = global_state()
    model.fit(X, y, groups=groups)
    assert global_state() == before
    output(model, X)
    if hasattr(model, "score"):
        model.score(X, y)
    assert global_state() == before
    if name in PARTIAL:
        model.partial_fit(X, y, groups=groups)
        assert global_state() == before


def summarize(y, groups):
    group_summary(y, y, groups=groups, metric=zero_one_loss)


def search(y, groups):
    model = DomainSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_candidates=2)
    model.fit(y[:, None], y, groups=groups)


def hold_out(y, groups):
    next(DomainHoldout().split(y, groups=groups))


@pytest.mark.parametrize("draw", [summarize, search, hold_out])
def test_global_state_is_left_alone_without_a_seed(draw):
    groups = np.repeat(["a", "b", "c"], 8)
    before = global_state()
    draw(np.arange(24) % 2, groups)
    assert global_state() == before


@every_network
def test_global_state_is_left_alone_by_a_fit_that_fails(name):
    X, y, groups = make_data(name)

    class Breaking(torch.nn.Module):
        def forward(self, inputs):
            if self.training:
                raise OverflowError("broken")
            return torch.nn.functional.dropout(inputs, training=True)

    before = global_state()
    with pytest.raises(OverflowError, match="broken"):
        make(name, module=lambda n: Breaking()).fit(X, y, groups=groups)
    assert global_state() == before


def test_fits_that_overlap_leave_the_number_of_threads_as_it_was(threads):
    threads(2)
    with few_threads(1):
        assert torch.get_num_threads() == 1
        with few_threads(1):
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with few_threads(2**40):
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("at", [1, 2])  # on the way in, on the way out
def test_an_interrupt_leaves_the_number_of_threads_as_it_was(at, threads, monkeypatch):
    threads(2)
    set_to, calls = torch.set_num_threads, []

    def interrupted(number):
        calls.append(number)
        if len(calls) == at:
            raise KeyboardInterrupt
        set_to(number)

    monkeypatch.setattr(torch, "set_num_threads", interrupted)
    with pytest.raises(KeyboardInterrupt), few_threads(1):
        pass
    monkeypatch.undo()
    assert torch.get_num_threads() == 2
    # Nor does it count as a fit that goes on, for which the number would be kept.
    threads(3)
    with few_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


@pytest.fixture
def double_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@every_setting
def test_gradients_that_are_off_outside_do_not_change_the_model(name, setting):
    first = reference(name, setting)
    # What no_grad turns off, and more.
    with torch.inference_mode():
        second = fit(name, **SETTINGS[setting])
    assert_same_model(first, second)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("setting", [k for k in SETTINGS if "module" not in k])
@every_network
def test_the_default_precision_does_not_change_the_model(name, setting):
    # (The initial values of a module are drawn in the default precision.)
    double = fit(name, **SETTINGS[setting])
    torch.set_default_dtype(torch.float32)
    assert_same_model(double, reference(name, setting))


# Processes


# What a worker process can import by name: this file is none of its modules.
IMPORTABLE = SETTINGS | {
    "module": {"module": partial(torch.nn.Linear, out_features=4)},
    "module, minibatch": {
        "module": partial(torch.nn.Linear, out_features=4),
        "batch_size": 8,
    },
}


def test_parallel_fits_give_the_same_models():
    models = [make(name, **IMPORTABLE[setting]) for name, setting in CASES]
    tables = [make_data(name) for name, _ in CASES]
    expected = [
        clone(model).fit(X, y, groups=groups)
        for model, (X, y, groups) in zip(models, tables, strict=True)
    ]
    results = Parallel(n_jobs=2)(
        delayed(clone(model).fit)(X, y, groups=groups)
        for model, (X, y, groups) in zip(models, tables, strict=True)
    )
    for one, two in zip(expected, results, strict=True):
        assert_same_model(one, two)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_network
def test_the_number_of_threads_does_not_change_the_model(name, dtype, threads):
    # With these shapes a matrix product in single precision depends on it.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 10)).astype(dtype)
    y = X[:, 0] + rng.normal(size=300)
    if name in CLASSIFIERS:
        y = (y > 0).astype(int)
    groups = np.arange(300) % 3
    models = []
    for number in (1, 2):
        threads(number)
        model = make(name, hidden_layer_sizes=(100,), batch_size=None, max_iter=30)
        models.append(model.fit(X, y, groups=groups))
        assert torch.get_num_threads() == number
    assert_same_model(*models)


# Precision


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("setting", SETTINGS)
@every_network
def test_precision_is_that_of_the_data(name, setting, dtype):
    X, y, groups = make_data(name)
    X = X.astype(dtype)
    model = make(name, **SETTINGS[setting]).fit(X, y, groups=groups)
    values = [*model.coefs_, *model.intercepts_]
    values += [v for v in getattr(model, "module_state_", {}).values() if v.ndim]
    assert [value.dtype for value in values] == [dtype] * len(values)
    assert model.history_["risk"].dtype == dtype
    if name in CLASSIFIERS:
        assert model.decision_function(X).dtype == dtype
        assert model.predict_proba(X).dtype == dtype
    else:
        assert model.predict(X).dtype == dtype


@every_network
def test_double_precision_is_not_single_precision_in_disguise(name):
    X, y, groups = make_data(name)
    double = make(name).fit(X, y, groups=groups)
    single = make(name).fit(X.astype(np.float32), y, groups=groups)
    assert not np.array_equal(double.coefs_[0], single.coefs_[0].astype(float))
    np.testing.assert_allclose(double.coefs_[0], single.coefs_[0], atol=0.01)


@every_estimator
def test_integers_are_computed_in_double_precision(name):
    X, y, groups = make_data(name)
    X = np.rint(X)
    double = make(name).fit(X, y, groups=groups)
    integer = make(name).fit(X.astype(np.int64), y, groups=groups)
    assert_same_model(double, integer)


# Inputs


def containers():
    """Ways to hand over the same rows, and how to look at them afterwards."""
    yield "array", np.array, np.array
    yield "column order", np.asfortranarray, np.array
    yield "list", lambda X: X.tolist(), np.array
    yield "pandas", lambda X: pd.DataFrame(X, columns=list("xyz")), pd.Series
    yield "polars", lambda X: pl.DataFrame(X, schema=list("xyz")), pl.Series


@pytest.mark.parametrize(
    ("frame", "column"),
    [(frame, column) for _, frame, column in containers()],
    ids=[name for name, _, _ in containers()],
)
@every_estimator
def test_inputs_are_not_modified(name, frame, column):
    X, y, groups = make_data(name)
    weight = np.random.RandomState(0).randint(0, 3, size=len(y)).astype(float)
    inputs = frame(X), column(y), column(groups), column(weight)
    before = [np.array(value) for value in inputs]
    model = make(name).fit(*inputs)
    output(model, inputs[0])
    if hasattr(model, "score"):
        model.score(inputs[0], inputs[1], sample_weight=inputs[3])
    for value, expected in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(np.array(value), expected)
    # Nor does the container matter.
    same = make(name).fit(X, y, groups, weight)
    assert_close(model, same, inputs[0], X)


@every_estimator
def test_lists_are_not_modified(name):
    X, y, groups = (value.tolist() for value in make_data(name))
    weight = [1.0, 2.0, 0.0] * 24
    before = copy.deepcopy((X, y, groups, weight))
    output(make(name).fit(X, y, groups, weight), X)
    assert (X, y, groups, weight) == before


# Layers and modules never see the arrays of the caller.
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "setting"),
    [case for case in CASES if case[1] in ("full batch", "minibatch")],
)
def test_read_only_and_mapped_arrays_are_as_good(name, setting, dtype, tmp_path):
    X, y, groups = make_data(name)
    X = X.astype(dtype)
    weight = np.random.RandomState(0).randint(0, 3, size=len(y)).astype(dtype)
    expected = make(name, **SETTINGS[setting]).fit(X, y, groups, weight)
    for array in (X, y, groups, weight):
        array.flags.writeable = False
    locked = make(name, **SETTINGS[setting]).fit(X, y, groups, weight)
    assert_same_model(expected, locked)
    joblib.dump((X, y, groups, weight), tmp_path / "data")
    mapped = joblib.load(tmp_path / "data", mmap_mode="r")
    assert all(isinstance(array, np.memmap) for array in mapped)
    model = make(name, **SETTINGS[setting]).fit(*mapped)
    assert_same_model(expected, model)
    np.testing.assert_array_equal(output(model, mapped[0]), output(expected, X))
    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            np.testing.assert_array_equal(
                getattr(model, method)(mapped[0]), getattr(expected, method)(X)
            )


# Laws of domains and weights


NAMES = {
    "reversed": {"a": "z", "b": "y", "c": "x"},
    "rotated": {"a": "b", "b": "c", "c": "a"},
    "numbers": {"a": 3, "b": 10, "c": -1},
    "other types": {"a": 1, "b": "1", "c": 1.5},
}


# The order of domains matters to each kind of batch, their type to none.
@pytest.mark.parametrize(
    ("name", "setting", "names"),
    [(*case, names) for case in CASES for names in ("reversed", "rotated")]
    + [
        (name, "full batch", n)
        for name in ESTIMATORS
        for n in ("numbers", "other types")
    ],
)
def test_other_names_of_domains_give_the_same_model(name, setting, names):
    X, y, groups = make_data(name)
    model = reference(name, setting)
    names = NAMES[names]
    renamed = [names[label] for label in groups]
    other = make(name, **SETTINGS[setting]).fit(X, y, groups=renamed)
    place = {label: i for i, label in enumerate(other.domains_)}
    order = [place[names[label]] for label in model.domains_]
    # What is listed by domain stands in the order of the labels.
    by_domain = {
        "domains_": None,
        "history_.risk": 1,
        "task_coef_": 0,
        "task_intercept_": 0,
        "task_coefs_": 0,
        "task_intercepts_": 0,
        "domain_losses_": 1,
        "domain_weights_": 1,
    }
    ours, theirs = fitted_part(model), fitted_part(other)
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        axis = by_domain.get(path.partition("[")[0])
        again = theirs[path] if axis is None else theirs[path].take(order, axis)
        if path != "domains_":
            np.testing.assert_array_equal(value, again, err_msg=path)
    np.testing.assert_array_equal(output(model, X), output(other, X))


def with_weights(name):
    X, y, groups = make_data(name)
    weight = np.random.RandomState(2).randint(0, 4, size=len(y))
    assert 0 < (weight == 0).sum() < len(y) / 2
    return X, y, groups, weight


@every_setting
def test_rows_of_weight_0_are_as_if_absent(name, setting):
    X, y, groups, weight = with_weights(name)
    kept = weight > 0
    full = make(name, **SETTINGS[setting]).fit(X, y, groups, weight)
    without = make(name, **SETTINGS[setting]).fit(
        X[kept], y[kept], groups[kept], weight[kept]
    )
    # Rows are counted from the first that was given.
    assert_same_model(full, without, without=["support_"])
    np.testing.assert_array_equal(output(full, X), output(without, X))


@every_setting
def test_a_domain_of_weight_0_is_as_if_absent(name, setting):
    X, y, groups = make_data(name)
    kept = groups != "b"
    full = make(name, **SETTINGS[setting]).fit(X, y, groups, kept.astype(float))
    without = make(name, **SETTINGS[setting]).fit(X[kept], y[kept], groups[kept])
    assert full.domains_.tolist() == ["a", "c"]
    assert_same_model(full, without, without=["support_"])


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 1.0, 2: 0.5}])
def test_a_class_of_weight_0_is_as_if_absent(name, class_weight):
    X, y, groups = make_data(name)
    y = np.where(np.arange(len(y)) % 6 == 2, 2, y)
    kept = y != 2
    full = make(name, class_weight=class_weight).fit(
        X, y, groups, sample_weight=kept.astype(float)
    )
    without = make(name, class_weight=class_weight).fit(X[kept], y[kept], groups[kept])
    assert full.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(output(full, X), output(without, X))


# These pair or split rows at random.
DRAWING = [f"{m}{kind}" for m in ("Mixup", "CausIRL") for kind in KINDS]
# These estimate covariances without bias, from weights that count rows.
COUNTING = [f"{m}{kind}" for m in ("CORAL", "CausIRL") for kind in KINDS]

FULL_BATCH = [
    (name, key)
    for name, key in CASES
    # Dropout draws other units for other rows.
    if key in ("full batch", "linear", "deep") and name not in DRAWING
]


@pytest.mark.parametrize(("name", "setting"), FULL_BATCH)
def test_whole_weights_are_repetitions(name, setting):
    X, y, groups, weight = with_weights(name)
    weighted = make(name, **SETTINGS[setting]).fit(X, y, groups, weight)
    repeated = make(name, **SETTINGS[setting]).fit(
        *(np.repeat(value, weight, axis=0) for value in (X, y, groups))
    )
    assert_close(weighted, repeated, X)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0}])
@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if n not in DRAWING])
def test_whole_weights_are_repetitions_beside_class_weights(name, class_weight):
    X, y, groups, weight = with_weights(name)
    weight[y == 1] += 1
    weighted = make(name, class_weight=class_weight).fit(X, y, groups, weight)
    repeated = make(name, class_weight=class_weight).fit(
        *(np.repeat(value, weight, axis=0) for value in (X, y, groups))
    )
    assert_close(weighted, repeated, X)


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in COUNTING])
def test_the_scale_of_weights_is_free_where_domains_count_equally(name):
    X, y, groups, weight = with_weights(name)
    model = make(name).fit(X, y, groups, weight)
    other = make(name).fit(X, y, groups, 4.0 * weight)
    assert_close(model, other, X)


def finest_output(model, X):
    """Return what tells most about a model: of a classifier not only the labels."""
    for method in ("decision_function", "predict_proba"):
        if hasattr(model, method):
            return getattr(model, method)(X)
    return output(model, X)


def assert_close(one, two, X, X_of_two=None):
    ours = finest_output(one, X)
    theirs = finest_output(two, X if X_of_two is None else X_of_two)
    assert np.ptp(ours) > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@every_setting
def test_one_label_is_as_good_as_none(name, setting):
    X, y, _ = make_data(name)
    models = []
    for labels in (None, ["a"] * len(y), np.full(len(y), 7)):
        with pytest.warns(SingleDomainWarning):
            models.append(make(name, **SETTINGS[setting]).fit(X, y, groups=labels))
    for model in models[1:]:
        assert_same_model(models[0], model, without=["domains_"])
    assert [model.n_domains_ for model in models] == [1, 1, 1]
    assert [len(model.domains_) for model in models] == [1, 1, 1]

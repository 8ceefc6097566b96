# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A fitted estimator is made of numpy arrays, and survives every way of storing it."""

import copy
import io
import pickle
import subprocess
import sys
from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdg
from quick_fits import (
    CLASSIFIERS,
    LABELED,
    NETWORKS,
    PARTIAL,
    make,
    make_data,
    output,
)
from skdg._registry import ESTIMATORS


def small_module(n_features):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 4),
        torch.nn.BatchNorm1d(4),
        torch.nn.Dropout(0.5),
        torch.nn.Tanh(),
    )


def fit_plainly(name, X, y, groups):
    return make(name).fit(X, y, groups=groups)


def fit_linear(name, X, y, groups):
    return make(name, hidden_layer_sizes=()).fit(X, y, groups=groups)


def fit_in_single_precision(name, X, y, groups):
    return make(name).fit(X.astype(np.float32), y, groups=groups)


def fit_named_columns(name, X, y, groups):
    X = pd.DataFrame(X, columns=["one", "two", "three"])
    return make(name).fit(X, y, groups=groups)


def fit_labels_of_several_types(name, X, y, groups):
    return make(name).fit(X, y, groups=[1, "a", 2.5] * 10)


def fit_timestamps(name, X, y, groups):
    groups = pd.Series(pd.to_datetime(["2021", "2020", "2022"] * 10))
    return make(name).fit(X, y, groups=groups)


def fit_strings_as_classes(name, X, y, groups):
    y = np.array(["no", "yes"])[y] if name in LABELED else y
    return make(name).fit(X, y, groups=groups)


def fit_with_a_generator(name, X, y, groups):
    return make(name, random_state=np.random.RandomState(3)).fit(X, y, groups=groups)


def fit_in_parts(name, X, y, groups):
    model = make(name)
    if name not in PARTIAL:
        return model.fit(X, y, groups=groups)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model.partial_fit(X, y, groups=groups, **classes)
    return model.partial_fit(X, y, groups=groups)


FITS = [
    fit_plainly,
    fit_linear,
    fit_in_single_precision,
    fit_named_columns,
    fit_labels_of_several_types,
    fit_timestamps,
    fit_strings_as_classes,
    fit_with_a_generator,
    fit_in_parts,
]
# What the labels of domains and classes are is no business of a network's method: its
# two tasks stand for all that train one.
PAIRS = [
    (name, fit)
    for name in ESTIMATORS
    for fit in FITS
    if name not in NETWORKS
    or name.startswith("ERM")
    or fit in (fit_plainly, fit_linear, fit_in_parts)
]
CASES = pytest.mark.parametrize(
    ("name", "fit"),
    PAIRS,
    ids=[f"{name}-{fit.__name__[4:]}" for name, fit in PAIRS],
)


@cache
def fitted(name, fit):
    """A model to store, fitted once in each process."""
    return fit(name, *make_data(name))


def trusted(model):
    """The types that skops must be told to trust: the estimator's own class."""
    return [f"{type(model).__module__}.{type(model).__name__}"]


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_oldest_pickle(model):
    return pickle.loads(pickle.dumps(model, protocol=0))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file, compress=3)
    file.seek(0)
    return joblib.load(file)


def by_skops(model):
    data = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=data) == trusted(model)
    return skops.io.loads(data, trusted=skdg.TRUSTED_TYPES)


ROUND_TRIPS = {
    "pickle": by_pickle,
    "pickle, protocol 0": by_oldest_pickle,
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
    "skops": by_skops,
}


def predictions(model, X, groups):
    results = [output(model, X)]
    for method in ("predict_proba", "decision_function"):
        if hasattr(model, method):
            results.append(getattr(model, method)(X))
    requests = getattr(model.get_metadata_routing(), "predict", None)
    if requests is not None and requests.requests.get("groups"):
        results.append(model.predict(X, groups=groups))
    return results


def assert_same_predictions(model, other, X, groups):
    ours = predictions(model, X, groups)
    theirs = predictions(other, X, groups)
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def assert_same_values(one, two, path=""):
    """Compare nested lists, dicts and arrays, their types included."""
    assert type(one) is type(two), path
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_same_values(one[key], two[key], f"{path}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two)
        for i, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_same_values(first, second, f"{path}[{i}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype, path
        np.testing.assert_array_equal(one, two, err_msg=path)
    else:
        assert one == two, path


def fitted_part(model):
    params = model.get_params(deep=False)
    skip = {*params, "_metadata_request"}
    return {
        key: as_dicts(value) for key, value in vars(model).items() if key not in skip
    }


def as_dicts(value):
    """Replace models within a meta-estimator by what they hold."""
    if isinstance(value, list):
        return [as_dicts(item) for item in value]
    return fitted_part(value) if hasattr(value, "get_params") else value


@pytest.mark.parametrize("way", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
@CASES
def test_round_trip_is_equal_bit_for_bit(name, fit, way):
    X, _, _ = make_data(name)
    model = fitted(name, fit)
    before = fitted_part(copy.deepcopy(model))
    loaded = way(model)
    assert loaded is not model
    assert type(loaded) is type(model)
    X = X.astype(np.float32) if fit is fit_in_single_precision else X
    if fit is fit_named_columns:
        X = pd.DataFrame(X, columns=model.feature_names_in_)
    assert_same_predictions(model, loaded, X, list(model.domains_) * 10)
    assert_same_values(fitted_part(model), fitted_part(loaded))
    assert_same_values(fitted_part(model), before)
    assert repr(loaded.get_metadata_routing()) == repr(model.get_metadata_routing())


def parts(value, path=""):
    """Walk through everything that a value is made of."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from parts(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from parts(item, f"{path}[{i}]")


@CASES
def test_what_is_fitted_is_numpy_and_plain_python(name, fit):
    model = fitted(name, fit)
    plain = (np.ndarray, np.generic, dict, list, str, int, float, bool, type(None))
    strange = [
        f"{path}: {type(value)}"
        for path, value in parts(fitted_part(model))
        if not isinstance(value, plain)
    ]
    assert strange == []
    for path, value in parts(fitted_part(model)):
        while isinstance(value, np.ndarray):
            # The memory is numpy's own, not that of a tensor.
            value = value.base
            assert value is None or isinstance(value, np.ndarray), path


@CASES
def test_no_trace_of_torch_in_the_pickle(name, fit):
    data = pickle.dumps(fitted(name, fit))
    assert b"torch" not in data
    assert b"skdg" in data


@pytest.mark.parametrize("name", NETWORKS)
def test_with_a_module_only_its_function_is_stored(name):
    X, y, groups = make_data(name)
    model = make(name, module=small_module).fit(X, y, groups=groups)
    assert {"0.weight", "1.running_mean"} <= model.module_state_.keys()
    assert all(isinstance(v, np.ndarray) for v in model.module_state_.values())
    # Restored with everything but the function, which pickle stores by its name.
    state = {k: v for k, v in vars(model).items() if k != "module"}
    assert b"torch" not in pickle.dumps(state)
    loaded = copy.deepcopy(model)
    loaded.module_state_ = pickle.loads(pickle.dumps(model.module_state_))
    assert_same_predictions(model, loaded, X, groups)
    assert loaded.module is small_module


LOAD_AND_PREDICT = """
import pickle, sys
data = pickle.load(sys.stdin.buffer)
assert "torch" not in sys.modules
for data, X, expected in data:
    model = pickle.loads(data)
    predicted = getattr(model, "predict", getattr(model, "transform", None))(X)
    assert predicted.dtype == expected.dtype, model
    assert (predicted == expected).all(), model
"""


def test_a_fresh_process_predicts_the_same():
    stored = []
    for name in ESTIMATORS:
        X, y, groups = make_data(name)
        model = make(name).fit(X, y, groups=groups)
        stored.append((pickle.dumps(model), X, output(model, X)))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_AND_PREDICT],
        input=pickle.dumps(stored),
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()


# skops cannot store metadata requests, of no estimator of scikit-learn either.
@pytest.mark.parametrize("way", [clone, by_pickle, by_joblib, copy.deepcopy])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_metadata_requests_are_kept(name, way):
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(name).set_fit_request(groups="domains", sample_weight=False)
        requests = way(model).get_metadata_routing().fit.requests
    assert requests == {"groups": "domains", "sample_weight": False}


@pytest.mark.parametrize("way", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
@pytest.mark.parametrize("name", PARTIAL)
def test_a_stored_model_goes_on_where_it_ended(name, way):
    X, y, groups = make_data(name)
    model = fit_in_parts(name, X, y, groups)
    loaded = way(model)
    for each in (model, loaded):
        each.partial_fit(X, y, groups=groups)
    assert_same_values(fitted_part(model), fitted_part(loaded))
    assert_same_predictions(model, loaded, X, groups)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_skops_needs_to_trust_one_class_in_a_pipeline_too(name):
    X, y, groups = make_data(name)
    pipeline = make_pipeline(StandardScaler(), make(name))
    pipeline.fit(X, y, **{f"{name.lower()}__groups": groups})
    data = skops.io.dumps(pipeline)
    assert skops.io.get_untrusted_types(data=data) == trusted(pipeline[-1])
    loaded = skops.io.loads(data, trusted=trusted(pipeline[-1]))
    np.testing.assert_array_equal(output(pipeline, X), output(loaded, X))


# Devices


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
@pytest.mark.parametrize("module", [None, small_module])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_from_a_gpu_predicts_on_the_cpu_with_a_warning(name, module, device):
    X, y, groups = make_data(name)
    model = make(name, module=module).fit(X, y, groups=groups)
    there = copy.deepcopy(model)
    there.device = device
    there = there if module is small_module else by_pickle(there)
    methods = ["predict"]
    if name in CLASSIFIERS:
        methods += ["predict_proba", "decision_function"]
    for method in methods:
        with pytest.warns(RuntimeWarning, match=f"device='{device}' .* CPU") as caught:
            predicted = getattr(there, method)(X)
        assert [warning.filename for warning in caught] == [__file__]
        np.testing.assert_array_equal(predicted, getattr(model, method)(X))
    # It still says where it was trained.
    assert there.device == device


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", NETWORKS)
def test_training_on_a_gpu_that_is_not_there_is_an_error(name):
    X, y, groups = make_data(name)
    with pytest.raises(ValueError, match="device='cuda' is not available"):
        make(name, device="cuda").fit(X, y, groups=groups)


# Clones


@CASES
def test_a_clone_is_unfitted_and_gives_the_same_model(name, fit):
    X, y, groups = make_data(name)
    model = fit(name, X, y, groups)
    twin = clone(model)
    assert fitted_part(twin) == {}
    with pytest.raises(NotFittedError):
        output(twin, X)
    assert repr(twin.get_metadata_routing()) == repr(model.get_metadata_routing())
    # A generator is copied, and its repr holds its address.
    ours, theirs = twin.get_params(), model.get_params()
    for params in (ours, theirs):
        params.pop("random_state", None)
    assert ours == theirs
    again = clone(twin).fit(X, y, groups=groups)
    assert_same_predictions(twin.fit(X, y, groups=groups), again, X, groups)

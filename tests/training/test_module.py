# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import itertools
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from skdg import (
    ERMClassifier,
    ERMRegressor,
    FishClassifier,
    IDGMClassifier,
    IRMClassifier,
    IRMRegressor,
)
from skdg._training.dense import DenseNetwork
from skdg._training.loop import train
from skdg._training.module import ModuleNetwork
from skdg._training.optimizer import Optimizer
from skdg._training.state import NetworkState
from skdg._training.steps import GradientStep, Penalty, RiskStep

CPU = torch.device("cpu")
MODULES = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
}


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


class Twins:
    """A DenseNetwork, and a ModuleNetwork of the same function."""

    def __init__(self, layer_sizes, activation, flat):
        self.dense = DenseNetwork(layer_sizes, activation, flat)
        state = self.dense.state()
        layers = [nn.Identity()]
        for n_in, n_out in itertools.pairwise(layer_sizes[:-1]):
            layers += [nn.Linear(n_in, n_out), MODULES[activation]()]
        featurizer = nn.Sequential(*layers).double()
        # torch keeps the transposed weights.
        arrays = [
            array
            for coefs, intercepts in zip(
                state.coefs[:-1], state.intercepts[:-1], strict=True
            )
            for array in (coefs.T, intercepts)
        ]
        names = featurizer.state_dict()
        own = NetworkState(
            state.coefs[-1:],
            state.intercepts[-1:],
            dict(zip(names, arrays, strict=True)),
        )
        self.module = ModuleNetwork(featurizer, own, torch.float64, CPU)

    def to_module(self, flat):
        """Reorder vectors of shape (..., n_parameters) as the module has them."""
        tensors = self.dense.tensors(flat)
        parts = [
            tensor.mT.flatten(-2) if i % 2 == 0 and i < len(tensors) - 2 else tensor
            for i, tensor in enumerate(tensors)
        ]
        parts[-2] = parts[-2].flatten(-2)
        return torch.cat(parts, -1)


@pytest.fixture(params=[(), (4,), (4, 5)], ids=len)
def hidden(request):
    return request.param


@pytest.fixture(params=[(5, 5), (6, 1, 4)], ids=["equal", "ragged"])
def rows_of(request, make_rows):
    return partial(make_rows, sizes=request.param)


@pytest.fixture(params=MODULES)
def make_twins(request, plain_network, hidden, tasks):
    def make(task):
        layer_sizes = (3, *hidden, tasks[task][1])
        plain = plain_network(layer_sizes, request.param, task)
        return Twins(layer_sizes, request.param, plain.random_parameters())

    return make


TASKS = pytest.mark.parametrize("task", ["binary", "classes", "targets"])


@TASKS
def test_passes_agree_with_the_dense_network(make_twins, rows_of, tasks, task):
    twins, rows, loss = make_twins(task), rows_of(task), tasks[task][0]
    assert_equal(twins.module.parameters, twins.to_module(twins.dense.parameters))
    assert_equal(twins.module.head, twins.dense.head)
    assert_equal(twins.module.outputs(rows.inputs), twins.dense.outputs(rows.inputs))
    batch, expected = (n.forward(rows, loss) for n in (twins.module, twins.dense))
    for name in ("outputs", "features", "head", "risks", "residuals"):
        value = getattr(batch, name)
        assert not value.requires_grad
        assert_equal(value, getattr(expected, name))
    rng = np.random.default_rng(1)
    gradients = [
        torch.tensor(rng.normal(size=getattr(batch, name).shape))
        for name in ("outputs", "features", "head")
    ]
    found = twins.module.backward(*gradients)
    assert_equal(found, twins.to_module(twins.dense.backward(*gradients)))


@TASKS
def test_domain_gradients_agree_with_the_dense_network(
    make_twins, rows_of, tasks, task
):
    twins, rows, loss = make_twins(task), rows_of(task), tasks[task][0]
    gradients, expected = (
        network.domain_gradients(network.forward(rows, loss))
        for network in (twins.module, twins.dense)
    )
    assert not gradients.requires_grad
    assert_equal(gradients, twins.to_module(expected))
    directions = torch.tensor(np.random.default_rng(2).normal(size=expected.shape))
    found = twins.module.hessian_products(twins.to_module(directions))
    assert_equal(found, twins.to_module(twins.dense.hessian_products(directions)))


def penalty_on_everything(batch):
    return (
        batch.rows.mean(batch.features.square()).sum()
        + batch.rows.mean(batch.outputs * batch.residuals).square().sum()
        + batch.head.square().sum()
        + batch.risks.var()
    )


def penalty_on_gradients(gradients):
    return gradients.sum(0).square().sum() - gradients.square().sum()


@pytest.mark.parametrize(
    "make_step",
    [
        RiskStep,
        lambda: RiskStep(Penalty(0.1, function=penalty_on_everything)),
        lambda: GradientStep(Penalty(0.01, function=penalty_on_gradients)),
    ],
    ids=["erm", "risks", "gradients"],
)
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_training_agrees_with_the_dense_network(
    make_twins, rows_of, tasks, make_step, kind
):
    twins, rows, loss = make_twins("classes"), rows_of("classes"), tasks["classes"][0]
    histories = [
        train(
            network,
            itertools.repeat(rows),
            loss,
            make_step(),
            Optimizer(network.parameters, kind, 0.02, declining=True),
            max_iter=8,
            judged_on=[rows],
        ).history
        for network in (twins.module, twins.dense)
    ]
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-10)
    assert_equal(twins.module.parameters, twins.to_module(twins.dense.parameters))


def test_state_holds_every_parameter_and_makes_the_same_network(make_twins):
    twins = make_twins("classes")
    with torch.no_grad():
        twins.module.parameters.mul_(2.0)
        twins.dense.parameters.mul_(2.0)
    state, dense = twins.module.state(), twins.dense.state()
    np.testing.assert_array_equal(state.coefs[0], dense.coefs[-1])
    np.testing.assert_array_equal(state.intercepts[0], dense.intercepts[-1])
    expected = [
        array
        for coefs, intercepts in zip(
            dense.coefs[:-1], dense.intercepts[:-1], strict=True
        )
        for array in (coefs.T, intercepts)
    ]
    for array, own in zip(state.module.values(), expected, strict=True):
        np.testing.assert_array_equal(array, own)
    twins.module.parameters.zero_()
    assert all(array.all() for array in state.module.values())


# The estimators.


def data(task="classes", n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    signal = X[:, 0] + 0.3 * rng.normal(size=n)
    if task == "classes":
        y = np.array(["a", "b", "c"])[np.digitize(signal, [-0.5, 0.5])]
    elif task == "binary":
        y = (signal > 0).astype(int)
    else:
        y = 5.0 + 3.0 * signal
    return X, y, rng.integers(0, 3, n)


def hidden_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 8), nn.Tanh(), nn.Linear(8, 6))


def norm_module(n_features):
    return nn.BatchNorm1d(n_features)


def deep_norm_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 6), nn.BatchNorm1d(6), nn.ReLU())


def dropout_module(n_features):
    return nn.Sequential(nn.Linear(n_features, 10), nn.ReLU(), nn.Dropout(0.5))


def same_bits(a, b):
    return all(
        np.array_equal(x, y)
        for x, y in [
            *zip(a.coefs_, b.coefs_, strict=True),
            *zip(a.intercepts_, b.intercepts_, strict=True),
            *((v, b.module_state_[k]) for k, v in a.module_state_.items()),
        ]
    )


def test_running_means_are_those_of_the_rows():
    X, y, groups = data()
    model = ERMClassifier(module=norm_module, max_iter=7, random_state=0)
    model.fit(X + 3.0, y, groups=groups)
    state = model.module_state_
    # Full batches, and torch's momentum of 0.1 from the values 0 and 1.
    left = 0.9**7
    np.testing.assert_allclose(
        state["running_mean"], (1 - left) * (X + 3.0).mean(0), rtol=1e-10
    )
    np.testing.assert_allclose(
        state["running_var"], left + (1 - left) * X.var(0, ddof=1), rtol=1e-10
    )
    assert state["num_batches_tracked"] == 7
    assert all(isinstance(value, np.ndarray) for value in state.values())


def test_prediction_uses_the_running_means():
    X, y, groups = data()
    model = ERMClassifier(module=norm_module, max_iter=7, random_state=0)
    model.fit(X, y, groups=groups)
    state = model.module_state_
    before = {name: value.copy() for name, value in state.items()}
    features = (X - state["running_mean"]) / np.sqrt(state["running_var"] + 1e-5)
    features = features * state["weight"] + state["bias"]
    expected = features @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-10)
    # One row is predicted as it is among others, and predicting changes nothing.
    np.testing.assert_allclose(model.decision_function(X[:1]), expected[:1], rtol=1e-10)
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value)


def test_warm_start_goes_on_with_the_running_means():
    X, y, groups = data()
    model = ERMClassifier(module=norm_module, max_iter=3, warm_start=True)
    model.fit(X, y, groups=groups).fit(X, y, groups=groups)
    assert model.module_state_["num_batches_tracked"] == 6
    np.testing.assert_allclose(
        model.module_state_["running_mean"], (1 - 0.9**6) * X.mean(0), rtol=1e-10
    )


@pytest.mark.parametrize("module", [dropout_module, deep_norm_module, hidden_module])
def test_torch_is_left_as_it_was_and_has_no_influence(module):
    X, y, groups = data()
    models = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        model = ERMClassifier(module=module, max_iter=5, random_state=3)
        model.fit(X, y, groups=groups).predict_proba(X)
        models.append(model)
        assert torch.equal(torch.get_rng_state(), before)
    assert same_bits(*models)
    other = ERMClassifier(module=module, max_iter=5, random_state=4)
    assert not same_bits(models[0], other.fit(X, y, groups=groups))


def test_dropout_acts_in_training_alone():
    X, y, groups = data()
    model = ERMClassifier(module=dropout_module, max_iter=30, random_state=0)
    model.fit(X, y, groups=groups)
    state = model.module_state_
    features = np.maximum(X @ state["0.weight"].T + state["0.bias"], 0.0)
    expected = features @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-10)

    def without(n_features):
        return dropout_module(n_features)[:2]

    plain = ERMClassifier(module=without, max_iter=30, random_state=0)
    plain.fit(X, y, groups=groups)
    assert plain.history_["risk"][0].mean() != model.history_["risk"][0].mean()


@pytest.mark.parametrize(
    "estimator",
    [
        ERMClassifier(),
        IRMClassifier(),
        IDGMClassifier(gamma=0.01),
        FishClassifier(learning_rate_init=0.01),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("task", ["binary", "classes"])
def test_classifier_end_to_end(estimator, task):
    X, y, groups = data(task)
    estimator.set_params(module=hidden_module, max_iter=150, random_state=0)
    model = estimator.fit(X, y, groups=groups)
    assert model.score(X, y) > 0.85
    assert model.predict_proba(X).shape == (60, len(np.unique(y)))
    n_outputs = 1 if task == "binary" else 3
    assert model.coefs_[0].shape == (6, n_outputs)
    assert not hasattr(model, "coef_")
    state = model.module_state_
    hidden = np.tanh(X @ state["0.weight"].T + state["0.bias"])
    features = hidden @ state["2.weight"].T + state["2.bias"]
    expected = features @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(
        model.decision_function(X).reshape(60, -1), expected, rtol=1e-9
    )
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("regressor", [ERMRegressor, IRMRegressor])
@pytest.mark.parametrize("shape", [(60,), (60, 2)])
def test_regressor_end_to_end(regressor, shape):
    X, y, groups = data("regression")
    y = y if len(shape) == 1 else np.stack([y, -2.0 * y], 1)
    model = regressor(module=hidden_module, max_iter=200, random_state=0)
    model.fit(X, y, groups=groups)
    assert model.score(X, y) > 0.85
    assert model.predict(X).shape == shape
    state = model.module_state_
    hidden = np.tanh(X @ state["0.weight"].T + state["0.bias"])
    features = hidden @ state["2.weight"].T + state["2.bias"]
    expected = features @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(model.predict(X), expected.reshape(shape), rtol=1e-9)


def test_weight_decay_is_on_matrices_alone():
    X, y, groups = data("binary")
    kw = {"module": deep_norm_module, "random_state": 0, "learning_rate": "constant"}
    kw |= {
        "optimizer": "sgd",
        "learning_rate_init": 0.5,
        "max_iter": 1,
        "batch_size": None,
    }
    plain, decayed = (
        ERMClassifier(alpha=alpha, **kw).fit(X, y, groups=groups)
        for alpha in (0.0, 0.2)
    )
    torch.manual_seed(0)  # any: the initial values are got from a fit
    start = ERMClassifier(alpha=0.0, **(kw | {"learning_rate_init": 1e-300})).fit(
        X, y, groups=groups
    )
    # One step of 0.5 on half of 0.2 |w|^2 shrinks by a tenth of the initial value.
    for name, value in start.module_state_.items():
        moved = plain.module_state_[name] - decayed.module_state_[name]
        expected = 0.1 * value if name == "0.weight" else 0.0
        np.testing.assert_allclose(moved, expected, rtol=1e-10, atol=1e-15)
    moved = plain.coefs_[0] - decayed.coefs_[0]
    np.testing.assert_allclose(moved, 0.1 * start.coefs_[0], rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(plain.intercepts_[0], decayed.intercepts_[0])


def test_module_of_another_type_is_an_error():
    X, y, groups = data()
    model = ERMClassifier(module=lambda n_features: "nothing")
    with pytest.raises(ValueError, match=r"module\(4\) returned .* type str"):
        model.fit(X, y, groups=groups)


class Wrong(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, inputs):
        return self.result(inputs)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: (x, x), "one tensor of features; its forward returned .* tuple"),
        (lambda x: x[:, 0], r"for 1 rows its forward returned shape \(1,\)"),
        (lambda x: x.repeat(2, 1), r"for 1 rows its forward returned shape \(2, 4\)"),
    ],
)
def test_features_of_another_shape_are_an_error(result, message):
    X, y, groups = data()
    model = ERMClassifier(module=lambda n_features: Wrong(result))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, groups=groups)

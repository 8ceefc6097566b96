# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Modules as users have them: tied, frozen, shared, trained before, or random."""

import copy
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from skdg import ERMClassifier, FishClassifier, IDGMClassifier
from skdg.datasets import make_fish_linear


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    y = (X[:, 0] + 0.3 * rng.normal(size=90) > 0).astype(int)
    return X, y, np.repeat(["a", "b", "c"], 30)


def fitted(module, estimator=ERMClassifier, **params):
    X, y, groups = data()
    given = {"random_state": 0, "learning_rate": "constant", "max_iter": 40}
    return estimator(module=module, **given | params).fit(X, y, groups=groups)


class Tied(nn.Module):
    """Two layers with one matrix."""

    def __init__(self, n_features):
        super().__init__()
        self.first = nn.Linear(n_features, n_features)
        self.second = nn.Linear(n_features, n_features)
        self.second.weight = self.first.weight

    def forward(self, inputs):
        return torch.tanh(self.second(torch.tanh(self.first(inputs))))


class RandomFeatures(nn.Module):
    """Random cosines that the state of the module does not hold."""

    def __init__(self, n_features):
        super().__init__()
        self.register_buffer("matrix", torch.randn(n_features, 20), persistent=False)

    def forward(self, inputs):
        return torch.cos(inputs @ self.matrix)


def frozen(n_features):
    layer = nn.Linear(n_features, 8)
    nn.init.constant_(layer.weight, 0.1)
    layer.weight.requires_grad_(False)
    return nn.Sequential(layer, nn.Tanh())


def layer_in_two_places(n_features):
    layer = nn.Linear(n_features, n_features)
    return nn.Sequential(layer, nn.Tanh(), layer)


def old_weight_norm(n_features):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch has better ones
        return nn.utils.weight_norm(nn.Linear(n_features, 3))


class Hooked(nn.Module):
    """Features that a hook takes from within, and what no copy can hold."""

    def __init__(self, n_features):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(n_features, 8), nn.Tanh(), nn.Linear(8, 2))
        self.lock, self.found = threading.Lock(), {}
        self.inner[1].register_forward_hook(lambda m, i, o: self.found.update(out=o))

    def forward(self, inputs):
        with self.lock:
            self.inner(inputs)
            return self.found["out"]


MODULES = [Tied, RandomFeatures, frozen, layer_in_two_places, old_weight_norm, Hooked]


@pytest.mark.parametrize("module", MODULES)
def test_predictions_are_those_of_the_trained_network(module):
    X, y, groups = data()
    model = fitted(module, max_iter=40)
    # The risk in the beginning of one more iteration is that after the last one.
    expected = fitted(module, max_iter=41).history_["risk"][-1]
    found = [
        log_loss(y[groups == each], model.predict_proba(X[groups == each]))
        for each in model.domains_
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("module", MODULES)
def test_training_goes_on_from_the_trained_network(module):
    X, y, groups = data()
    expected = fitted(module, optimizer="sgd", max_iter=12)
    model = fitted(module, optimizer="sgd", max_iter=6, warm_start=True)
    model.fit(X, y, groups=groups)
    np.testing.assert_allclose(
        model.decision_function(X), expected.decision_function(X), rtol=1e-8
    )


def test_all_names_of_a_shared_parameter_have_its_value():
    state = fitted(Tied).module_state_
    np.testing.assert_array_equal(state["first.weight"], state["second.weight"])
    assert not np.array_equal(state["first.bias"], state["second.bias"])


@pytest.mark.parametrize("estimator", [ERMClassifier, FishClassifier, IDGMClassifier])
def test_frozen_parameters_stay_as_they_are(estimator):
    params = {"gamma": 0.01} if estimator is IDGMClassifier else {}
    state = fitted(frozen, estimator, alpha=0.1, **params).module_state_
    assert (state["0.weight"] == np.float32(0.1)).all()
    start = fitted(frozen, estimator, max_iter=1, learning_rate_init=1e-12, **params)
    assert np.abs(state["0.bias"] - start.module_state_["0.bias"]).max() > 0.01


def test_frozen_parameters_are_not_in_the_gradients():
    X, y, groups = data()
    model = fitted(frozen)
    network, rows = model._fitted_network(X, y, groups)
    assert len(network.parameters) == 8 + 8 + 1  # biases, and the head
    assert rows.rows.n_domains == 3


def test_a_module_without_anything_to_train_is_a_linear_model_on_its_features():
    X, _, _ = data()
    module = nn.Linear(4, 8)
    module.requires_grad_(False)
    model = fitted(lambda n_features: module)
    weight = module.weight.double().numpy()
    features = X @ weight.T + module.bias.double().numpy()
    np.testing.assert_allclose(
        model.decision_function(X),
        features @ model.coefs_[0][:, 0] + model.intercepts_[0],
        rtol=1e-10,
    )


@pytest.mark.parametrize("wrap", [lambda net: net, nn.Sequential])
def test_a_network_that_is_given_again_is_not_changed(wrap):
    X, y, groups = data()
    network = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU())
    before = copy.deepcopy(network.state_dict())

    def module(n_features):
        return wrap(network)

    first = fitted(module)
    expected = first.predict_proba(X)
    # Other rows, and a copy that forgets nothing of the last fit.
    ERMClassifier(module=module, random_state=0).fit(X[::-1], y, groups=groups)
    for name, value in network.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    np.testing.assert_array_equal(fitted(module).predict_proba(X), expected)
    assert first.predict_proba(X).tolist() == expected.tolist()


def test_a_trained_network_is_where_training_starts():
    X, y, groups = make_fish_linear(random_state=0)
    network = nn.Linear(X.shape[1], 3)
    model = ERMClassifier(
        module=lambda n_features: network,
        optimizer="sgd",
        learning_rate_init=1e-9,
        max_iter=1,
    ).fit(X, y, groups=groups)
    np.testing.assert_allclose(
        model.module_state_["weight"], network.weight.detach().numpy(), atol=1e-6
    )


def test_a_module_in_place_of_its_builder_is_an_error():
    with pytest.raises(ValueError, match="not a module itself; got one of type Linear"):
        fitted(nn.Linear(4, 3))


def test_a_module_that_cannot_be_copied_is_an_error():
    layer = old_weight_norm(4)
    with pytest.raises(ValueError, match=r"same network.*cannot be copied.*anew"):
        fitted(lambda n_features: nn.Sequential(layer, nn.Tanh()))


def test_fits_in_threads_are_those_of_one_after_the_other():
    def noisy(n_features):
        return nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Dropout(0.3))

    X, _, _ = data()
    expected = [fitted(noisy, random_state=seed).predict_proba(X) for seed in range(4)]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda seed: fitted(noisy, random_state=seed).predict_proba(X), range(4)
        )
        np.testing.assert_array_equal(list(found), expected)
    assert torch.equal(torch.get_rng_state(), before)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Models that are trained side by side are those that are trained by themselves."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skdg
from skdg import DivergenceError, ERMRegressor, IRMClassifier
from skdg._registry import ESTIMATORS
from skdg._training import losses
from skdg._training.together import fit_models, kind_of, why_alone

SIDE_BY_SIDE = [name for name in ESTIMATORS if not why_alone(getattr(skdg, name)())]
CASES = [
    *((name, {}) for name in SIDE_BY_SIDE),
    *(("IRMClassifier", {"dummy": dummy}) for dummy in ("affine", "vector")),
]
N_MODELS = 4
# What a method multiplies its number with, and the number if it is 0 by default.
FACTORS = np.array([1.0, 0.5, 2.0, 1.1])
BELOW_1 = {"quantile", "agreement_threshold", "meta_learning_rate", "ema"}
EQUAL, RAGGED = (12, 12, 12), (8, 12, 16)


def make_data(name, sizes, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X, groups = rng.normal(size=(sum(sizes), 3)), np.repeat(np.arange(3), sizes)
    signal = X @ [1.0, -1.0, 0.5] + 0.5 * groups + 0.3 * rng.normal(size=len(X))
    if "Classifier" not in name:
        return X, signal, groups
    edges = np.quantile(signal, np.arange(1, n_classes) / n_classes)
    return X, np.digitize(signal, edges), groups


def numbers_of(name):
    """The numbers in which models of a kind may differ, found by trying."""
    model = getattr(skdg, name)()
    found = []
    for parameter, value in model.get_params().items():
        if type(value) in (int, float):
            other = clone(model).set_params(**{parameter: 0.75 * value or 0.3})
            if value and kind_of(other) == kind_of(model):
                found.append(parameter)
    return found


def make_models(name, other_seeds=False, **kw):
    base = getattr(skdg, name)(max_iter=15, random_state=0, **kw)
    models = []
    for number in range(N_MODELS):
        model = clone(base)
        for parameter in numbers_of(name):
            value = getattr(model, parameter) * FACTORS[number]
            if parameter in BELOW_1:
                value = min(value, 0.9)
            setattr(model, parameter, value)
        if "penalty_anneal_iters" in model.get_params():
            model.set_params(penalty_anneal_iters=[0, 3, 7, 30][number])
        if "ema" in model.get_params():
            model.set_params(ema=0.2 + 0.1 * number)
        if other_seeds and "random_state" not in model._shared_by_models:
            model.set_params(random_state=number)
        models.append(model)
    assert len({kind_of(model) for model in models}) == 1
    return models


def check(model, X, y, groups):
    return model._validate(X, y, None, *model._encode_domains(X, groups))


def assert_same_fit(model, other):
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(model, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    assert set(model.history_) == set(other.history_)
    for name, values in model.history_.items():
        np.testing.assert_allclose(values, other.history_[name], rtol=1e-9, atol=1e-11)
    assert model.n_iter_ == other.n_iter_
    np.testing.assert_array_equal(model.domains_, other.domains_)


SETTINGS = {
    "linear": {"hidden": (), "sizes": EQUAL},
    "other seeds": {"hidden": (4,), "sizes": EQUAL, "other_seeds": True},
    "minibatch": {"hidden": (4,), "sizes": EQUAL, "batch_size": 5},
    "minibatch of other seeds, classes": {
        **{"hidden": (4, 3), "sizes": RAGGED, "batch_size": 5},
        **{"other_seeds": True, "n_classes": 3},
    },
    "own rows": {"hidden": (4,), "sizes": EQUAL, "own_rows": True},
    "own rows, minibatch, domains of other sizes": {
        **{"hidden": (3, 4), "sizes": RAGGED, "own_rows": True},
        **{"batch_size": 9, "other_seeds": True},
    },
    "in pieces": {"hidden": (), "sizes": RAGGED, "most": 25},
    "in pieces, own rows, classes": {
        **{"hidden": (4,), "sizes": EQUAL, "own_rows": True},
        **{"n_classes": 3, "most": 200},
    },
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_side_by_side_is_one_by_one(name, options, setting, monkeypatch):
    given = SETTINGS[setting]
    models = make_models(
        name,
        other_seeds=given.get("other_seeds", False),
        hidden_layer_sizes=given["hidden"],
        activation="tanh",
        batch_size=given.get("batch_size"),
        **options,
    )
    n_classes, own_rows = given.get("n_classes", 2), given.get("own_rows", False)
    tables = [
        make_data(name, given["sizes"], n_classes, seed=number * own_rows)
        for number in range(N_MODELS)
    ]
    alone = [
        clone(model).fit(X, y, groups=groups)
        for model, (X, y, groups) in zip(models, tables, strict=True)
    ]
    data = [check(model, *table) for model, table in zip(models, tables, strict=True)]
    monkeypatch.setattr(losses, "_PIECE", given.get("most", losses._PIECE))
    if not own_rows:
        data = data[:1] * N_MODELS
    assert fit_models(models, data) == [None] * N_MODELS
    for model, other in zip(models, alone, strict=True):
        assert_same_fit(model, other)
    # They are different models.
    assert len({model.coefs_[0].tobytes() for model in models}) == N_MODELS


def test_at_least_these_train_side_by_side():
    networks = {
        name for name in ESTIMATORS if hasattr(getattr(skdg, name)(), "optimizer")
    }
    alone = networks - set(SIDE_BY_SIDE)
    assert alone == {"MultiTaskNetworkClassifier", "MultiTaskNetworkRegressor"}
    assert len(SIDE_BY_SIDE) >= 39


@pytest.mark.parametrize("activation", ["relu", "logistic", "identity"])
@pytest.mark.parametrize("name", ["ERMRegressor", "IRMClassifier", "IDGMClassifier"])
def test_activations(name, activation):
    models = make_models(name, hidden_layer_sizes=(5, 4), activation=activation)
    X, y, groups = make_data(name, EQUAL, 2)
    alone = [clone(model).fit(X, y, groups=groups) for model in models]
    fit_models(models, [check(models[0], X, y, groups)] * N_MODELS)
    for model, other in zip(models, alone, strict=True):
        assert_same_fit(model, other)


def test_one_that_diverges_leaves_the_others_alone():
    X, y, groups = make_data("ERMRegressor", EQUAL, 2)
    kw = {"hidden_layer_sizes": (), "optimizer": "sgd", "learning_rate": "constant"}
    rates = [0.1, 1e6, 0.05, 20.0]
    models = [
        ERMRegressor(learning_rate_init=rate, max_iter=400, **kw) for rate in rates
    ]
    errors = fit_models(models, [check(models[0], X, y, groups)] * N_MODELS)
    for model, error in zip(models, errors, strict=True):
        fresh = clone(model)
        if model.learning_rate_init < 1:
            assert error is None
            assert_same_fit(model, fresh.fit(X, y, groups=groups))
        else:
            with pytest.raises(DivergenceError) as caught:
                fresh.fit(X, y, groups=groups)
            assert str(error) == str(caught.value)
            assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_sizes": (5,)},
        {"activation": "tanh"},
        {"optimizer": "sgd"},
        {"learning_rate": "constant"},
        {"batch_size": 7},
        {"max_iter": 5},
        {"penalty_weight": 0.0},
        {"alpha": 0},
        {"dummy": "vector"},
        {"class_weight": "balanced"},
        {"reset_optimizer": True},
    ],
    ids=str,
)
def test_what_starts_another_batch(change):
    assert kind_of(IRMClassifier()) != kind_of(IRMClassifier(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"penalty_weight": 3},
        {"alpha": 2.0},
        {"learning_rate_init": np.float32(0.5)},
        {"penalty_anneal_iters": 7},
        {"random_state": 3},
        {"hidden_layer_sizes": [100]},
    ],
    ids=str,
)
def test_what_does_not(change):
    assert kind_of(IRMClassifier()) == kind_of(IRMClassifier(**change))


def test_moments_are_forgotten_at_once():
    early, late = (
        IRMClassifier(reset_optimizer=True, penalty_anneal_iters=n) for n in (3, 4)
    )
    assert kind_of(early) != kind_of(late)


def test_reasons_to_be_trained_alone():
    assert "module" in why_alone(ERMRegressor(module=torch.nn.Identity))
    assert "warm_start" in why_alone(ERMRegressor(warm_start=True))
    assert "stack of layers" in why_alone(skdg.MultiTaskNetworkRegressor())
    assert "gradient steps" in why_alone(skdg.AnchorRegression())
    assert why_alone(ERMRegressor()) == ""


def test_seeds_of_none_differ():
    X, y, groups = make_data("ERMRegressor", EQUAL, 2)
    models = [ERMRegressor(max_iter=2) for _ in range(2)]
    fit_models(models, [check(models[0], X, y, groups)] * 2)
    assert np.abs(models[0].coefs_[0] - models[1].coefs_[0]).min() > 0


def test_random_states_that_are_objects():
    X, y, groups = make_data("ERMRegressor", EQUAL, 2)
    models = [
        ERMRegressor(max_iter=3, batch_size=5, random_state=np.random.RandomState(seed))
        for seed in (0, 0, 1)
    ]
    alone = [clone(model).fit(X, y, groups=groups) for model in models]
    fit_models(models, [check(models[0], X, y, groups)] * 3)
    for model, other in zip(models, alone, strict=True):
        assert_same_fit(model, other)


def test_models_with_one_generator_draw_from_it_in_turn():
    X, y, groups = make_data("ERMRegressor", EQUAL, 2)
    shared, other = np.random.RandomState(0), np.random.RandomState(0)
    models = [ERMRegressor(max_iter=3, random_state=shared) for _ in range(3)]
    alone = [
        ERMRegressor(max_iter=3, random_state=other).fit(X, y, groups=groups)
        for _ in range(3)
    ]
    fit_models(models, [check(models[0], X, y, groups)] * 3)
    for model, one in zip(models, alone, strict=True):
        assert_same_fit(model, one)


def test_global_state_is_left_alone():
    X, y, groups = make_data("ERMRegressor", EQUAL, 2)
    models = [ERMRegressor(max_iter=2, random_state=seed) for seed in range(2)]
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    threads = torch.get_num_threads()
    fit_models(models, [check(models[0], X, y, groups)] * 2)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == threads

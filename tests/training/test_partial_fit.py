# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Passes over the rows go on from each other: the network, the method, the draws."""

import pickle

import numpy as np
import pytest

from skdg import ERMClassifier, FishClassifier, GroupDROClassifier, MixupClassifier
from skdg._training import estimators
from skdg._training.drawing import draw_batches
from skdg._training.state import spawn_seeds
from tests.quick_fits import CLASSIFIERS, PARTIAL, make, make_data

# These draw anew in each pass, where one long fit draws on.
DRAWING = ("Fish", "CausIRL", "Mixup")
STEADY = [name for name in PARTIAL if not name.startswith(DRAWING)]
SETTINGS = {
    "Fishr": {"ema": 0.9},
    "GroupDRO": {"step_size": 1.0},
    "DANN": {"discriminator_learning_rate": 0.1},
    "CDANN": {"discriminator_learning_rate": 0.1},
}
N_PASSES = 12


def model_of(name, **params):
    method = name.removesuffix("Classifier").removesuffix("Regressor")
    own = SETTINGS.get(method, {})
    given = {"learning_rate": "constant", "batch_size": None, "random_state": 0}
    return make(name, **given | own | params)


def classes_of(name):
    return {"classes": [0, 1]} if name in CLASSIFIERS else {}


@pytest.mark.parametrize("annealed", [0, 5])
@pytest.mark.parametrize("name", STEADY)
def test_passes_are_the_iterations_of_one_fit(name, annealed):
    X, y, groups = make_data(name)
    model = model_of(name)
    if "penalty_anneal_iters" in model.get_params():
        model.set_params(penalty_anneal_iters=annealed)
    expected = pickle.loads(pickle.dumps(model)).set_params(max_iter=N_PASSES)
    expected.fit(X, y, groups=groups)
    # The order of rows, and with it the domain that is named first, may change.
    for turn in range(N_PASSES):
        order = np.roll(np.arange(len(X)), turn)[:: -1 if turn % 2 else 1]
        model.partial_fit(X[order], y[order], groups=groups[order], **classes_of(name))
        model = pickle.loads(pickle.dumps(model))
    assert model.n_iter_ == expected.n_iter_ == N_PASSES
    for found, other in zip(
        [*model.coefs_, *model.intercepts_],
        [*expected.coefs_, *expected.intercepts_],
        strict=True,
    ):
        np.testing.assert_allclose(found, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        model.history_["risk"][-1], expected.history_["risk"][-1], rtol=1e-6
    )


def test_weights_of_the_worst_domain_grow_from_pass_to_pass():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(90, 4)), np.repeat(["a", "b", "c"], 30)
    noise = np.where(groups == "a", 3.0, 0.3)
    y = (X[:, 0] + noise * rng.normal(size=90) > 0).astype(int)
    params = {"hidden_layer_sizes": (), "learning_rate": "constant"}
    model = GroupDROClassifier(step_size=1.0, **params)
    erm = ERMClassifier(**params)
    for _ in range(200):
        for each in (model, erm):
            each.partial_fit(X, y, classes=[0, 1], groups=groups)
    worst, of_erm = (each.history_["risk"][-1].max() for each in (model, erm))
    assert worst < of_erm - 0.05


def test_what_is_remembered_of_other_domains_is_not_used():
    X, y, groups = make_data("GroupDROClassifier")
    model = model_of("GroupDROClassifier")
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1], groups=groups)
    renamed = np.array([f"{each} in another year" for each in groups])
    model.partial_fit(X, y, groups=renamed)
    # Weights after a first iteration: those of its risks alone.
    found = model._left["memory"]["log_weights"][model._left["places"]]
    np.testing.assert_allclose(found, model.history_["risk"][0])


@pytest.mark.parametrize("estimator", [ERMClassifier, FishClassifier, MixupClassifier])
def test_passes_see_all_rows_in_the_end(estimator, monkeypatch):
    seen = []

    def watched(*arguments):
        for batch in draw_batches(*arguments):
            seen.append(frozenset(batch.inputs[:, 0].tolist()))
            yield batch

    monkeypatch.setattr(estimators, "draw_batches", watched)
    X, groups = np.arange(90.0)[:, None], np.repeat([0, 1, 2], 30)
    model = estimator(batch_size=20, random_state=0, learning_rate_init=1e-4)
    for _ in range(20):
        model.partial_fit(X, X[:, 0] > 40, classes=[False, True], groups=groups)
    assert len(seen) == len(set(seen)) == 20
    assert all(len(rows) == 60 for rows in seen)
    assert frozenset.union(*seen) == set(range(90))


def test_seeds_depend_on_the_iterations_behind():
    first = spawn_seeds(3, 5)
    assert spawn_seeds(3, 5, 0) == first
    later = [spawn_seeds(3, 5, n) for n in range(1, 50)]
    assert len({*map(tuple, later), tuple(first)}) == 50
    assert later[6] == spawn_seeds(np.int64(3), 5, 7)

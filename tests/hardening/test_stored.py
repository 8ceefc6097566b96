# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Models stored by releases: they load and predict as then, or a warning says why not.

Run as a script, this file stores the models of the release that is installed.
"""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import skdg
from skdg import ERMRegressor

FOLDER = Path(__file__).parent / "stored"
MODELS = [
    "AnchorRegression",
    "ERMClassifier",
    "FishRegressor",
    "InvariantCausalPrediction",
    "InvariantSubspaceRecovery",
    "MultiTaskLinearSVC",
    "MultiTaskNetworkRegressor",
]


def output(model, X):
    """Return what a model makes of X."""
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


def store():
    """Write a file for each model, with its input and what it makes of that."""
    folder = FOLDER / skdg.__version__
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(40, 3)), np.array(["b", "a"])[np.arange(40) % 2]
    for name in MODELS:
        model = getattr(skdg, name)()
        quick = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0}
        model.set_params(**{k: v for k, v in quick.items() if k in model.get_params()})
        labeled = name.endswith(("Classifier", "SVC", "Recovery"))
        model.fit(X, X[:, 0] > 0 if labeled else X[:, 0], groups=groups)
        content = {"model": model, "X": X, "output": output(model, X)}
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content, protocol=4))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.pkl")), ids=lambda p: p.stem)
def test_a_model_of_an_earlier_release(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        content = pickle.loads(path.read_bytes())
    told = [str(w.message) for w in caught if "was stored by skdg" in str(w.message)]
    assert bool(told) == (path.parent.name != skdg.__version__)
    model, expected = content["model"], content["output"]
    if expected.dtype == bool:
        np.testing.assert_array_equal(output(model, content["X"]), expected)
    else:
        np.testing.assert_allclose(output(model, content["X"]), expected, rtol=1e-6)


def test_there_are_models_of_every_kind():
    assert {path.stem for path in FOLDER.glob("*/*.pkl")} == set(MODELS)


def test_a_model_of_another_release_says_so(monkeypatch):
    X = [[0.0], [1.0], [2.0]]
    model = ERMRegressor(max_iter=1, random_state=0).fit(
        X, [0.0, 1.0, 4.0], groups=[0, 1, 1]
    )
    same = pickle.loads(pickle.dumps(model))
    assert "_skdg_version" not in vars(same)
    monkeypatch.setattr("skdg.base.__version__", "0.0.1")
    stored = pickle.dumps(model)
    monkeypatch.undo()
    message = (
        f"stored by skdg 0.0.1 and is loaded by skdg {re.escape(skdg.__version__)}"
    )
    with pytest.warns(UserWarning, match=message):
        loaded = pickle.loads(stored)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


if __name__ == "__main__":
    store()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from torch import nn

from skdg import ERMClassifier, ERMRegressor


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    return X, X[:, 0] + 0.1 * rng.normal(size=30), np.arange(30) % 3


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


# The same numbers, lying in memory in other ways.
LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "read only": read_only,
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_in_memory_does_not_matter(data, layout):
    X, y, groups = data
    same = LAYOUTS[layout](X)
    model = ERMRegressor(max_iter=5, random_state=0).fit(X, y, groups=groups)
    for n in (len(X), 1):
        np.testing.assert_array_equal(model.predict(same[:n]), model.predict(X[:n]))
    other = ERMRegressor(max_iter=5, random_state=0)
    other.fit(
        same,
        LAYOUTS[layout](y[:, None])[:, 0] if layout != "list" else list(y),
        groups=list(groups),
    )
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def module(n_features):
    return nn.Linear(n_features, 3)


@pytest.mark.parametrize("own", [None, module])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_that_of_X(data, own, dtype):
    X, y, groups = data
    X = X.astype(dtype)
    kw = {"module": own, "max_iter": 5, "random_state": 0}
    for model in (ERMRegressor(**kw), ERMClassifier(**kw)):
        model.fit(X, y > 0 if isinstance(model, ERMClassifier) else y, groups=groups)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {
            np.dtype(dtype)
        }
        if own is not None:
            assert {v.dtype for v in model.module_state_.values()} == {np.dtype(dtype)}
        assert model.history_["risk"].dtype == dtype
    assert ERMRegressor(**kw).fit(X, y, groups=groups).predict(X).dtype == dtype


@pytest.mark.parametrize("own", [None, module])
def test_prediction_is_that_of_training(data, own):
    # The risk of the last iteration is that of the model after the one before.
    X, y, groups = data
    kw = {"module": own, "random_state": 0, "normalize_y": False, "alpha": 0.0}
    kw["learning_rate"] = "constant"
    before = ERMRegressor(max_iter=5, **kw).fit(X, y, groups=groups)
    after = ERMRegressor(max_iter=6, **kw).fit(X, y, groups=groups)
    squares = (before.predict(X) - y) ** 2
    expected = [squares[groups == domain].mean() for domain in range(3)]
    np.testing.assert_allclose(after.history_["risk"][-1], expected, rtol=1e-10)


@pytest.mark.parametrize("own", [None, module])
def test_warm_start_goes_on(data, own):
    X, y, groups = data
    kw = {"module": own, "random_state": 0, "optimizer": "sgd"}
    kw |= {"learning_rate": "constant", "learning_rate_init": 0.1}
    once = ERMRegressor(max_iter=8, **kw).fit(X, y, groups=groups)
    twice = ERMRegressor(max_iter=5, warm_start=True, **kw).fit(X, y, groups=groups)
    twice.set_params(max_iter=3).fit(X, y, groups=groups)
    np.testing.assert_allclose(twice.predict(X), once.predict(X), rtol=1e-10)

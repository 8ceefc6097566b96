# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import sklearn


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def data():
    """Six domains of unequal size whose noise differs."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(6), [40, 10, 25, 30, 15, 20])
    X = rng.normal(size=(140, 3))
    y = (X[:, 0] + (0.2 + 0.5 * codes) * rng.normal(size=140) > 0).astype(int)
    order = rng.permutation(140)
    return X[order], y[order], np.array(list("abcdef"))[codes[order]]

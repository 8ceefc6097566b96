# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What tests of all estimators share: each of them, quick to fit, and rows for it."""

import pickle

import numpy as np
from sklearn.base import is_classifier

import skdg
from skdg._registry import ESTIMATORS


def make(name, **params):
    """Make an estimator that is quick to fit; parameters that it lacks are left out."""
    cls = getattr(skdg, name)
    quick = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    known = cls().get_params(deep=False)
    wanted = {**quick, **params}
    return cls(**{key: value for key, value in wanted.items() if key in known})


NETWORKS = [name for name in ESTIMATORS if hasattr(make(name), "module")]
PARTIAL = [name for name in ESTIMATORS if hasattr(make(name), "partial_fit")]
CLASSIFIERS = [name for name in ESTIMATORS if is_classifier(make(name))]
# The recovery of subspaces is a transformer, but one that asks for labels.
LABELED = [*CLASSIFIERS, "InvariantSubspaceRecovery"]


def make_data(name, n_samples=30, n_features=3, seed=0):
    """Return X, y and groups; y are two classes if the estimator asks for classes."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, n_features))
    groups = np.array(["b", "a", "c"])[np.arange(n_samples) % 3]
    y = X[:, 0] + 0.1 * rng.normal(size=n_samples)
    return X, (y > 0).astype(int) if name in LABELED else y, groups


def output(model, X):
    """Return what a model makes of X."""
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


def snapshot(estimator):
    """Return all that an estimator holds, as bytes; functions by themselves."""
    return {
        key: value if callable(value) else pickle.dumps(value)
        for key, value in vars(estimator).items()
    }

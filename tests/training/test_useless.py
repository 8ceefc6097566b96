# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A model that is far worse than a constant comes with a warning."""

import inspect
import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import ERMClassifier, ERMRegressor, IRMRegressor


def data():
    """Return columns of very different sizes, as a table has them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 2))
    income, year = rng.gamma(2.0, 3e6, 240), rng.integers(2000, 2020, 240)
    return np.c_[X, income, year], 2.0 * X[:, 0], rng.integers(0, 4, 240)


def mean_risk(model, X, y, groups):
    """Return the mean over domains of the loss that the network minimizes."""
    if isinstance(model, ERMClassifier):
        losses = np.logaddexp(0.0, model.decision_function(X) * np.where(y, -1, 1))
    else:
        losses = ((model.predict(X) - y) / model.target_scale_) ** 2
    return np.mean([losses[groups == each].mean() for each in model.domains_])


@pytest.mark.parametrize("estimator", [ERMRegressor, IRMRegressor, ERMClassifier])
@pytest.mark.parametrize("batch_size", [None, 20])
def test_columns_of_different_sizes(estimator, batch_size):
    X, y, groups = data()
    if estimator is ERMClassifier:
        y = y > 0
    model = estimator(batch_size=batch_size, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"worse than a constant") as caught:
        model.fit(X, y, groups=groups)
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno == inspect.currentframe().f_lineno - 3
    # What it says of the model is so; with batches some of the rows stand for all.
    said = re.search("risk is (.*), and .* has (.*?)\\. ", str(warning.message))
    risk, found = map(float, said.groups())
    rel = 0.5 if batch_size else 0.01
    assert risk == pytest.approx(mean_risk(model, X, y, groups), rel=rel)
    of_constant = np.log(2.0) if estimator is ERMClassifier else 1.0
    assert found == pytest.approx(of_constant, rel=0.1 if batch_size else 0.02)
    assert risk > 10.0 * found


def test_one_bad_batch_is_no_reason():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(3000, 5)), np.repeat(list("abc"), 1000)
    y = np.where(rng.random(3000) < 0.003, 100.0, 0.0) + X[:, 0]
    model = ERMRegressor(random_state=0, batch_size=4, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, groups=groups)
    assert model.history_["risk"][-1].mean() > 10.0  # of the last batch
    assert model.score(X, y) > 0.0


def test_no_warning_where_columns_are_alike():
    X, y, groups = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make_pipeline(StandardScaler(), ERMRegressor(random_state=0))
        model.fit(X, y, ermregressor__groups=groups)
    assert model[-1].history_["risk"][-1].mean() < 1.0

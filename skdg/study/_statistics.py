# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Statistics over held-out domains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, ttest_1samp, wilcoxon


def standard_error(values: Any) -> float:
    """Return the standard error of a mean; nan for fewer than two values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def mean_ranks(scores: np.ndarray) -> np.ndarray:
    """Return mean ranks over domains, 1 the best.

    Parameters
    ----------
    scores : ndarray of shape (n_estimators, n_domains)
        More is better; nan is last.

    Returns
    -------
    ndarray of shape (n_estimators,)
        The mean ranks, ties shared.
    """
    return rankdata(-np.nan_to_num(scores, nan=-np.inf), axis=0).mean(1)


def paired_test(differences: np.ndarray, test: str) -> float:
    """Test whether differences are centered on 0.

    Parameters
    ----------
    differences : ndarray of shape (n_domains,)
        Differences of scores.

    test : {"wilcoxon", "t"}
        The signed-rank test, in which differences of 0 do not count, or Student's.

    Returns
    -------
    float
        The two-sided p-value: 1 if there is no difference on any domain, and nan if
        there are fewer than two domains.
    """
    if len(differences) < 2:
        return float("nan")
    if not differences.any():
        return 1.0
    if test == "wilcoxon":
        return float(wilcoxon(differences[differences != 0]).pvalue)
    if np.ptp(differences) == 0:  # without a spread the statistic is infinite
        return 0.0
    return float(ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's method.

    Parameters
    ----------
    p_values : sequence of float
        The p-values; nan stands for a test that was not made, and does not count.

    Returns
    -------
    list of float
        The corrected values, in the same order.
    """
    p = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    largest = 0.0
    for position, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - position) * p[i]))
        corrected[i] = largest
    return corrected.tolist()

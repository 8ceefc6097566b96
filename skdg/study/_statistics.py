# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Statistics over held-out domains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, ttest_1samp, wilcoxon

# A claim may be false in this share of studies in which there is nothing to find.
LEVEL = 0.05

# What differs by less than this share of the scores, some 12 digits, does not differ:
# the last digits of a mean depend on the order of its terms.
_RESOLUTION = 2.0**-40


def typical_size(scores: Any) -> float:
    """Return the median size of the scores that are not 0; 1 if there are none.

    The largest of them would do where all are sound. A single model whose errors have
    no bound would then hide all differences between the others.

    Parameters
    ----------
    scores : array-like
        The scores, with nan where there is none.

    Returns
    -------
    float
        Their size.
    """
    sizes = np.abs(np.asarray(scores, dtype=float))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return float(np.median(sizes)) if sizes.size else 1.0


def rounded(values: Any, size: float) -> np.ndarray:
    """Round scores, or their differences, to the digits that mean something.

    Parameters
    ----------
    values : array-like
        What to round; nan and infinities stay.

    size : float
        The size of the scores.

    Returns
    -------
    ndarray
        Multiples of a power of 2, so that sums of them are exact, and so that fractions
        such as a half or an eighth lie on the grid and not between two of its points.
    """
    values = np.asarray(values, dtype=float)
    step = np.exp2(np.ceil(np.log2(size))) * _RESOLUTION
    # A number so large that its own digits are farther apart stays as it is.
    finite = np.isfinite(values)
    step = np.maximum(step, np.spacing(np.abs(np.where(finite, values, 0.0))))
    return np.where(finite, np.rint(values / step) * step, values)


def mean_of_defined(scores: Any) -> float:
    """Return the mean of the scores that are defined; nan if none is.

    Parameters
    ----------
    scores : array-like
        The scores. A score that is not defined, such as the area under the ROC curve of
        a single class, is nan.

    Returns
    -------
    float
        The mean.
    """
    scores = np.asarray(scores, dtype=float)
    defined = scores[~np.isnan(scores)]
    return float(np.mean(defined)) if len(defined) else float("nan")


def standard_error(values: Any) -> float:
    """Return the standard error of a mean; nan for fewer than two, or infinite ones."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    if not rounded(values - values[0], typical_size(values)).any():
        return 0.0
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
    scores = rounded(scores, typical_size(scores))
    return rankdata(-np.nan_to_num(scores, nan=-np.inf), axis=0).mean(1)


def paired_test(differences: Any, test: str, *, size: float = 1.0) -> float:
    """Test whether differences are centered on 0.

    Parameters
    ----------
    differences : array-like of shape (n_domains,)
        Differences of scores.

    test : {"wilcoxon", "t"}
        The signed-rank test, in which differences of 0 do not count, or Student's.
        Where all differences are the same, there is no spread to compare them with, and
        Student's gives way to the sign test.

    size : float, default=1.0
        The size of the scores, which says what is a difference of rounding alone.

    Returns
    -------
    float
        The two-sided p-value: 1 if there is no difference on any domain, and nan if
        there are fewer than two domains.
    """
    differences = rounded(differences, size)
    if len(differences) < 2:
        return float("nan")
    if not differences.any():
        return 1.0
    if test == "wilcoxon":
        return float(wilcoxon(differences[differences != 0]).pvalue)
    if np.ptp(differences) == 0:
        return smallest_rank_p(len(differences))
    return float(ttest_1samp(differences, 0.0).pvalue)


def smallest_rank_p(n_domains: int) -> float:
    """Return the p-value of the signed-rank and the sign test if all signs agree.

    Parameters
    ----------
    n_domains : int
        Number of domains.

    Returns
    -------
    float
        The share of the two outcomes among all: these tests give nothing smaller.
    """
    return 2.0 * 0.5**n_domains


def best_test(n_domains: int, n_tests: int) -> str:
    """Return the test that assumes least of those that can find something.

    Parameters
    ----------
    n_domains : int
        Number of domains.

    n_tests : int
        Number of tests that are corrected together.

    Returns
    -------
    test : {"wilcoxon", "t"}
        The signed-rank test, or Student's where even the same sign on all domains is no
        evidence for the other, since its p-value is corrected for the number of tests.
    """
    return "wilcoxon" if n_tests * smallest_rank_p(n_domains) < LEVEL else "t"


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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Whether residuals are alike in all domains, by second moments of each domain."""

from typing import NamedTuple

import numpy as np
from scipy.special import fdtr, fdtrc, stdtr

# Moments are sums of squares, so they know a variance to this part of the target's mean
# square; below, residuals are taken for equal.
_ROUNDING = 1e-12


class Moments(NamedTuple):
    """Sums of products of the columns (1, features, target), for each domain and all.

    Columns are divided by `scale`, and before it `offset` is taken from them. Both have
    an entry for each feature and a last one for the target.
    """

    products: np.ndarray  # (n_domains, n_features + 2, n_features + 2)
    total: np.ndarray  # the same over all rows, whatever the order of the domains
    offset: np.ndarray
    scale: np.ndarray


def domain_moments(
    X: np.ndarray,
    y: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    fit_intercept: bool,
) -> Moments:
    """Sum up the rows of each domain, a row of weight 2 as if it were there twice."""
    columns = np.column_stack([X, y]).astype(np.float64)
    offset = np.zeros(columns.shape[1])
    if fit_intercept:
        offset = weight @ columns / weight.sum()
    columns = columns - offset
    scale = np.sqrt(weight @ columns**2 / weight.sum())
    # What rounding leaves of a constant column is no feature.
    largest = np.abs(columns).max(axis=0) + np.abs(offset)
    constant = scale <= 1e-14 * largest
    scale[constant] = 1.0
    columns[:, constant] = 0.0
    columns = np.column_stack([np.ones(len(y)), columns / scale])
    columns *= np.sqrt(weight)[:, None]
    parts = [columns[codes == code] for code in np.unique(codes)]
    products = np.array([part.T @ part for part in parts])
    return Moments(products, columns.T @ columns, offset, scale)


def invariance_p_values(moments: Moments, coefs: np.ndarray) -> np.ndarray:
    """Test whether residuals have one mean and one variance in all domains.

    For each row of coefficients: each domain is compared with all other rows, by
    Welch's t test and by the F test. The least p-value is multiplied by the number of
    tests. A domain without two rows is not tested by itself.
    """
    combine = np.column_stack([np.zeros(len(coefs)), -coefs, np.ones(len(coefs))])
    # The residuals of a target that is 0 throughout are equal, to any part of 1.
    floor = _ROUNDING * (moments.total[-1, -1] / moments.total[0, 0] or 1.0)
    count = moments.total[0, 0]
    p_values = []
    for part in moments.products:
        if part[0, 0] > 1 and count - part[0, 0] > 1:
            inner, outer = (
                _mean_and_variance(combine, products, floor)
                for products in (part, moments.total - part)
            )
            p_values.append(_compare(inner, outer))
    if not p_values:
        return np.ones(len(coefs))
    # Two domains are one comparison, whichever is looked at.
    n_tests = 2 if len(moments.products) == 2 else 2 * len(p_values)
    return np.minimum(1.0, n_tests * np.min(p_values, axis=0))


def _mean_and_variance(
    combine: np.ndarray, products: np.ndarray, floor: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the number of rows, and for each combination its mean and variance."""
    count = products[0, 0]
    mean = combine @ products[:, 0] / count
    square = ((combine @ products) * combine).sum(axis=1)
    variance = (square - count * mean**2) / (count - 1.0)
    return count, mean, np.maximum(variance, floor)


def _compare(
    one: tuple[float, np.ndarray, np.ndarray],
    two: tuple[float, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the lesser p-value of Welch's t test and of the two-sided F test."""
    (n_1, mean_1, variance_1), (n_2, mean_2, variance_2) = one, two
    part_1, part_2 = variance_1 / n_1, variance_2 / n_2
    statistic = -np.abs(mean_1 - mean_2) / np.sqrt(part_1 + part_2)
    freedom = (part_1 + part_2) ** 2 / (
        part_1**2 / (n_1 - 1.0) + part_2**2 / (n_2 - 1.0)
    )
    ratio = variance_1 / variance_2
    lower, upper = (tail(n_1 - 1.0, n_2 - 1.0, ratio) for tail in (fdtr, fdtrc))
    return 2.0 * np.minimum(stdtr(freedom, statistic), np.minimum(lower, upper))

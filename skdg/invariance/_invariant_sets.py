# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which sets of features leave residuals that are alike in all domains.

Everything works on second moments: one matrix per domain, whose size is the number of
features, stands for its rows in the regressions on all sets of features.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from skdg.invariance._invariance_test import Moments, invariance_p_values


class Sets(NamedTuple):
    """Sets of features, and least squares on each of them over all rows.

    Coefficients and standard errors are those of the scaled columns, 0 outside the set.
    """

    masks: np.ndarray  # (n_sets, n_features)
    coefs: np.ndarray  # (n_sets, n_features)
    errors: np.ndarray  # (n_sets, n_features)
    freedom: np.ndarray  # (n_sets,)


def select_features(moments: Moments, max_features: int) -> np.ndarray:
    """Return the features that enter the path of the Lasso first, sorted."""
    gram = moments.total[1:, 1:]
    n_features = len(gram) - 1
    if n_features <= max_features:
        return np.arange(n_features)
    # A square root of the matrix has its path, and far fewer rows than the data.
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    with warnings.catch_warnings():
        # The order in which features enter needs no convergence at the path's end.
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = lasso_path(root[:, :-1], root[:, -1], max_iter=10_000, random_state=0)[1]
    entered = path != 0
    first = np.where(entered.any(axis=1), entered.argmax(axis=1), path.shape[1])
    size = np.abs(path[np.arange(n_features), np.minimum(first, path.shape[1] - 1)])
    return np.sort(np.lexsort((-size, first))[:max_features])


def least_squares(moments: Moments, masks: np.ndarray, fit_intercept: bool) -> Sets:
    """Regress the target on each of the given sets, without the collinear ones.

    A set whose features are collinear is left out: one of its subsets, which is there
    as well, has the same residuals.
    """
    total, n_rows = moments.total, moments.total[0, 0]
    gram, cross = total[1:-1, 1:-1] / n_rows, total[1:-1, -1] / n_rows
    both = masks[:, :, None] & masks[:, None, :]
    # Outside its block a matrix is the identity, so that all are of one size.
    values, vectors = np.linalg.eigh(np.where(both, gram, np.eye(len(gram))))
    kept = values.min(axis=1, initial=1.0) > 1e-13 * max(len(gram), 1)
    masks, values, vectors = masks[kept], values[kept], vectors[kept]
    coefs = np.einsum(
        "sij,sj,skj,sk->si", vectors, 1.0 / values, vectors, masks * cross
    )
    freedom = n_rows - masks.sum(axis=1) - fit_intercept
    square = total[-1, -1] / n_rows - coefs @ cross
    square = np.maximum(square, 0.0) / np.where(freedom > 0, freedom, 1.0)
    inverse = np.einsum("sij,sj->si", vectors**2, 1.0 / values)
    errors = np.where(masks, np.sqrt(square[:, None] * inverse), 0.0)
    return Sets(masks, coefs, errors, freedom)


def all_subsets(n_features: int) -> np.ndarray:
    """Return a mask for each subset, the empty one first, by size."""
    numbers = np.arange(2**n_features)[:, None] >> np.arange(n_features)
    masks = (numbers & 1).astype(bool)
    return masks[np.argsort(masks.sum(axis=1), kind="stable")]


def union_of_intervals(sets: Sets, alpha: float) -> np.ndarray:
    """Return the hull of the sets' confidence intervals, of shape (n_features, 2).

    A set says 0 of a feature outside it, and nothing (an infinite interval) if it has
    as many coefficients as there are rows, or at level 0.
    """
    finite = (sets.freedom > 0) & (alpha > 0)
    tail = max(alpha, np.finfo(np.float64).tiny) / 2.0
    quantile = -stdtrit(np.where(finite, sets.freedom, 1.0), tail)
    width = np.where(finite[:, None], quantile[:, None] * sets.errors, np.inf)
    width = np.where(sets.masks, width, 0.0)
    return np.column_stack(
        [(sets.coefs - width).min(axis=0), (sets.coefs + width).max(axis=0)]
    )


def feature_p_values(masks: np.ndarray, p_values: np.ndarray) -> np.ndarray:
    """Return for each feature the largest p-value of a set without it."""
    return np.where(masks, 0.0, p_values[:, None]).max(axis=0)


class Invariance(NamedTuple):
    """What the sets together say."""

    accepted: list[list[int]]
    causal: np.ndarray
    p_values: np.ndarray
    intervals: np.ndarray
    coef: np.ndarray
    intercept: float
    largest: float  # of the sets' p-values


def invariant_sets(
    moments: Moments, alpha: float, max_features: int, fit_intercept: bool
) -> Invariance:
    """Test the subsets of at most `max_features` features and put them together."""
    n_features = len(moments.scale) - 1
    unit = moments.scale[-1] / moments.scale[:-1]
    chosen = select_features(moments, max_features)
    kept = np.concatenate([[0], chosen + 1, [n_features + 1]])
    moments = moments._replace(
        products=moments.products[:, kept][:, :, kept],
        total=moments.total[kept][:, kept],
    )
    sets = least_squares(moments, all_subsets(len(chosen)), fit_intercept)
    p_values = invariance_p_values(moments, sets.coefs)
    accepted = Sets(*(values[p_values >= alpha] for values in sets))
    causal = np.zeros(n_features, dtype=bool)
    feature_values, intervals = np.ones(n_features), np.zeros((n_features, 2))
    if len(accepted.masks):
        causal[chosen] = accepted.masks.all(axis=0)
        feature_values[chosen] = feature_p_values(sets.masks, p_values)
        intervals[chosen] = union_of_intervals(accepted, alpha) * unit[chosen, None]
    else:
        feature_values[:] = intervals[:] = np.nan
    coef = np.zeros(n_features)
    coef[chosen] = sets.coefs[(sets.masks == causal[chosen]).all(axis=1)][0]
    coef *= unit
    return Invariance(
        [chosen[mask].tolist() for mask in accepted.masks],
        np.flatnonzero(causal),
        feature_values,
        intervals,
        coef,
        float(moments.offset[-1] - moments.offset[:-1] @ coef),
        float(p_values.max()),
    )

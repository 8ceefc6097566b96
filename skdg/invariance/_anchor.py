# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Anchor regression, with domains as anchors: mathematics, parameters, objective."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg.base import DomainEstimator


def anchor_transform(
    values: np.ndarray, codes: np.ndarray, weight: np.ndarray, gamma: float
) -> np.ndarray:
    """Center columns and stretch the part that differs between domains.

    Returns ``(I - P) v + sqrt(gamma) P v`` for centered columns v, where P puts the
    weighted mean of its domain in place of each row: least squares on such columns is
    anchor regression on the original ones.
    """
    centered = values - weight @ values / weight.sum()
    mass = np.bincount(codes, weights=weight)
    sums = np.zeros((len(mass), values.shape[1]))
    np.add.at(sums, codes, weight[:, None] * centered)
    means = sums / np.where(mass > 0, mass, 1.0)[:, None]
    return centered + (np.sqrt(gamma) - 1.0) * means[codes]


def solve_anchor(
    X: np.ndarray,
    targets: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    gamma: float,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients, of shape (n_targets, n_features), and offsets."""
    design, response = (
        anchor_transform(values, codes, weight, gamma)
        for values in (X.astype(np.float64), targets.astype(np.float64))
    )
    # The penalty as rows that pull to 0: products of columns, and with them half of the
    # digits, are never formed. Columns of one size, so that what is small by its units
    # is not taken for a copy of others.
    root, n_features = np.sqrt(weight)[:, None], X.shape[1]
    eps = np.finfo(np.float64).eps
    # What is left of a column that is constant, or with gamma = 0 constant in each
    # domain, is rounding.
    kept, whole = (np.linalg.norm(root * values, axis=0) for values in (design, X))
    blurred = 10 * eps * np.sqrt(len(X)) * max(1.0, np.sqrt(gamma)) * whole
    design[:, kept <= blurred] = 0.0
    pull = np.sqrt(alpha * weight.sum()) * np.eye(n_features)
    rows = np.vstack([root * design, pull])
    values = np.vstack([root * response, np.zeros((n_features, targets.shape[1]))])
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1.0
    rounding = 10 * n_features * eps
    coef = np.linalg.lstsq(rows / scale, values, rcond=rounding)[0].T / scale
    return coef, weight @ (targets - X @ coef.T) / weight.sum()


@estimator
class Anchor(DomainEstimator):
    r"""What regressor and classifier share.

    Parameters
    ----------
    gamma : float, default=10.0
        Weight of the residuals' domain means. 1 is least squares, 0 the regression
        within domains (fixed effects), a large value two-stage least squares with
        domains as instruments.

    alpha : float, default=0.0001
        Weight of the L2 penalty on the coefficients, times the number of rows. It picks
        a solution where features are collinear; 0 for none.

    Notes
    -----
    The objective is [1]_, with :math:`\Pi` the projection on domain indicators,

    .. math:: \|(I - \Pi)(y - X b)\|^2 + \gamma \|\Pi (y - X b)\|^2 + \alpha \, n
       \|b\|^2,

    for centered X and y: a sum over rows, of total weight n, in closed form. (The paper
    has no L2 penalty; its gamma is ours.) It is the worst risk under shifts of the
    means of X, y and hidden variables in the directions seen in training, up to a size
    that grows with gamma. As in the paper each *row* has the same weight, so that a
    large domain counts more than a small one; use `sample_weight` to balance them.
    Domains that differ in variance but not in mean teach it nothing.

    References
    ----------
    .. [1] D. Rothenhaeusler, N. Meinshausen, P. Buehlmann and J. Peters, "Anchor
       regression: heterogeneous data meet causality", JRSS B 83(2), 2021.
    """

    gamma: float = 10.0
    alpha: float = 0.0001

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "gamma": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def _solve(
        self,
        X: np.ndarray,
        targets: np.ndarray,
        codes: np.ndarray,
        weight: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and offsets in the precision of X."""
        coef, offsets = solve_anchor(X, targets, codes, weight, self.gamma, self.alpha)
        return coef.astype(X.dtype), offsets.astype(X.dtype)

    def _scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return X @ np.atleast_2d(self.coef_).T + self.intercept_

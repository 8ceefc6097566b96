# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a row costs, and the dual of that: the losses of the multi-task linear models.

With f the values of all rows, dual values beta belong to f: minus the derivative of the
loss, at the optimum. Any feasible beta gives a lower bound on the objective.
"""

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from scipy.special import expit, xlogy


@dataclass(frozen=True)
class RowLoss:
    """What the value f of a row costs.

    Parameters
    ----------
    targets : ndarray of shape (n_rows,)
        Signs of -1 and 1 in classification, numbers in regression.

    weight : ndarray of shape (n_rows,)
        Weight of each row.

    squared : bool
        Whether the excess is squared.

    epsilon : float or None
        Half the width of the tube of a regression; None for classification.
    """

    targets: np.ndarray
    weight: np.ndarray
    squared: bool
    epsilon: float | None

    def value(self, f: np.ndarray) -> float:
        """Return the weighted sum over rows."""
        if self.epsilon is None:
            excess = np.maximum(0.0, 1.0 - self.targets * f)
        else:
            excess = np.maximum(0.0, np.abs(self.targets - f) - self.epsilon)
        return float(self.weight @ (excess**2 if self.squared else excess))

    def expression(self, f: Any) -> Any:
        """Return the weighted sum over rows as an expression of cvxpy."""
        if self.epsilon is None:
            excess = cvxpy.pos(1.0 - cvxpy.multiply(self.targets, f))
        elif self.epsilon == 0:
            excess = self.targets - f if self.squared else cvxpy.abs(self.targets - f)
        else:
            excess = cvxpy.pos(cvxpy.abs(self.targets - f) - self.epsilon)
        if self.squared:
            return cvxpy.sum_squares(cvxpy.multiply(np.sqrt(self.weight), excess))
        return self.weight @ excess

    def derivatives(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and second derivative of each row's squared error."""
        return 2 * self.weight * (f - self.targets), 2 * self.weight

    def make_feasible(self, beta: np.ndarray, balanced: bool) -> np.ndarray:
        """Return dual values near `beta` that satisfy all constraints.

        They are clipped to their bounds, and the side with the larger sum is scaled
        down if they have to sum to 0.
        """
        limit = np.inf if self.squared else self.weight
        if self.epsilon is None:
            beta = self.targets * np.clip(self.targets * beta, 0.0, limit)
        else:
            beta = np.clip(beta, -limit, limit)
        if balanced:
            up, down = beta[beta > 0].sum(), -beta[beta < 0].sum()
            if up == 0 or down == 0:
                return np.zeros_like(beta)
            beta = np.where(beta > 0, beta * min(1.0, down / up), beta)
            beta = np.where(beta < 0, beta * min(1.0, up / down), beta)
        return beta

    def dual_value(self, beta: np.ndarray) -> float:
        """Return minus the conjugate of the loss at ``-beta``."""
        value = self.targets @ beta
        if self.epsilon is not None:
            value -= self.epsilon * np.abs(beta).sum()
        if self.squared:
            value -= (beta**2 / self.weight).sum() / 4.0
        return float(value)


@dataclass(frozen=True)
class LogisticLoss:
    """The logistic loss of a row with value f, ``log(1 + exp(-target * f))``.

    Parameters
    ----------
    targets : ndarray of shape (n_rows,)
        Signs of -1 and 1.

    weight : ndarray of shape (n_rows,)
        Weight of each row.
    """

    targets: np.ndarray
    weight: np.ndarray

    def value(self, f: np.ndarray) -> float:
        """Return the weighted sum over rows."""
        return float(self.weight @ np.logaddexp(0.0, -self.targets * f))

    def expression(self, f: Any) -> Any:
        """Return the weighted sum over rows as an expression of cvxpy."""
        return self.weight @ cvxpy.logistic(-cvxpy.multiply(self.targets, f))

    def derivatives(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and second derivative of each row's loss."""
        wrong = expit(-self.targets * f)
        right = expit(self.targets * f)
        return -self.weight * self.targets * wrong, self.weight * wrong * right

    def make_feasible(self, beta: np.ndarray, balanced: bool) -> np.ndarray:
        """Return dual values near `beta` that satisfy all constraints, as of a hinge.

        The bounds are those of the hinge, too.
        """
        hinge = RowLoss(self.targets, self.weight, squared=False, epsilon=None)
        return hinge.make_feasible(beta, balanced)

    def dual_value(self, beta: np.ndarray) -> float:
        """Return minus the conjugate of the loss at ``-beta``: an entropy."""
        wrong = np.clip(self.targets * beta / self.weight, 0.0, 1.0)
        entropy = -xlogy(wrong, wrong) - xlogy(1.0 - wrong, 1.0 - wrong)
        return float(self.weight @ entropy)

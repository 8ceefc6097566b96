# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Couplings that are norms: few directions, few features, few features in part."""

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from skdg.multitask._coupling import Coupling, Expression


class _Norm(Coupling):
    """A multiple of a norm: its conjugate is 0 within a ball of the dual norm."""

    def _dual_norm(self, S: np.ndarray) -> float:
        raise NotImplementedError

    def dual_factor(self, S: np.ndarray) -> float:
        """Return the largest factor up to 1 that makes the conjugate of S finite."""
        return 1.0 / max(1.0, self._dual_norm(S))

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S, which must be finite."""
        return 0.0


@dataclass(frozen=True)
class LowRankCoupling(_Norm):
    """The sum of singular values.

    Parameters
    ----------
    weight : float
        Weight of the norm.
    """

    weight: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        return float(self.weight * np.linalg.norm(W, "nuc"))

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        return self.weight * cvxpy.normNuc(W), []

    def _dual_norm(self, S: np.ndarray) -> float:
        return float(np.linalg.norm(S, 2)) / self.weight


@dataclass(frozen=True)
class JointFeatureCoupling(_Norm):
    """The sum over features of the norm of their coefficients in all tasks.

    Parameters
    ----------
    weight : float
        Weight of the norm.
    """

    weight: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        return float(self.weight * np.linalg.norm(W, axis=0).sum())

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        return self.weight * cvxpy.sum(cvxpy.norm(W, 2, axis=0)), []

    def _dual_norm(self, S: np.ndarray) -> float:
        return float(np.linalg.norm(S, axis=0).max()) / self.weight


@dataclass(frozen=True)
class DirtyCoupling(_Norm):
    """A part of which tasks share the features, plus a sparse part: W = P + Q.

    Parameters
    ----------
    shared, own : float
        Weights of the sum over features of the largest absolute coefficient in P, and
        of the sum of absolute coefficients in Q.
    """

    shared: float
    own: float

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W, with the best split.

        P cuts the coefficients of a feature at a height above which fewer stand than
        would pay for raising it.
        """
        sizes = -np.sort(-np.abs(W), axis=0)
        above = self.shared / self.own
        height = sizes[int(above)] if above < len(W) else np.zeros(W.shape[1])
        rest = np.maximum(0.0, sizes - height).sum()
        return float(self.shared * height.sum() + self.own * rest)

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        P = cvxpy.Variable(W.shape)
        shared = self.shared * cvxpy.sum(cvxpy.max(cvxpy.abs(P), axis=0))
        return shared + self.own * cvxpy.sum(cvxpy.abs(W - P)), []

    def _dual_norm(self, S: np.ndarray) -> float:
        sizes = np.abs(S)
        return float(max(sizes.sum(axis=0).max() / self.shared, sizes.max() / self.own))

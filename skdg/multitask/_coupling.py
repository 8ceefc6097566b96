# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How the coefficients of tasks are coupled: convex penalties and their conjugates.

Rows of W (n_tasks, n_features) are tasks. Each penalty knows its value, itself as an
expression of cvxpy, and its conjugate: the largest ``<S, W> - value(W)``. For a norm
that is 0 or infinite; there is the factor by which S must be shrunk to make it 0.

Penalties of singular values are one semidefinite block of size n_tasks + n_features.
Many small blocks, one for each row of W, would take far longer.
"""

from typing import Any

import numpy as np

Expression = tuple[Any, list[Any]]


class Coupling:
    """A convex penalty on the coefficients of all tasks."""

    def value(self, W: np.ndarray) -> float:
        """Return the penalty of W."""
        raise NotImplementedError

    def expression(self, W: Any) -> Expression:
        """Return the penalty as an expression of cvxpy, and its constraints."""
        raise NotImplementedError

    def dual_factor(self, S: np.ndarray) -> float:
        """Return the largest factor up to 1 that makes the conjugate of S finite."""
        return 1.0

    def conjugate(self, S: np.ndarray) -> float:
        """Return the conjugate at S, which must be finite."""
        raise NotImplementedError

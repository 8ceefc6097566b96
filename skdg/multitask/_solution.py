# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Solutions of multi-task problems, and how far they are from the optimum at most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# A relative gap above this is worth a warning, whatever the solver calls its status.
GAP_TO_WARN_OF = 1e-6


@dataclass(frozen=True)
class Solution:
    """A solved problem, in the unit in which a typical row weighs about 1.

    Parameters
    ----------
    theta : ndarray of shape ((n_tasks + 1) * n_columns,)
        The coefficients of all tasks, then the shared ones.

    beta : ndarray of shape (n_rows,)
        Feasible dual values; rows with 0 have no influence.

    objective : float
        The objective at `theta`, by its definition.

    gap : float
        Certified relative distance from the optimum: objective minus the dual value of
        `beta`, over the objective (at least 1).

    solver : str or None, default=None
        Who found it, if it was another than the solver that was chosen.
    """

    theta: np.ndarray
    beta: np.ndarray
    objective: float
    gap: float
    solver: str | None = None


def figures(
    solutions: Sequence[Solution], chosen: str, unit: float
) -> tuple[Any, Any, str]:
    """Return objectives, gaps and the names of the solvers, of one problem or more.

    Parameters
    ----------
    solutions : sequence of Solution
        A solution per problem.

    chosen : str
        The solver that was chosen.

    unit : float
        The unit of the solutions' objectives.

    Returns
    -------
    objective, gap : float or ndarray of shape (n_problems,)
        Numbers for one problem, arrays for more.

    solver : str
        The solvers that found the solutions, separated by commas.
    """
    numbers = np.array([[unit * each.objective, each.gap] for each in solutions]).T
    objective, gap = numbers if len(solutions) > 1 else numbers[:, 0].tolist()
    names = dict.fromkeys(each.solver or chosen for each in solutions)
    return objective, gap, ", ".join(names)


def gap_message(solver: str, status: str, gap: float) -> str:
    """Say that a solver stopped short, and how far from the optimum it may be."""
    return (
        f"{solver} stopped short of the optimum (status {status!r}): the objective may "
        f"be up to {gap:.2g} (relative) above it. Raise the limits of the solver "
        f"through solver_options, try another solver, or standardize X."
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which solver suits which loss and coupling."""

from skdg.multitask._convex import DEFAULT_CONVEX_SOLVER
from skdg.multitask._program import solver_name

SMOOTH = {"squared", "logistic"}
NEWTON = "NEWTON"


def choose_solver(solver: str, loss: str, coupling: str) -> str:
    """Return the name of the solver for a loss and a coupling, or raise.

    Parameters
    ----------
    solver : str
        What the user chose; "auto" leaves the choice to this function.

    loss, coupling : str
        Names of the loss and the coupling.

    Returns
    -------
    str
        "NEWTON", or a solver that cvxpy knows.
    """
    if solver != "auto":
        return solver_name(solver)
    if coupling in ("mean", "graph") and loss in SMOOTH:
        return NEWTON
    return solver_name("auto" if coupling == "mean" else DEFAULT_CONVEX_SOLVER)

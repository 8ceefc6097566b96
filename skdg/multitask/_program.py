# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Programs for cvxpy: which solvers there are, and what they say when they fail."""

import warnings
from collections.abc import Mapping
from typing import Any

import cvxpy
import numpy as np

DEFAULT_SOLVER = "PIQP"
# Slower, but it solves some badly scaled problems that the default gives up.
_SECOND_SOLVER = "CLARABEL"
_PENALTIES = "Penalties should be far below 1e12 times the weights of rows."


def solver_name(solver: str) -> str:
    """Return the solver that cvxpy is to use, or raise if it does not know it."""
    name = DEFAULT_SOLVER if solver == "auto" else solver.upper()
    installed = cvxpy.installed_solvers()
    if name not in installed:
        raise ValueError(
            f"solver={solver!r} is not a solver that cvxpy knows and finds here. "
            f"Choose 'auto' or one of {sorted(installed)}."
        )
    return name


def second_solver(solver: str, options: Mapping[str, Any] | None) -> str | None:
    """Return who takes over where the default solver fails, if the choice was free."""
    return _SECOND_SOLVER if solver == "auto" and not options else None


def run_program(program: Any, solver: str, options: dict[str, Any]) -> None:
    """Let cvxpy solve the program, or raise with the solver's words."""
    try:
        with warnings.catch_warnings():
            # Said by the caller, with the gap.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            warnings.filterwarnings("ignore", message="The problem has an expression")
            program.solve(solver=solver, ignore_dpp=True, warm_start=False, **options)
    except BaseException as error:
        # Clarabel's panics are no Exception.
        panics = type(error).__name__ == "PanicException"
        if not (panics or isinstance(error, cvxpy.SolverError)):
            raise
        raise RuntimeError(
            f"{solver} failed on the multi-task problem and left no solution: {error} "
            f"Standardize X, if its columns are of very different sizes. {_PENALTIES}"
        ) from error
    if program.status not in (
        cvxpy.OPTIMAL,
        cvxpy.OPTIMAL_INACCURATE,
        cvxpy.USER_LIMIT,
    ):
        raise RuntimeError(
            f"{solver} ended with status {program.status!r} on the multi-task problem, "
            f"which always has a solution. Standardize X, or try another solver. "
            f"{_PENALTIES}"
        )
    if not all(np.isfinite(each.value).all() for each in program.variables()):
        raise RuntimeError(
            f"{solver} left no solution of the multi-task problem, for its numbers are "
            f"not finite. Standardize X, if its columns are of very different sizes."
        )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear models of several tasks: each problem by the way that suits it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from skdg.multitask._convex import solve_convex
from skdg.multitask._coupling import Coupling
from skdg.multitask._coupling_clustered import ClusteredCoupling
from skdg.multitask._coupling_norms import (
    DirtyCoupling,
    JointFeatureCoupling,
    LowRankCoupling,
)
from skdg.multitask._coupling_quadratic import (
    MeanCoupling,
    QuadraticCoupling,
    graph_coupling,
)
from skdg.multitask._newton_graph import solve_graph
from skdg.multitask._newton_mean import solve_mean
from skdg.multitask._problem import TaskProblem
from skdg.multitask._quadratic_program import solve_quadratic_program
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import Solution
from skdg.multitask._solver_choice import NEWTON

COUPLINGS = {"mean", "graph", "clustered", "low_rank", "joint_feature", "dirty"}


@dataclass(frozen=True)
class CoupledProblem:
    """A problem, how its tasks are coupled, and who solves it.

    What does not depend on the targets is made once for all classes.

    Parameters
    ----------
    problem : TaskProblem
        Rows and weights.

    coupling : str
        One of `COUPLINGS`.

    graph : ndarray of shape (n_tasks, n_tasks) or None
        Weights of pairs in the order of the problem's tasks; only for "graph".

    n_clusters : int
        Number of clusters, for "clustered".

    solver : str
        From `choose_solver`.

    options : dict or None
        Options of the solver.

    second : str or None
        The solver that takes over where PIQP fails.
    """

    problem: TaskProblem
    coupling: str
    graph: np.ndarray | None
    n_clusters: int
    solver: str
    options: Mapping[str, Any] | None
    second: str | None

    def solve(self, loss: RowLoss | LogisticLoss) -> Solution:
        """Return the solution for these targets and this loss, certified by its gap."""
        if self.coupling == "mean":
            return self._solve_mean(loss)
        if self.coupling == "graph" and self.solver == NEWTON:
            return self._solve_graph(loss)
        penalty = self._penalty
        return solve_convex(self.problem, loss, penalty, self.solver, self.options)

    def _solve_mean(self, loss: RowLoss | LogisticLoss) -> Solution:
        if self.solver == NEWTON:
            return solve_mean(self.problem, loss)
        smooth = isinstance(loss, LogisticLoss) or (loss.squared and loss.epsilon == 0)
        if isinstance(loss, RowLoss) and not smooth:
            return solve_quadratic_program(
                self.problem, loss, self.solver, self.options, self.second
            )
        shared, task = self.problem.lambda_shared, self.problem.lambda_task
        return solve_convex(
            self.problem,
            loss,
            self._penalty,
            self.solver,
            self.options,
            shrinkage=task / (shared + task),
        )

    def _solve_graph(self, loss: RowLoss | LogisticLoss) -> Solution:
        if self._under_the_mean is None:
            assert isinstance(self._penalty, QuadraticCoupling)
            return solve_graph(self.problem, loss, self._penalty)
        solution = solve_mean(self._under_the_mean, loss)
        tasks, w_0 = self.problem.blocks(solution.theta.copy())
        w_0[:] = tasks.mean(axis=0)
        return replace(solution, theta=np.append(tasks.ravel(), w_0))

    @cached_property
    def _under_the_mean(self) -> TaskProblem | None:
        """The problem that a graph of equal weights is under the mean coupling.

        There the tasks meet in their mean alone: Lemma 2.2 backwards.
        """
        assert self.graph is not None
        pairs = self.graph[~np.eye(self.problem.n_tasks, dtype=bool)]
        weight = pairs[0] if len(pairs) else 1.0
        if weight == 0 or (pairs != weight).any():
            return None
        shared, task = self.problem.lambda_shared, self.problem.lambda_task
        total = weight * task + shared
        return replace(
            self.problem,
            lambda_shared=total * shared / (weight * task),
            lambda_task=total,
            lambda_offset=task,
        )

    @cached_property
    def _penalty(self) -> Coupling:
        """The penalty that the coupling stands for."""
        shared, task = self.problem.lambda_shared, self.problem.lambda_task
        if self.coupling == "mean":
            return MeanCoupling(shared, task)
        if self.coupling == "graph":
            assert self.graph is not None
            return graph_coupling(shared, task, self.graph)
        if self.coupling == "clustered":
            return ClusteredCoupling(shared, task, self.n_clusters)
        if self.coupling == "dirty":
            return DirtyCoupling(shared, task)
        if self.coupling == "low_rank":
            return LowRankCoupling(task)
        return JointFeatureCoupling(task)

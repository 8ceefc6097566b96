# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear models for several tasks: what all of them do around their solver.

A method says what a row costs and how one problem is solved. Here are rows of weight 0,
tasks in an order of their own, one model per class, and which model predicts a row.
"""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg.base import DomainEstimator
from skdg.multitask._problem import TaskProblem, unit_of, with_ones
from skdg.multitask._row_tasks import number_tasks, row_tasks
from skdg.multitask._solution import Solution, figures


@estimator
class _MultiTaskLinear(DomainEstimator):
    """What all linear models of several tasks share.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit offsets, b_t = b_0 + c_t. b_0 is free, and the c_t are penalized
        by ``lambda_task / n_domains * sum_t c_t^2``.

    solver_options : dict, default=None
        Options of the solver, as cvxpy passes them on.

    Attributes
    ----------
    solver_ : str
        The solver that found the solution, or those of several problems.

    Raises
    ------
    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.
    """

    lambda_shared: float = 0.01
    lambda_task: float = 1.0
    fit_intercept: bool = True
    solver: str = "auto"
    solver_options: Mapping[str, Any] | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "lambda_shared": [Interval(Real, 0, None, closed="neither")],
        "lambda_task": [Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "solver": [str],
        "solver_options": [dict, None],
    }

    __metadata_request__predict: ClassVar[dict[str, bool]] = {"groups": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"groups": True}

    def _row_loss(self, targets: np.ndarray, weight: np.ndarray) -> Any:
        """Return the loss of rows."""
        raise NotImplementedError

    def _choose_solver(self) -> str:
        """Return the name of the solver, or raise."""
        raise NotImplementedError

    def _make_solve(
        self, problem: TaskProblem, order: np.ndarray
    ) -> Callable[[Any], Solution]:
        """Return what solves the problem for a loss; task i is domain ``order[i]``."""
        raise NotImplementedError

    def _solve_all(
        self,
        X: Any,
        targets: list[np.ndarray],
        weight: np.ndarray,
        domains: np.ndarray,
        codes: np.ndarray,
    ) -> None:
        """Solve a problem per array of targets, and set what all models have.

        Rows of weight 0 are left out, as if they were not there.
        """
        kept = np.flatnonzero(weight > 0)
        present, order, codes = number_tasks(codes[kept])
        self.domains_, self.n_domains_ = domains[present], len(present)
        self.solver_ = self._choose_solver()
        unit = unit_of(weight[kept])
        weight = weight[kept] / unit
        problem = TaskProblem(
            with_ones(X[kept]) if self.fit_intercept else X[kept],
            codes,
            len(present),
            float(self.lambda_shared) / unit,
            float(self.lambda_task) / unit,
            bool(self.fit_intercept),
        )
        solve = self._make_solve(problem, order)
        solutions = [solve(self._row_loss(values[kept], weight)) for values in targets]
        n_features = self.n_features_in_
        blocks = [problem.blocks(solution.theta) for solution in solutions]
        tasks = np.stack([own[np.argsort(order)] for own, _ in blocks], axis=1)
        shared = np.stack([common for _, common in blocks])
        self.coef_ = shared[:, :n_features].copy()
        self.task_coef_ = tasks[:, :, :n_features].copy()
        # The column of ones, or none, whose sum is 0.
        self.intercept_ = shared[:, n_features:].sum(axis=1)
        self.task_intercept_ = tasks[:, :, n_features:].sum(axis=2)
        self.objective_, self.dual_gap_, self.solver_ = figures(
            solutions, self.solver_, unit
        )
        self._after_fit(solutions, kept, weight)

    def _after_fit(
        self, solutions: list[Solution], kept: np.ndarray, weight: np.ndarray
    ) -> None:
        """Set attributes of one method."""

    def _scores(self, X: Any, groups: Any) -> np.ndarray:
        """Return values of shape (n_samples, n_models), by each row's own model."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        scores = X @ np.atleast_2d(self.coef_).T + self.intercept_
        tasks = row_tasks(groups, self.domains_, X.shape[0])
        n_models = scores.shape[1]
        coefs = self.task_coef_.reshape(self.n_domains_, n_models, -1)
        offsets = self.task_intercept_.reshape(self.n_domains_, n_models)
        for task in np.unique(tasks[tasks >= 0]):
            rows = np.flatnonzero(tasks == task)
            scores[rows] = X[rows] @ coefs[task].T + offsets[task]
        return scores

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear models of several tasks with a choice of loss and of coupling: objective."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._linear_solve import COUPLINGS, CoupledProblem
from skdg.multitask._problem import TaskProblem
from skdg.multitask._program import second_solver
from skdg.multitask._row_loss import LogisticLoss, RowLoss
from skdg.multitask._solution import Solution
from skdg.multitask._solver_choice import choose_solver
from skdg.multitask._task_graph import check_graph


@estimator
class _MultiTaskLinearModel(_MultiTaskLinear):
    r"""What classifier and regressor share.

    Parameters
    ----------
    coupling : str, default="mean"
        What the domains have in common, with a penalty Omega for each (see Notes):
        "mean", "graph", "clustered", "low_rank", "joint_feature" or "dirty".

    lambda_shared : float, default=0.01
        The weight ``lambda_2`` in Notes, of what all domains share. Not used by
        "low_rank" and "joint_feature". For "dirty" the default is too small: a value
        between `lambda_task` and n_domains times that leaves work to both parts.

    lambda_task : float, default=1.0
        The weight ``lambda_1`` in Notes, of what sets the domains apart. It also
        weights the deviations of offsets, whatever the coupling.

    graph : {array-like, sparse matrix} of shape (n_domains, n_domains), default=None
        Which domains are alike, for "graph": symmetric weights of 0 or more, in the
        order of `domains_`. The diagonal has no effect. None is weight 1 for all pairs.

    n_clusters : int, default=2
        Number of clusters k, for "clustered". From n_domains on, domains share nothing
        but their offsets.

    solver : str, default="auto"
        "auto" or a solver that cvxpy knows by name, such as "CLARABEL". "auto" is
        Newton's method for a smooth loss with "mean" or "graph", which gives the same
        optimum (for squared errors it is the solution of a linear system); PIQP, or
        CLARABEL if that fails, for the other losses with "mean"; CLARABEL for all else.

    Raises
    ------
    ValueError
        By `fit`, if the graph is not one of these domains.

    RuntimeError
        By `fit`, if the solver fails.

    Notes
    -----
    With the coefficients w_t of T domains and offsets b_t = b_0 + c_t, the objective is

    .. math:: \sum_{t=1}^{T} \sum_i \ell(y_{ti}, w_t^\top x_{ti} + b_t)
       + \Omega(w_1, \dots, w_T) + \frac{\lambda_1}{T} \sum_t c_t^2,

    a plain sum over rows; weights of rows multiply their losses. The penalties:

    * "mean" [1]_: :math:`\lambda_2 \|w_0\|^2 + \frac{\lambda_1}{T} \sum_t \|w_t -
      w_0\|^2`, with w_0 free. At the optimum w_0 is lambda_1 / (lambda_1 + lambda_2)
      times the mean of the w_t.
    * "graph" [2]_: :math:`\frac{\lambda_1}{T^2} \sum_{s<t} A_{st} \|w_s - w_t\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, with A the graph. Where A is 1 throughout
      the first is :math:`\frac{\lambda_1}{T} \sum_t \|w_t - \bar w\|^2`, with the mean.
    * "clustered" [3]_: :math:`\frac{\lambda_1}{T} \sum_t \|w_t - \bar w_{c(t)}\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, with the mean of the cluster c(t) of t,
      relaxed over all partitions into k clusters: :math:`\frac{\lambda_1}{T} \eta (1 +
      \eta) \min_M \mathrm{tr}\, W^\top (\eta I + M)^{-1} W` over :math:`0 \preceq M
      \preceq I, \mathrm{tr}\, M = k`, where :math:`\eta = \lambda_2 / \lambda_1` and
      row t of W is w_t. It penalizes the mean of all and the distances of the clusters'
      means from it alike. The first term vanishes for any W of rank k: what is found is
      a space of k dimensions, with clusters in it or not.
    * "low_rank" [4]_: :math:`\lambda_1 \|W\|_*`, the sum of singular values: the w_t
      lie near a space of few dimensions.
    * "joint_feature" [4]_: :math:`\lambda_1 \sum_j (\sum_t w_{tj}^2)^{1/2}`: all
      domains use the same few features. (The paper squares this norm and the last one,
      for the same models at other weights.)
    * "dirty" [5]_: the least :math:`\lambda_2 \sum_j \max_t |P_{tj}| + \lambda_1
      \sum_{tj} |Q_{tj}|` with W = P + Q: some features are used by all domains, some by
      single ones.

    `coef_` is w_0 for "mean", and for all others the mean of the w_t; `intercept_` is
    b_0, the mean of the b_t. X is best standardized, and numbers y of the order of 1.

    "low_rank" and "clustered" are semidefinite programs: minutes and gigabytes where T
    + n_features is above a hundred.

    References
    ----------
    .. [1] T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004.

    .. [2] T. Evgeniou, C. Micchelli and M. Pontil, "Learning multiple tasks with kernel
       methods", JMLR 6, 2005.

    .. [3] L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex
       formulation", NIPS 2008.

    .. [4] A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning",
       Machine Learning 73, 2008.

    .. [5] A. Jalali, P. Ravikumar, S. Sanghavi and C. Ruan, "A dirty model for
       multi-task learning", NIPS 2010.
    """

    loss: str = "squared"
    coupling: str = "mean"
    lambda_shared: float = 0.01
    lambda_task: float = 1.0
    graph: Any = None
    n_clusters: int = 2

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "coupling": [StrOptions(COUPLINGS)],
        "graph": ["array-like", "sparse matrix", None],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
    }

    def _choose_solver(self) -> str:
        return choose_solver(self.solver, self.loss, self.coupling)

    def _make_solve(
        self, problem: TaskProblem, order: np.ndarray
    ) -> Callable[[RowLoss | LogisticLoss], Solution]:
        graph = None
        if self.coupling == "graph":
            graph = check_graph(self.graph, self.domains_)[np.ix_(order, order)]
        return CoupledProblem(
            problem,
            self.coupling,
            graph,
            self.n_clusters,
            self.solver_,
            self.solver_options,
            second_solver(self.solver, self.solver_options),
        ).solve

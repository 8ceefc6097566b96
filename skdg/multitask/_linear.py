# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Linear models of several tasks with a choice of loss and of coupling."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._linear_classifier import _LinearTaskClassifier
from skdg.multitask._linear_regressor import _LinearTaskRegressor
from skdg.multitask._linear_solve import COUPLINGS, Model, check_graph, choose_solver
from skdg.multitask._problem import Solution, TaskProblem
from skdg.multitask._row_loss import LogisticLoss, RowLoss


@estimator
class _MultiTaskLinearModel(_MultiTaskLinear):
    """What classifier and regressor share.

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
        optimum (for squared errors it is the solution of a linear system); PIQP for the
        other losses with "mean"; and CLARABEL for all else.

    Raises
    ------
    ValueError
        By `fit`, if the graph is not one of these domains.

    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.

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

    def _solve(
        self, problem: TaskProblem, loss: RowLoss | LogisticLoss, order: np.ndarray
    ) -> Solution:
        graph = None
        if self.coupling == "graph":
            graph = check_graph(self.graph, self.domains_)[np.ix_(order, order)]
        model = Model(
            self.coupling, graph, self.n_clusters, self.solver_, self.solver_options
        )
        return model.solve(problem, loss)


@estimator
class MultiTaskLinearClassifier(_MultiTaskLinearModel, _LinearTaskClassifier):
    r"""Linear classifier for each domain; loss and coupling are to be chosen.

    Parameters
    ----------
    loss : {"logistic", "hinge", "squared_hinge"}, default="logistic"
        The loss of a row, ``ell`` in Notes.

    See Also
    --------
    MultiTaskLinearRegressor : The same for numbers.
    MultiTaskLinearSVC : The same as "hinge" with "mean".
    sklearn.linear_model.LogisticRegression : One model for all domains.

    Notes
    -----
    With the coefficients w_t of T domains and offsets b_t = b_0 + c_t, the objective is

    .. math:: \sum_{t=1}^{T} \sum_i \ell(y_{ti}, w_t^\top x_{ti} + b_t)
       + \Omega(w_1, \dots, w_T) + \frac{\lambda_1}{T} \sum_t c_t^2,

    a plain sum over rows; weights of rows multiply their losses. With m = y f for a
    value f and y of -1 or 1, the losses are log(1 + exp(-m)), max(0, 1 - m) and its
    square. More than two classes are treated one against the rest. The penalties:

    * "mean" [1]_: :math:`\lambda_2 \|w_0\|^2 + \frac{\lambda_1}{T} \sum_t \|w_t -
      w_0\|^2`, with w_0 free. At the optimum w_0 is lambda_1 / (lambda_1 + lambda_2)
      times the mean of the w_t.
    * "graph" [2]_: :math:`\frac{\lambda_1}{T^2} \sum_{s<t} A_{st} \|w_s - w_t\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, with A the graph. All pairs with weight 1
      make this :math:`\frac{\lambda_1}{T} \sum_t \|w_t - \bar w\|^2` and the norms,
      where :math:`\bar w` is the mean.
    * "clustered" [3]_: :math:`\frac{\lambda_1}{T} \sum_t \|w_t - \bar w_{c(t)}\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, with the mean of the cluster c(t) of t,
      relaxed over all partitions into k clusters: :math:`\frac{\lambda_1}{T} \eta (1 +
      \eta) \min_M \mathrm{tr}\, W^\top (\eta I + M)^{-1} W` over matrices with
      :math:`0 \preceq M \preceq I` and :math:`\mathrm{tr}\, M = k`, where :math:`\eta =
      \lambda_2 / \lambda_1` and row t of W is w_t. It penalises the mean of all and the
      distances of the clusters' means from it alike. The first term vanishes for any W
      of rank k, so what is found is a space of k dimensions, with clusters in it or
      not.
    * "low_rank" [4]_: :math:`\lambda_1 \|W\|_*`, the sum of singular values: the w_t
      lie near a space of few dimensions.
    * "joint_feature" [4]_: :math:`\lambda_1 \sum_j (\sum_t w_{tj}^2)^{1/2}`: all
      domains use the same few features.
    * "dirty" [5]_: the least :math:`\lambda_2 \sum_j \max_t |P_{tj}| + \lambda_1
      \sum_{tj} |Q_{tj}|` with W = P + Q: some features are used by all domains, some by
      single ones.

    `coef_` is w_0 for "mean", and for all others the mean of the w_t; `intercept_` is
    b_0, which is the mean of the b_t. X is best standardised.

    "low_rank" and "clustered" are semidefinite programs: minutes and gigabytes where T
    + n_features is above a hundred.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskLinearClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0, 0, 1, 0, 1, 1]
    >>> model = MultiTaskLinearClassifier(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"])
    array([0, 1])
    """

    loss: str = "logistic"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"logistic", "hinge", "squared_hinge"})],
    }

    __metadata_request__predict_proba: ClassVar[dict[str, bool]] = {"groups": True}

    def _row_loss(
        self, targets: np.ndarray, weight: np.ndarray
    ) -> RowLoss | LogisticLoss:
        if self.loss == "logistic":
            return LogisticLoss(targets, weight)
        return RowLoss(targets, weight, self.loss == "squared_hinge", None)

    @available_if(lambda self: self.loss == "logistic")
    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return probabilities of the classes; only for the logistic loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`. With more than two classes, each
            is that of the class against the rest, divided by their sum.
        """
        scores = self._scores(X, groups)
        if len(self.classes_) == 2:
            return np.hstack([expit(-scores), expit(scores)])
        # In logarithms: all may be 0 to rounding.
        logs = -np.logaddexp(0.0, -scores)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


@estimator
class MultiTaskLinearRegressor(_MultiTaskLinearModel, _LinearTaskRegressor):
    r"""Linear regression for each domain; loss and coupling are to be chosen.

    Parameters
    ----------
    loss : {"squared", "epsilon_insensitive"}, default="squared"
        The loss of a row, ``ell`` in Notes.

    epsilon : float, default=0.1
        Errors up to this size, in the unit of y, cost nothing. Only for the loss
        "epsilon_insensitive".

    See Also
    --------
    MultiTaskLinearClassifier : The same for classes.
    MultiTaskLinearSVR : The same as "epsilon_insensitive" with "mean".
    sklearn.linear_model.Ridge : One model for all domains.

    Notes
    -----
    With the coefficients w_t of T domains and offsets b_t = b_0 + c_t, the objective is

    .. math:: \sum_{t=1}^{T} \sum_i \ell(y_{ti}, w_t^\top x_{ti} + b_t)
       + \Omega(w_1, \dots, w_T) + \frac{\lambda_1}{T} \sum_t c_t^2,

    a plain sum over rows; weights of rows multiply their losses. The losses of a value
    f are (y - f)^2 and max(0, abs(y - f) - epsilon). The penalties Omega are those of
    `MultiTaskLinearClassifier`:

    * "mean" [1]_: :math:`\lambda_2 \|w_0\|^2 + \frac{\lambda_1}{T} \sum_t \|w_t -
      w_0\|^2`, with w_0 free.
    * "graph" [2]_: :math:`\frac{\lambda_1}{T^2} \sum_{s<t} A_{st} \|w_s - w_t\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, with A the graph.
    * "clustered" [3]_: :math:`\frac{\lambda_1}{T} \sum_t \|w_t - \bar w_{c(t)}\|^2 +
      \frac{\lambda_2}{T} \sum_t \|w_t\|^2`, relaxed over all clusterings.
    * "low_rank" [4]_: :math:`\lambda_1 \|W\|_*`, the sum of singular values.
    * "joint_feature" [4]_: :math:`\lambda_1 \sum_j (\sum_t w_{tj}^2)^{1/2}`.
    * "dirty" [5]_: the least :math:`\lambda_2 \sum_j \max_t |P_{tj}| + \lambda_1
      \sum_{tj} |Q_{tj}|` with W = P + Q.

    `coef_` is w_0 for "mean", and for all others the mean of the w_t; `intercept_` is
    b_0, which is the mean of the b_t. X is best standardised, and y of the order of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.multitask import MultiTaskLinearRegressor
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0.0, 1.0, 2.0, 0.0, 2.0, 4.0]
    >>> model = MultiTaskLinearRegressor(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"]).round(1)
    array([1., 2.])
    """

    loss: str = "squared"
    epsilon: float = 0.1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"squared", "epsilon_insensitive"})],
        "epsilon": [Interval(Real, 0, None, closed="left")],
    }

    def _row_loss(self, targets: np.ndarray, weight: np.ndarray) -> RowLoss:
        if self.loss == "squared":
            return RowLoss(targets, weight, squared=True, epsilon=0.0)
        return RowLoss(targets, weight, squared=False, epsilon=float(self.epsilon))

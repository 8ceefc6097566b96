# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regularized multi-task linear support vector machines."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags, compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdg._dataclass import estimator
from skdg.base import DomainEstimator, encode_groups
from skdg.multitask._problem import (
    RowLoss,
    Solution,
    TaskProblem,
    solve,
    solver_name,
)

# Rows whose dual value is below this share of its bound are no support vectors.
_SUPPORT = 1e-6


@estimator
class _MultiTaskLinearSVM(DomainEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    lambda_shared : float, default=0.01
        Weight of the squared norm of the shared coefficients, ``lambda_2`` in Notes.
        Large: each domain has a model of its own, and the shared model tends to 0. The
        default is small beside `lambda_task`, since domains that were not seen are left
        with the shared model: w_0 is lambda_1 / (lambda_1 + lambda_2) times the mean of
        the w_t.

    lambda_task : float, default=1.0
        Weight of the mean squared norm of the domains' deviations, ``lambda_1`` in
        Notes. Large: all domains have the same model.

    fit_intercept : bool, default=True
        Whether to fit offsets, b_t = b_0 + c_t. b_0 is free, and the c_t are penalised
        as the v_t are.

    solver : str, default="auto"
        The solver of the quadratic program: any that cvxpy knows by name, such as
        "PIQP", "CLARABEL" or "OSQP". "auto" is PIQP, the fastest on such problems, with
        tolerances near rounding.

    solver_options : dict, default=None
        Options of the solver, as cvxpy passes them on.

    Attributes
    ----------
    solver_ : str
        The solver that was used.

    support_ : ndarray of shape (n_support,)
        Rows of X that have influence on the solution (for any class).

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in fit. Only if X has feature names that are strings.

    References
    ----------
    .. [1] T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004.
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

    def _solve_all(
        self,
        X: Any,
        losses: list[RowLoss],
        domains: np.ndarray,
        codes: np.ndarray,
    ) -> list[Solution]:
        """Solve a problem per loss, and set the attributes that all models have.

        Rows of weight 0 are left out, as if they were not there.
        """
        self.solver_ = solver_name(self.solver)
        kept = np.flatnonzero(losses[0].weight > 0)
        present, first, codes = np.unique(
            codes[kept], return_index=True, return_inverse=True
        )
        # Tasks in the order in which the data first name them, so that other labels
        # for the same domains give the same model, bit for bit.
        places = np.argsort(np.argsort(first))
        codes = places[codes]
        X = X[kept]
        if self.fit_intercept:
            ones = np.ones((X.shape[0], 1))
            X = sparse.hstack([X, ones]) if sparse.issparse(X) else np.hstack([X, ones])
        problem = TaskProblem(
            X,
            codes,
            len(present),
            float(self.lambda_shared),
            float(self.lambda_task),
            self.fit_intercept,
        )
        solutions = []
        support = np.zeros(len(kept), dtype=bool)
        for loss in losses:
            loss = RowLoss(
                loss.targets[kept], loss.weight[kept], loss.squared, loss.epsilon
            )
            solution = solve(problem, loss, self.solver_, self.solver_options)
            support |= np.abs(solution.beta) > _SUPPORT * loss.weight
            solutions.append(solution)
        n_features = self.n_features_in_
        blocks = [problem.blocks(solution.theta) for solution in solutions]
        tasks = np.stack([own[places] for own, _ in blocks], axis=1)
        shared = np.stack([common for _, common in blocks])
        self.coef_ = shared[:, :n_features].copy()
        self.task_coef_ = tasks[:, :, :n_features].copy()
        if self.fit_intercept:
            self.intercept_ = shared[:, n_features].copy()
            self.task_intercept_ = tasks[:, :, n_features].copy()
        else:
            self.intercept_ = np.zeros(len(shared))
            self.task_intercept_ = np.zeros(tasks.shape[:2])
        self.support_ = kept[support]
        self.domains_ = domains[present]
        self.n_domains_ = len(present)
        return solutions

    def _scores(self, X: Any, groups: Any) -> np.ndarray:
        """Return values of shape (n_samples, n_models), by each row's own model."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        scores = X @ np.atleast_2d(self.coef_).T + self.intercept_
        if groups is None:
            return scores
        labels, codes = encode_groups(groups, X.shape[0])
        known = {label: task for task, label in enumerate(self.domains_)}
        n_models = scores.shape[1]
        coefs = self.task_coef_.reshape(self.n_domains_, n_models, -1)
        offsets = self.task_intercept_.reshape(self.n_domains_, n_models)
        for code, label in enumerate(labels):
            task = known.get(label)
            if task is not None:
                rows = np.flatnonzero(codes == code)
                scores[rows] = X[rows] @ coefs[task].T + offsets[task]
        return scores

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@estimator
class MultiTaskLinearSVC(ClassifierMixin, _MultiTaskLinearSVM):
    r"""Linear support vector machine for each domain, with a shared part.

    Parameters
    ----------
    loss : {"hinge", "squared_hinge"}, default="hinge"
        The loss of a row, ``xi`` in Notes, or its square.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    coef_ : ndarray of shape (1 or n_classes, n_features)
        Shared coefficients w_0, for domains that were not seen.

    intercept_ : ndarray of shape (1 or n_classes,)
        Shared offsets b_0.

    task_coef_ : ndarray of shape (n_domains, 1 or n_classes, n_features)
        Coefficients w_t = w_0 + v_t of each domain, in the order of `domains_`.

    task_intercept_ : ndarray of shape (n_domains, 1 or n_classes)
        Offsets b_t of each domain.

    objective_ : float or ndarray of shape (n_classes,)
        The objective at the solution, by its definition; per class if there are more
        than two.

    dual_gap_ : float or ndarray of shape (n_classes,)
        How far the objective can be from the optimum, relative to it (or to 1 if that
        is larger); certified by feasible dual values.

    Raises
    ------
    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.

    See Also
    --------
    MultiTaskLinearSVR : The same for numbers.
    sklearn.svm.LinearSVC : One model for all domains.

    Notes
    -----
    The model of domain t is w_t = w_0 + v_t. The objective is [1]_

    .. math:: \min_{w_0, v_t} \; \sum_{t=1}^{T} \sum_{i} \xi_{ti} + \frac{\lambda_1}{T}
       \sum_{t=1}^{T} \|v_t\|^2 + \lambda_2 \|w_0\|^2, \qquad \xi_{ti} = \max(0, 1 -
       y_{ti} (w_0 + v_t)^\top x_{ti}),

    a plain sum over rows, with T domains; weights of rows multiply their losses. At the
    optimum :math:`\sum_t v_t = \mu w_0` with :math:`\mu = T \lambda_2 / \lambda_1`.
    More than two classes are treated one against the rest. X is best standardised.

    Where domains have many rows, or little in common, the models of single domains are
    as good; where they are all alike, so is a pooled one.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg import MultiTaskLinearSVC
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0, 0, 1, 0, 1, 1]
    >>> model = MultiTaskLinearSVC(lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"])
    array([0, 1])
    """

    loss: str = "hinge"
    class_weight: dict | str | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    __metadata_request__decision_function: ClassVar[dict[str, bool]] = {"groups": True}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a model per domain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data. Computation is in double precision.

        y : array-like of shape (n_samples,)
            The class labels.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row's loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
            check_classification_targets(y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            # A class of rows of weight 0 is absent; such rows are left out later.
            self.classes_ = np.unique(y[weight > 0])
            if len(self.classes_) < 2:
                raise ValueError(
                    f"MultiTaskLinearSVC needs samples of at least 2 classes in y, got "
                    f"only one class: {self.classes_.tolist()[0]!r}."
                )
            if self.class_weight == "balanced":
                used = weight > 0
                by_class = compute_class_weight(
                    "balanced",
                    classes=self.classes_,
                    y=y[used],
                    sample_weight=weight[used],
                )
                weight = weight.copy()  # it may be the array of the caller
                weight[used] *= by_class[np.searchsorted(self.classes_, y[used])]
            elif self.class_weight is not None:
                weight = weight * compute_sample_weight(self.class_weight, y)
            positive = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
            squared = self.loss == "squared_hinge"
            losses = [
                RowLoss(np.where(y == label, 1.0, -1.0), weight, squared, None)
                for label in positive
            ]
            solutions = self._solve_all(X, losses, *encoded)
            objectives = np.array([solution.objective for solution in solutions])
            gaps = np.array([solution.gap for solution in solutions])
            binary = len(solutions) == 1
            self.objective_ = float(objectives[0]) if binary else objectives
            self.dual_gap_ = float(gaps[0]) if binary else gaps
        return self

    def decision_function(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return signed distances, up to a factor, from the separating hyperplanes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. A domain seen in fit is judged by its own model, any
            other, and all rows if None, by the shared one.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Positive values speak for ``classes_[1]``; with more classes, the largest
            value wins.
        """
        scores = self._scores(X, groups)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        scores = self._scores(X, groups)
        if len(self.classes_) == 2:
            return self.classes_[(scores[:, 0] > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `decision_function`.

        Returns
        -------
        float
            Share of rows that are classified correctly.
        """
        predicted = self.predict(X, groups=groups)
        return accuracy_score(y, predicted, sample_weight=sample_weight)


@estimator
class MultiTaskLinearSVR(RegressorMixin, _MultiTaskLinearSVM):
    r"""Linear support vector regression for each domain, with a shared part.

    Parameters
    ----------
    epsilon : float, default=0.1
        Errors up to this size, in the unit of y, cost nothing. Choose it, and the scale
        of y, together.

    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, \
            default="epsilon_insensitive"
        The loss of a row, ``xi`` in Notes, or its square.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Shared coefficients w_0, for domains that were not seen.

    intercept_ : float
        Shared offset b_0.

    task_coef_ : ndarray of shape (n_domains, n_features)
        Coefficients w_t = w_0 + v_t of each domain, in the order of `domains_`.

    task_intercept_ : ndarray of shape (n_domains,)
        Offsets b_t of each domain.

    objective_ : float
        The objective at the solution, by its definition.

    dual_gap_ : float
        How far the objective can be from the optimum, relative to it (or to 1 if that
        is larger); certified by feasible dual values.

    Raises
    ------
    RuntimeError
        By `fit`, if the solver fails.

    Warns
    -----
    ConvergenceWarning
        By `fit`, if the solver stops short of the optimum, with the gap.

    See Also
    --------
    MultiTaskLinearSVC : The same for classes.
    sklearn.svm.LinearSVR : One model for all domains.

    Notes
    -----
    The model of domain t is w_t = w_0 + v_t. The objective is [1]_

    .. math:: \min_{w_0, v_t} \; \sum_{t=1}^{T} \sum_{i} \xi_{ti} + \frac{\lambda_1}{T}
       \sum_{t=1}^{T} \|v_t\|^2 + \lambda_2 \|w_0\|^2, \qquad \xi_{ti} = \max(0,
       |y_{ti} - (w_0 + v_t)^\top x_{ti}| - \epsilon),

    a plain sum over rows, with T domains; weights of rows multiply their losses. At the
    optimum :math:`\sum_t v_t = \mu w_0` with :math:`\mu = T \lambda_2 / \lambda_1`.
    X is best standardised, and y of the order of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg import MultiTaskLinearSVR
    >>> X = np.array([[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]])
    >>> y = [0.0, 1.0, 2.0, 0.0, 2.0, 4.0]
    >>> model = MultiTaskLinearSVR(epsilon=0.0, lambda_shared=0.01, lambda_task=0.01)
    >>> model = model.fit(X, y, groups=["a", "a", "a", "b", "b", "b"])
    >>> model.predict([[1.0], [1.0]], groups=["a", "b"]).round(1)
    array([1., 2.])
    """

    epsilon: float = 0.1
    loss: str = "epsilon_insensitive"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a model per domain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data. Computation is in double precision.

        y : array-like of shape (n_samples,)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row's loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True
            )
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            squared = self.loss == "squared_epsilon_insensitive"
            loss = RowLoss(y.astype(np.float64), weight, squared, float(self.epsilon))
            (solution,) = self._solve_all(X, [loss], *encoded)
            self.coef_, self.task_coef_ = self.coef_[0], self.task_coef_[:, 0]
            self.intercept_: Any = float(self.intercept_[0])
            self.task_intercept_ = self.task_intercept_[:, 0]
            self.objective_, self.dual_gap_ = solution.objective, solution.gap
        return self

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return predictions of the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. A domain seen in fit is predicted by its own model,
            any other, and all rows if None, by the shared one.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted values.
        """
        return self._scores(X, groups)[:, 0]

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Return the coefficient of determination R squared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            True values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, see `predict`.

        Returns
        -------
        float
            R squared.
        """
        predicted = self.predict(X, groups=groups)
        return r2_score(y, predicted, sample_weight=sample_weight)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any estimator, made robust to its worst domain."""

from collections.abc import Callable
from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skdg._dataclass import estimator
from skdg.base import DomainEstimator


def split_domains(
    codes: np.ndarray, fraction: float | None, random_state: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to measure losses on.

    Without a fraction both are all rows. With one, each domain of at least two rows
    gives that share (at least one row) to the second part.
    """
    rows = np.arange(len(codes))
    if fraction is None:
        return rows, rows
    # None: numpy's global generator is left alone.
    fresh = np.random.RandomState() if random_state is None else random_state
    rng = check_random_state(fresh)
    held = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes):
        own = rng.permutation(rows[codes == code])
        n_held = min(len(own) - 1, max(1, round(fraction * len(own))))
        # A domain of one row is trained on and measured by the same row.
        held[own[:n_held]] = True
    single = np.bincount(codes)[codes] == 1
    return rows[~held], rows[held | single]


@estimator
class _DomainRobust(DomainEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What is made robust; its fit must take `sample_weight`. A clone is fitted in
        each round.

    n_rounds : int, default=10
        Number of rounds, each a fit.

    step_size : float, default=1.0
        Rate at which the weights of domains follow their losses, ``eta`` in Notes. 0
        weighs all domains equally, with one round as good as many.

    combine : {"average", "last"}, default="average"
        Whether to predict by the average over the models of all rounds, for which the
        worst loss is known to converge, or by the last one, which predicts faster.

    validation_fraction : float or None, default=None
        Share of the rows of each domain that is kept from the models and measures their
        losses. A model that fits its training rows perfectly (such as boosting with
        many trees) needs it: its training losses say nothing.

    random_state : int, RandomState instance or None, default=None
        Source of the validation rows.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted models that predict: those of all rounds, or the last.

    domain_weights_ : ndarray of shape (n_rounds, n_domains)
        Weights of the domains in each round, in the order of `domains_`.

    domain_losses_ : ndarray of shape (n_rounds, n_domains)
        Losses of the domains after each round.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.

    Notes
    -----
    The worst mixture of domains is found by exponentiated gradient ascent, around fits
    that take the mixture as given: from uniform weights on, in each round,

    .. math:: h \leftarrow \mathrm{fit}\left(\text{weights } \frac{q_e w_i}{\sum_{j \in
       e} w_j}\right), \qquad q_e \leftarrow \frac{q_e \exp(\eta \, L_e(h))}{\sum_i q_i
       \exp(\eta \, L_i(h))},

    with L_e the mean loss in domain e: the log loss of a classifier (the share of
    errors if it gives no probabilities), the squared error of a regressor over the
    variance of y. Weights sum to those of the input. For convex losses the average of
    all rounds approaches the mixture's saddle point [1]_. This is the idea of
    `skdg.GroupDROClassifier` [2]_ for models that are not trained by gradients.

    References
    ----------
    .. [1] Y. Freund and R. E. Schapire, "Adaptive game playing using multiplicative
       weights", Games and Economic Behavior 29, 1999.
    .. [2] S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally robust
       neural networks for group shifts", ICLR 2020.
    """

    estimator: Any = field(default=None, kw_only=False)
    n_rounds: int = 10
    step_size: float = 1.0
    combine: str = "average"
    validation_fraction: float | None = None
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="left")],
        "combine": [StrOptions({"average", "last"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    }

    _default: ClassVar[Callable[[], Any]]

    def _base(self) -> Any:
        return type(self)._default() if self.estimator is None else self.estimator

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        """Return the loss of each row."""
        raise NotImplementedError

    def _check_input(self, X: Any, *, reset: bool) -> Any:
        """Leave a data frame as it is, for the models to see its columns."""
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True, reset=reset)
            return X
        # Missing values are for the models to judge.
        return validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=None,
            ensure_all_finite=False,
            reset=reset,
        )

    def _fit_rounds(
        self,
        X: Any,
        y: np.ndarray,
        weight: np.ndarray,
        domains: np.ndarray,
        codes: np.ndarray,
    ) -> None:
        """Run all rounds and set the fitted attributes."""
        base = self._base()
        if not has_fit_parameter(base, "sample_weight"):
            raise ValueError(
                f"estimator must take sample_weight in fit, which "
                f"{type(base).__name__} does not. Wrap what comes before it instead: "
                f"make_pipeline(scaler, DomainRobustClassifier(classifier))."
            )
        kept = np.flatnonzero(weight > 0)
        present, codes = np.unique(codes[kept], return_inverse=True)
        train, measure = split_domains(
            codes,
            self.validation_fraction,
            self.random_state,
        )
        X_train, X_measure = (
            _safe_indexing(X, kept[rows]) for rows in (train, measure)
        )
        y_train, y_measure = (y[kept[rows]] for rows in (train, measure))
        w_train, w_measure = (weight[kept[rows]] for rows in (train, measure))
        mass = np.bincount(codes[train], weights=w_train)[codes[train]]
        measured = np.bincount(codes[measure], weights=w_measure)
        # Rounds of one domain would all be the same.
        n_rounds = self.n_rounds if len(present) > 1 else 1
        log_weights = np.zeros(len(present))
        models, weights, losses = [], [], []
        for _ in range(n_rounds):
            q = np.exp(log_weights - log_weights.max())
            # Sorted, so that not even rounding depends on the order of domains.
            q /= np.sort(q).sum()
            share = q[codes[train]] * w_train / mass
            model = clone(base)
            model.fit(X_train, y_train, sample_weight=share * w_train.sum())
            of_rows = self._losses(model, X_measure, y_measure)
            loss = np.bincount(codes[measure], weights=w_measure * of_rows) / measured
            log_weights = log_weights + self.step_size * loss
            models.append(model)
            weights.append(q)
            losses.append(loss)
        self.estimators_ = models if self.combine == "average" else models[-1:]
        self.domain_weights_ = np.array(weights)
        self.domain_losses_ = np.array(losses)
        self.domains_ = domains[present]
        self.n_domains_ = len(present)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._base()).input_tags
        return tags


@estimator
class DomainRobustClassifier(ClassifierMixin, _DomainRobust):
    """Any classifier, with the lowest loss in its worst domain.

    `estimator` defaults to `sklearn.linear_model.LogisticRegression`; gradient boosting
    is what tables ask for.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    See Also
    --------
    skdg.GroupDROClassifier : The same idea inside a network's training.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from skdg.invariance import DomainRobustClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> boosting = HistGradientBoostingClassifier(max_iter=10)
    >>> model = DomainRobustClassifier(boosting, n_rounds=3)
    >>> model.fit(X, y, groups=groups).domain_weights_.shape
    (3, 3)
    """

    _default: ClassVar[Callable[[], Any]] = LogisticRegression

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a classifier in each round, with other weights of the domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, passed on to `estimator` as they are.

        y : array-like of shape (n_samples,)
            The class labels.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its domain.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X = self._check_input(X, reset=True)
            y = _check_y(y, y_numeric=False, estimator=self)
            check_classification_targets(y)
            check_consistent_length(X, y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            # A class of rows of weight 0 is absent.
            self.classes_ = np.unique(y[weight > 0])
            if len(self.classes_) < 2:
                raise ValueError(
                    f"DomainRobustClassifier needs samples of at least 2 classes in y, "
                    f"got only one class: {self.classes_.tolist()[0]!r}."
                )
            self._fit_rounds(X, y, weight, *encoded)
        return self

    def _probabilities(self, model: Any, X: Any) -> np.ndarray:
        """Return probabilities in the order of `classes_`; votes if there are none."""
        result = np.zeros((X.shape[0], len(self.classes_)))
        if hasattr(model, "predict_proba"):
            columns = np.searchsorted(self.classes_, model.classes_)
            result[:, columns] = model.predict_proba(X)
        else:
            predicted = np.searchsorted(self.classes_, model.predict(X))
            result[np.arange(len(result)), predicted] = 1.0
        return result

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        probabilities = self._probabilities(model, X)
        own = probabilities[np.arange(len(y)), np.searchsorted(self.classes_, y)]
        if not hasattr(model, "predict_proba"):
            return 1.0 - own
        return -np.log(np.maximum(own, np.finfo(float).eps))

    def _average(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = self._check_input(X, reset=False)
        votes = [self._probabilities(model, X) for model in self.estimators_]
        return np.mean(votes, axis=0)

    @available_if(lambda self: hasattr(self._base(), "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, averaged over the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._average(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class with the highest average probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        average = self._average(X)
        return self.classes_[average.argmax(axis=1)]


@estimator
class DomainRobustRegressor(RegressorMixin, _DomainRobust):
    """Any regressor, with the lowest squared error in its worst domain.

    `estimator` defaults to `sklearn.linear_model.Ridge`; gradient boosting is what
    tables ask for.

    See Also
    --------
    skdg.GroupDRORegressor : The same idea inside a network's training.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdg.invariance import DomainRobustRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", n_samples=100, random_state=0)
    >>> boosting = HistGradientBoostingRegressor(max_iter=10)
    >>> model = DomainRobustRegressor(boosting, n_rounds=3)
    >>> model.fit(X, y, groups=groups).domain_weights_.shape
    (3, 3)
    """

    _default: ClassVar[Callable[[], Any]] = Ridge

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a regressor in each round, with other weights of the domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, passed on to `estimator` as they are.

        y : array-like of shape (n_samples,)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its domain.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X = self._check_input(X, reset=True)
            y = _check_y(y, y_numeric=True, estimator=self).astype(np.float64)
            check_consistent_length(X, y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            mean = weight @ y / weight.sum()
            variance = weight @ (y - mean) ** 2 / weight.sum()
            self._loss_unit = float(variance) or 1.0
            self._fit_rounds(X, y, weight, *encoded)
        return self

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        return (y - model.predict(X)) ** 2 / self._loss_unit

    def predict(self, X: Any) -> np.ndarray:
        """Return the prediction of the target, averaged over the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted values.
        """
        check_is_fitted(self)
        X = self._check_input(X, reset=False)
        return np.mean([model.predict(X) for model in self.estimators_], axis=0)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any estimator, made robust to its worst domain: parameters, objective, rounds."""

from collections.abc import Callable
from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import Tags, _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    has_fit_parameter,
    validate_data,
)

from skdg._dataclass import estimator
from skdg.base import DomainEstimator
from skdg.invariance._domain_mixture import split_domains, worst_mixture


@estimator
class DomainRobust(DomainEstimator):
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

    Notes
    -----
    The worst mixture of domains is found by exponentiated gradient ascent, around fits
    that take the mixture as given: from uniform weights on, in each round,

    .. math:: h \leftarrow \mathrm{fit}\left(\text{weights } \frac{q_e w_i}{\sum_{j \in
       e} w_j}\right), \qquad q_e \leftarrow \frac{q_e \exp(\eta \, L_e(h))}{\sum_i q_i
       \exp(\eta \, L_i(h))},

    with L_e the mean loss in domain e: the log loss of a classifier (of probabilities
    not below rounding; the share of errors if it gives none), the squared error of a
    regressor over the variance of y. Weights sum to those of the input. For convex
    losses the average of all rounds approaches the mixture's saddle point [1]_. This is
    the idea of `skdg.GroupDROClassifier` [2]_ for models that are not trained by
    gradients.

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

    _numeric_targets: ClassVar[bool] = False

    def _base(self) -> Any:
        return type(self)._default() if self.estimator is None else self.estimator

    def _prepare(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Check the targets, set what the losses need, and return them."""
        raise NotImplementedError

    def _losses(self, model: Any, X: Any, y: np.ndarray) -> np.ndarray:
        """Return the loss of each row."""
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a model in each round, with other weights of the domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, passed on to `estimator` as they are.

        y : array-like of shape (n_samples,)
            The targets.

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
            y = _check_y(y, y_numeric=self._numeric_targets, estimator=self)
            check_consistent_length(X, y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            self._fit_rounds(X, self._prepare(y, weight), weight, *encoded)
        return self

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
            codes, self.validation_fraction, self.random_state
        )
        X_train, X_measure = (
            _safe_indexing(X, kept[rows]) for rows in (train, measure)
        )
        y_train, y_measure = y[kept[train]], y[kept[measure]]

        def fit(row_weights: np.ndarray) -> Any:
            return clone(base).fit(X_train, y_train, sample_weight=row_weights)

        models, weights, losses = worst_mixture(
            fit,
            lambda model: self._losses(model, X_measure, y_measure),
            (codes[train], weight[kept[train]]),
            (codes[measure], weight[kept[measure]]),
            # Rounds of one domain would all be the same.
            n_rounds=self.n_rounds if len(present) > 1 else 1,
            step_size=self.step_size,
        )
        self.estimators_ = models if self.combine == "average" else models[-1:]
        self.domain_weights_, self.domain_losses_ = weights, losses
        self.domains_ = domains[present]
        self.n_domains_ = len(present)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._base()).input_tags
        return tags

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Fits of any estimator in rounds, each with other weights of the domains."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import Tags, _safe_indexing, get_tags
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    has_fit_parameter,
    validate_data,
)

from skdg.base import DomainEstimator
from skdg.invariance._domain_mixture import split_domains, worst_mixture


class DomainRounds(DomainEstimator):
    """How `DomainRobust`, which has the parameters, is fitted."""

    estimator: Any
    n_rounds: int
    step_size: float
    combine: str
    validation_fraction: float | None
    random_state: Any

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
                f"make_pipeline(scaler, {type(self).__name__}(estimator))."
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

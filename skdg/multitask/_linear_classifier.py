# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers of one linear model per domain and class, whatever the loss."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from skdg._class_weight import weigh_classes
from skdg._classes import classes_that_count, signs_of_classes, winning_class
from skdg._dataclass import estimator
from skdg.multitask._linear_base import _MultiTaskLinear
from skdg.multitask._task_score import TaskClassifierMixin


@estimator
class _LinearTaskClassifier(TaskClassifierMixin, _MultiTaskLinear):
    """What classifiers share. More than two classes are one against the rest.

    Parameters
    ----------
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
        Coefficients w_t of each domain, in the order of `domains_`.

    task_intercept_ : ndarray of shape (n_domains, 1 or n_classes)
        Offsets b_t of each domain.

    objective_ : float or ndarray of shape (n_classes,)
        The objective at the solution, by its definition; per class if there are more
        than two.

    dual_gap_ : float or ndarray of shape (n_classes,)
        How far the objective can be from the optimum, relative to it (or to the weight
        of a typical row if that is larger); certified by feasible dual values.
    """

    class_weight: dict | str | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
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
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            self.classes_ = classes_that_count(y, weight, type(self).__name__)
            weight = weigh_classes(self.class_weight, y, weight)
            targets = signs_of_classes(y, self.classes_)
            self._solve_all(X, list(targets.T), weight, *encoded)
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
        return winning_class(self._scores(X, groups), self.classes_)

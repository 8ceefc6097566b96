# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Invariant-feature subspace recovery."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg.base import DomainEstimator
from skdg.invariance._class_moments import split_directions


@estimator
class InvariantSubspaceRecovery(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DomainEstimator
):
    r"""Remove the directions in which domains differ, given the class.

    A linear transformer in closed form, which needs classes and domains in `fit` alone,
    so that it stands before any classifier in a pipeline.

    Parameters
    ----------
    n_spurious : int or "auto", default="auto"
        Number of directions to remove. "auto" removes as many as the domains can tell
        apart by their means, one less than their number; it leaves at least one, and
        those in which nothing varies.

    moment : {"mean", "covariance"}, default="mean"
        What must not differ: the class-conditional means (ISR-Mean) or covariances
        (ISR-Cov, which sees spurious features in fewer domains, from more rows).

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        An orthonormal basis of what is kept.

    spurious_components_ : ndarray of shape (n_spurious, n_features)
        An orthonormal basis of what is removed, the most variable direction first.

    scatter_ : ndarray of shape (n_features,)
        Variation between domains along each direction, in descending order; a gap tells
        how many directions are spurious.

    See Also
    --------
    skdg.IRMClassifier : Invariance by a penalty.

    Notes
    -----
    Let features be a rotation of invariant ones, whose distribution given the class is
    the same everywhere, and of spurious ones, whose mean given the class depends on the
    domain. Class means then differ only along spurious directions, and with more
    domains than such directions the eigenvectors of their scatter :math:`\sum_c \sum_e
    (\mu_{ce} - \bar\mu_c) (\mu_{ce} - \bar\mu_c)^\top` find them all [1]_. With
    covariances the scatter is :math:`\sum_c \sum_e (C_{ce} - \bar C_c)^2`. What is kept
    has the least trace of it, which is the objective, in closed form. The paper uses
    one class, and for covariances two domains; here all count, equally, and none has to
    be chosen. With one domain nothing can differ, and X is unchanged but for the basis.

    References
    ----------
    .. [1] H. Wang, H. Si, B. Li and H. Zhao, "Provable domain generalization via
       invariant-feature subspace recovery", ICML 2022.

    Examples
    --------
    >>> from skdg.invariance import InvariantSubspaceRecovery
    >>> from skdg.datasets import make_linear_unit_test
    >>> X, y, groups = make_linear_unit_test("Example3", n_domains=6, random_state=0)
    >>> InvariantSubspaceRecovery().fit(X, y, groups=groups).transform(X).shape
    (6000, 5)
    """

    n_spurious: int | str = "auto"
    moment: str = "mean"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_spurious": [
            Interval(Integral, 0, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "moment": [StrOptions({"mean", "covariance"})],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Find the directions in which the domains differ.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data. Not standardized here.

        y : array-like of shape (n_samples,)
            The class labels.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its class and domain.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        with self._unchanged_on_error():
            encoded = self._encode_domains(X, groups)
            X, y, codes, weight = self._rows_that_count(X, y, sample_weight, encoded)
            check_classification_targets(y)
            self.scatter_, self.spurious_components_, self.components_ = (
                split_directions(X, y, codes, weight, self.moment, self.n_spurious)
            )
            self._n_features_out = len(self.components_)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Project on the directions that are kept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Coordinates in the basis `components_`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return X @ self.components_.T

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

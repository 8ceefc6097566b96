# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Invariant-feature subspace recovery."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdg._dataclass import estimator
from skdg.base import DomainEstimator


def between_domain_scatter(
    X: np.ndarray, y: np.ndarray, codes: np.ndarray, weight: np.ndarray, moment: str
) -> np.ndarray:
    """Return how much class-conditional moments vary between domains, by direction.

    A positive semidefinite matrix of shape (n_features, n_features): summed over
    classes, the scatter of the domains' means ("mean"), or the sum of squared
    differences of their covariances from the average one ("covariance").
    """
    n_features = X.shape[1]
    scatter = np.zeros((n_features, n_features))
    for label in np.unique(y):
        rows = [
            np.flatnonzero((y == label) & (codes == code)) for code in np.unique(codes)
        ]
        parts = [(X[own], weight[own]) for own in rows if len(own)]
        if moment == "mean":
            means = np.array([np.average(x, axis=0, weights=w) for x, w in parts])
            deviations = means - means.mean(axis=0)
            scatter += deviations.T @ deviations
            continue
        covariances = np.array(
            [
                np.cov(x.T, aweights=w, ddof=0).reshape(2 * [n_features])
                for x, w in parts
                if (x != x[0]).any()
            ]
        )
        if len(covariances):
            differences = covariances - covariances.mean(axis=0)
            scatter += (differences @ differences).sum(axis=0)
    return scatter


@estimator
class InvariantSubspaceRecovery(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DomainEstimator
):
    r"""Remove the directions in which domains differ, given the class.

    A linear transformer in closed form: `fit` needs the classes and the domains,
    `transform` neither, so that it stands before any classifier in a pipeline.

    Parameters
    ----------
    n_spurious : int or "auto", default="auto"
        Number of directions to remove. "auto" removes as many as the domains can tell
        apart by their means, one less than their number, and leaves at least one.

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

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.

    See Also
    --------
    skdg.IRMClassifier : Invariance by a penalty.

    Notes
    -----
    Let features be a rotation of invariant ones, whose distribution given the class is
    the same everywhere, and of spurious ones, whose mean given the class depends on the
    domain. The domains' class means then differ only along spurious directions, and
    with more domains than spurious directions a principal component analysis of these
    means finds all of them [1]_. For covariances it is the eigenvectors of the summed
    squared deviations from the mean covariance; the paper takes the difference of a
    pair of domains. All classes are used; the paper uses one.

    With one domain nothing can differ, and X passes unchanged but for the basis. With
    as many spurious directions as domains or more, ISR-Mean cannot find them all.

    References
    ----------
    .. [1] H. Wang, H. Si, B. Li and H. Zhao, "Provable domain generalization via
       invariant-feature subspace recovery", ICML 2022.

    Examples
    --------
    >>> from skdg.invariance import InvariantSubspaceRecovery
    >>> from skdg.datasets import make_linear_unit_test
    >>> X, y, groups = make_linear_unit_test("Example3", n_domains=6, random_state=0)
    >>> recovery = InvariantSubspaceRecovery().fit(X, y, groups=groups)
    >>> recovery.transform(X).shape
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
            The input data. Not standardised here.

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
            domains, codes = self._encode_domains(X, groups)
            X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
            check_classification_targets(y)
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            kept = weight > 0
            self.domains_ = domains[np.unique(codes[kept])]
            self.n_domains_ = len(self.domains_)
            n_features = X.shape[1]
            if self.n_spurious == "auto":
                n_spurious = min(self.n_domains_ - 1, n_features - 1)
            else:
                n_spurious = int(self.n_spurious)
            if n_spurious >= n_features:
                raise ValueError(
                    f"n_spurious={n_spurious} would remove all of the {n_features} "
                    f"features of X; it must be smaller."
                )
            scatter = between_domain_scatter(
                X[kept], y[kept], codes[kept], weight[kept], self.moment
            )
            values, vectors = np.linalg.eigh(scatter)
            directions = vectors.T[::-1].astype(X.dtype, order="C")
            self.scatter_ = values[::-1]
            self.spurious_components_ = directions[:n_spurious]
            self.components_ = directions[n_spurious:]
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

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

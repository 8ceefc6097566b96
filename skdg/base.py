# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What all estimators share: the meaning of ``groups``, and nothing else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    validate_data,
)

from skdg import __version__
from skdg._labels import encode_groups
from skdg.exceptions import SingleDomainWarning

__all__ = ["DomainEstimator", "encode_groups"]


_SINGLE_DOMAIN = (
    "{name}.{method} {cause}, so it treats all rows as one domain and has nothing to "
    "share between domains. Pass {method}(X, y, groups=domains). Inside a scikit-learn "
    "search, cross-validation or pipeline, groups reach it only with metadata routing "
    "turned on: sklearn.set_config(enable_metadata_routing=True)."
)


class DomainEstimator(BaseEstimator):
    """Base of all estimators: they take ``groups`` in ``fit`` and know their domains.

    Attributes
    ----------
    domains_ : ndarray of shape (n_domains,)
        The labels of the domains seen in fit, sorted; labels of several types by the
        name of the type first.

    n_domains_ : int
        Number of domains seen in fit.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.base import DomainEstimator
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = ERMClassifier(max_iter=5).fit(X, y, groups=groups)
    >>> isinstance(model, DomainEstimator)
    True
    >>> model.domains_.tolist()
    ['test', 'train_1', 'train_2']
    """

    # Without this default every user of a Pipeline or a search would have to call
    # set_fit_request(groups=True) on each estimator.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _doc_link_module = "skdg"
    _doc_link_template = (
        "https://skdg.readthedocs.io/en/latest/api/"
        "{estimator_module}.{estimator_name}.html"
    )

    def _encode_domains(
        self, X: Any, groups: Any, method: str = "fit"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number the domains of the rows of X; warn when there is only one.

        The warning points to the user's call of `method`: fit calls this function, and
        partial_fit a function that does; both are decorated.
        """
        stacklevel = 4 if method == "fit" else 5
        n_samples = _num_samples(X)
        name = type(self).__name__
        if groups is None:
            message = _SINGLE_DOMAIN.format(
                name=name, method=method, cause="got groups=None"
            )
            warnings.warn(message, SingleDomainWarning, stacklevel=stacklevel)
            return np.zeros(1, dtype=np.intp), np.zeros(n_samples, dtype=np.intp)
        domains, codes = encode_groups(groups, n_samples)
        if len(domains) == 1:
            cause = f"found the single label {str(domains[0])!r} in groups"
            message = _SINGLE_DOMAIN.format(name=name, method=method, cause=cause)
            warnings.warn(message, SingleDomainWarning, stacklevel=stacklevel)
        return domains, codes

    def _rows_that_count(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        encoded: tuple[np.ndarray, np.ndarray],
        **checks: Any,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Check the input, and return rows, targets, domains and weights above 0.

        Sets what is known of the domains. `checks` are those of `validate_data`.
        """
        domains, codes = encoded
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), **checks)
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        kept = weight > 0
        self.domains_ = domains[np.unique(codes[kept])]
        self.n_domains_ = len(self.domains_)
        return X[kept], y[kept], codes[kept], weight[kept]

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_skdg_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stored_by = state.get("_skdg_version", __version__)
        if stored_by != __version__:
            warnings.warn(
                f"{type(self).__name__} was stored by skdg {stored_by} and is loaded "
                f"by skdg {__version__}, which may know other attributes: fit it again "
                f"if it fails, and compare its predictions if it does not.",
                UserWarning,
                stacklevel=2,
            )
        known = {k: v for k, v in state.items() if k != "_skdg_version"}
        super().__setstate__(known)

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Leave the fitted attributes as they were when fit does not come to its end.

        Otherwise a refit that fails half-way (bad input, a diverging optimizer,
        Ctrl-C) would leave an estimator made of two different fits.
        """
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            # What scikit-learn keeps of its callbacks, it takes away itself.
            kept = {k: v for k, v in vars(self).items() if "_callback" in k}
            self.__dict__.clear()
            self.__dict__.update(before | kept)
            raise

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Run the search behind a rule of selection, and say why it came to nothing."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object


def run_search(search: GridSearchCV, X: Any, y: Any, groups: np.ndarray) -> None:
    """Fit a search by splits, with a scorer of domains, or raise what is wrong.

    Parameters
    ----------
    search : GridSearchCV
        The search, with a list of splits as `cv` and a `GroupScorer` as `scoring`.

    X : array-like of shape (n_samples, n_features)
        The rows.

    y : array-like of shape (n_samples,)
        Their targets.

    groups : ndarray of shape (n_samples,)
        Their domains.
    """
    try:
        search.fit(X, y, groups=groups)
    except ValueError as error:
        if "fits failed" in str(error):
            # The estimator says what is wrong with X and y; the search hides it.
            route = get_routing_for_object(search.estimator)
            takes = route.consumes("fit", ["groups"])
            clone(search.estimator).fit(X, y, **dict.fromkeys(takes, groups))
        raise
    if np.isnan(search.cv_results_["mean_test_score"]).all():
        raise ValueError(
            f"The score of every candidate is nan, so that none is the best. "
            f"{_why_nan(search, X, y, groups)}"
        )


def _why_nan(search: GridSearchCV, X: Any, y: Any, groups: np.ndarray) -> str:
    """Return which domain has no score, by the model that was fitted to all rows."""
    for _, test in search.cv:
        part = [_safe_indexing(values, test) for values in (X, y, groups)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                scores = search.scoring._by_domain(search.best_estimator_, *part, None)
            except ValueError as error:
                return str(error)
        for label, score in scores.items():
            if np.isnan(score):
                return (
                    f"The scorer is not defined on the rows of domain {label!r}, which "
                    f"may lack a class or be too few. Pass another scoring, or leave "
                    f"the domain out."
                )
    return "A fit or a score fails in some split: error_score='raise' shows it."

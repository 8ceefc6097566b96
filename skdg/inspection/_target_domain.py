# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which rows are a target domain's, and how far X tells."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skdg._label_lookup import find_labels, label_values, listed
from skdg._random import private_rng
from skdg.base import encode_groups

_N_FOLDS = 5


def target_rows(target: Any, groups: Any, n_samples: int) -> np.ndarray:
    """Mark the rows of the target domain, of which there must be some, and others."""
    domains, codes = encode_groups(groups, n_samples)
    labels = label_values(domains)
    (place,) = find_labels([target], labels)
    if place < 0:
        raise ValueError(
            f"There is no domain {target!r} in groups; there are {listed(labels)}."
        )
    is_target = codes == place
    for what, count in (("target", is_target.sum()), ("source", (~is_target).sum())):
        if count < _N_FOLDS:
            raise ValueError(
                f"The {what} has {count} rows, but {_N_FOLDS} are needed to tell "
                f"source from target on rows that a classifier was not fitted to."
            )
    return is_target


def target_probability(
    classifier: Any, X: Any, is_target: np.ndarray, random_state: Any
) -> np.ndarray:
    """Return the probability of each row to be the target's, by fits to others.

    Parameters
    ----------
    classifier : classifier or None
        What tells source from target by X; None is histogram gradient boosting.

    X : array-like of shape (n_samples, n_features)
        The rows.

    is_target : ndarray of shape (n_samples,)
        Which rows are the target's.

    random_state : int, RandomState instance or None
        Seed of the folds, and of the classifier if it is None.

    Returns
    -------
    ndarray of shape (n_samples,)
        The probabilities.
    """
    if random_state is None:  # scikit-learn would draw from the global generator
        random_state = private_rng(None)
    if classifier is None:
        classifier = HistGradientBoostingClassifier(
            early_stopping=True, random_state=random_state
        )
    folds = StratifiedKFold(_N_FOLDS, shuffle=True, random_state=random_state)
    try:
        probability = cross_val_predict(
            clone(classifier), X, is_target, cv=folds, method="predict_proba"
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The domain classifier, {type(classifier).__name__}, failed on X, which "
            f"it gets as it was passed and not as a pipeline transforms it. Pass one "
            f"that reads X, such as a pipeline, as domain_classifier=. It said: {error}"
        ) from error
    return probability[:, 1]

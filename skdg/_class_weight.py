# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Weights of classes: whether they are weights, and what they make of those of rows.

scikit-learn multiplies them into the weights of rows unseen: a negative weight turns a
convex loss into one without a minimum, and a misspelled class is passed over.
"""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight, compute_sample_weight

__all__ = ["check_class_weight", "weigh_classes"]


def check_class_weight(class_weight: Any, classes: Any) -> None:
    """Check the weights of classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        The weight of each class by its label. Only a dict can be wrong.

    classes : array-like of shape (n_classes,)
        The labels that occur. One without an entry has weight 1.

    Raises
    ------
    ValueError
        If a weight is not a finite number of 0 or more, if there is one for a label
        that does not occur and none for one that does, or if no class has a positive
        weight. The message names the class and the value.

    Notes
    -----
    As in scikit-learn, an entry for a label that does not occur is an error only where
    another label has none, as after a misspelling; a fold may lack a class.

    Examples
    --------
    >>> from skdg._class_weight import check_class_weight
    >>> check_class_weight({"yes": 2.0}, ["no", "yes"])
    >>> check_class_weight({"yes": -1.0}, ["no", "yes"])
    Traceback (most recent call last):
    ...
    ValueError: class_weight of class 'yes' must be a finite number >= 0, got -1.0.
    """
    if not isinstance(class_weight, Mapping):
        return
    labels = np.asarray(classes).tolist()
    complete = {_plain(label) for label in class_weight} >= set(labels)
    for label, value in class_weight.items():
        name = _plain(label)
        if name not in labels and not complete:
            raise ValueError(
                f"class_weight has a weight ({_plain(value)!r}) for class {name!r}, "
                f"which does not occur in y. The classes are {labels}."
            )
        if not isinstance(value, Real) or not 0 <= float(value) < np.inf:
            raise ValueError(
                f"class_weight of class {name!r} must be a finite number >= 0, got "
                f"{_plain(value)!r}."
            )
    if labels and all(class_weight.get(label, 1) == 0 for label in labels):
        raise ValueError(
            f"class_weight is 0 for each of the classes {labels}, so that no row "
            f"counts. At least one class needs a positive weight."
        )


def weigh_classes(class_weight: Any, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Multiply the weights of rows with those of their classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        The weight of each class by its label, see `check_class_weight`. "balanced":
        each class has the same sum of weights, and the mean weight stays.

    y : ndarray of shape (n_samples,)
        The class label of each row.

    weight : ndarray of shape (n_samples,)
        The weight of each row. A class of rows of weight 0 counts as absent.

    Returns
    -------
    ndarray of shape (n_samples,)
        The new weights, of the type of `weight`, which is not changed.
    """
    if class_weight is None:
        return weight
    if class_weight != "balanced":
        check_class_weight(class_weight, np.unique(y))
        return weight * compute_sample_weight(class_weight, y).astype(weight.dtype)
    used = weight > 0
    classes = np.unique(y[used])
    by_class = compute_class_weight(
        "balanced", classes=classes, y=y[used], sample_weight=weight[used]
    )
    weighted = weight.copy()
    weighted[used] *= by_class[np.searchsorted(classes, y[used])].astype(weight.dtype)
    return weighted


def _plain(value: Any) -> Any:
    """Return a numpy scalar as what it prints like, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value

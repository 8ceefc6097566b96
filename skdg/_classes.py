# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The classes of a classifier: which there are, and which one wins."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

__all__ = ["classes_that_count", "signs_of_classes", "winning_class"]


def classes_that_count(y: np.ndarray, weight: np.ndarray, name: str) -> np.ndarray:
    """Check class labels, and return the classes, sorted.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The class of each row.

    weight : ndarray of shape (n_samples,)
        The weight of each row. A class of rows of weight 0 is absent.

    name : str
        The name of the classifier, for the message.

    Returns
    -------
    ndarray of shape (n_classes,)
        The classes.

    Raises
    ------
    ValueError
        If `y` does not hold classes, or fewer than two of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg._classes import classes_that_count
    >>> classes_that_count(np.array([2, 0, 1]), np.array([1.0, 1.0, 0.0]), "Machine")
    array([0, 2])
    """
    check_classification_targets(y)
    classes = np.unique(y[weight > 0])
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs samples of at least 2 classes in y, got only one class: "
            f"{classes.tolist()[0]!r}."
        )
    return classes


def signs_of_classes(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return 1 for the rows of a class and -1 for others, by columns.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The class of each row.

    classes : ndarray of shape (n_classes,)
        The classes.

    Returns
    -------
    ndarray of shape (n_samples, 1 or n_classes)
        A column for each class; of two classes for the second alone.
    """
    signs = np.where(y[:, None] == classes, 1.0, -1.0)
    return signs[:, 1:] if len(classes) == 2 else signs


def winning_class(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the class of the largest score; of two the second if its score is above 0.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, 1 or n_classes)
        Scores in the columns of `signs_of_classes`.

    classes : ndarray of shape (n_classes,)
        The classes.

    Returns
    -------
    ndarray of shape (n_samples,)
        Class labels.
    """
    if len(classes) == 2:
        return classes[(scores[:, 0] > 0).astype(np.intp)]
    return classes[scores.argmax(axis=1)]

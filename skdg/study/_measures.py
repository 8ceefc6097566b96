# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The metrics that a study can report."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    get_scorer_names,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)


class Measure(NamedTuple):
    """A metric and how to speak of it.

    Parameters
    ----------
    label : str
        Its name in a sentence; "{unit}" stands for the unit of the target.

    function : callable
        ``function(y_true, y_pred)``, picklable.

    greater_is_better : bool
        The direction in which it improves.

    scoring : str
        The scorer of scikit-learn that computes it, for which more is better.
    """

    label: str
    function: Callable[[Any, Any], float]
    greater_is_better: bool
    scoring: str

    def best(self, scores: Any) -> float:
        """Return the best of some scores."""
        return max(scores) if self.greater_is_better else min(scores)

    def worst(self, scores: Any) -> float:
        """Return the worst of some scores."""
        return min(scores) if self.greater_is_better else max(scores)


def _macro_f1(y_true: Any, y_pred: Any) -> float:
    return f1_score(y_true, y_pred, average="macro", zero_division=0.0)


# The first of each task is the default. For regression it is an error in the unit of
# the target: R2 divides by the variance of the target *within* the held-out domain, so
# that a domain of much the same targets looks bad however small the errors are there,
# and dominates the mean over domains.
MEASURES: dict[str, dict[str, Measure]] = {
    "classification": {
        "accuracy": Measure("accuracy", accuracy_score, True, "accuracy"),
        "balanced_accuracy": Measure(
            "balanced accuracy", balanced_accuracy_score, True, "balanced_accuracy"
        ),
        "f1_macro": Measure("macro F1", _macro_f1, True, "f1_macro"),
    },
    "regression": {
        "rmse": Measure(
            "RMSE", root_mean_squared_error, False, "neg_root_mean_squared_error"
        ),
        "mae": Measure(
            "mean absolute error", mean_absolute_error, False, "neg_mean_absolute_error"
        ),
        "r2": Measure("R2", r2_score, True, "r2"),
    },
}


def spoken(scoring: str) -> tuple[str, int]:
    """Return how people call a score, and the sign by which they write it.

    Parameters
    ----------
    scoring : str
        Name of a scorer of scikit-learn, or any other name.

    Returns
    -------
    label : str
        The name of the metric.

    sign : {1, -1}
        -1 for an error, of which scikit-learn's score is the negative.
    """
    for measures in MEASURES.values():
        for measure in measures.values():
            if measure.scoring == scoring:
                return measure.label, 1 if measure.greater_is_better else -1
    if scoring in get_scorer_names():
        return scoring.removeprefix("neg_").replace("_", " "), (
            -1 if scoring.startswith("neg_") else 1
        )
    return scoring, 1

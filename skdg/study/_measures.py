# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The metrics that a study can report."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
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
    """

    label: str
    function: Callable[[Any, Any], float]
    greater_is_better: bool

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
        "accuracy": Measure("accuracy", accuracy_score, True),
        "balanced_accuracy": Measure(
            "balanced accuracy", balanced_accuracy_score, True
        ),
        "f1_macro": Measure("macro F1", _macro_f1, True),
    },
    "regression": {
        "rmse": Measure("RMSE", root_mean_squared_error, False),
        "mae": Measure("mean absolute error", mean_absolute_error, False),
        "r2": Measure("R2", r2_score, True),
    },
}

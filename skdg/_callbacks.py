# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The only module that touches scikit-learn's experimental callbacks.

They may change without a deprecation cycle, so training goes through the small object
below and knows nothing of contexts.
"""

from collections.abc import Callable
from typing import Any

from sklearn.callback import CallbackSupportMixin

__all__ = ["CallbackSupportMixin", "TrainingMonitor", "has_callbacks"]


def has_callbacks(estimator: Any) -> bool:
    """Tell whether an estimator has callbacks, which want to follow its fit."""
    return bool(getattr(estimator, "_skl_callbacks", []))


class TrainingMonitor:
    """Report each iteration of a fit to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator instance
        The estimator being fitted.

    max_iter : int
        The number of iterations that the fit may take.

    X, y : array-like
        The training data as the user passed them. Groups are not handed on: what
        scikit-learn calls metadata goes to every scorer, and most take no groups.

    fitted_attributes : callable
        Returns the attributes that would make the estimator ready to predict now.
    """

    def __init__(
        self,
        estimator: Any,
        max_iter: int,
        X: Any,
        y: Any,
        fitted_attributes: Callable[[], dict[str, Any]],
    ) -> None:
        self._estimator = estimator
        self._arguments = {"estimator": estimator, "X": X, "y": y}
        self._fitted_attributes = fitted_attributes
        self._root = estimator._init_callback_context(max_subtasks=max_iter)
        self._root.call_on_fit_task_begin(**self._arguments)
        # A context per iteration costs more than a small training step.
        self._listening = has_callbacks(estimator)

    def iteration_ends(self) -> bool:
        """Tell the callbacks that an iteration ended; return True to stop."""
        if not self._listening:
            return False
        context = self._root.subcontext(task_name="iteration")
        context.call_on_fit_task_begin(**self._arguments)
        return context.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=self._fitted_attributes
        )

    def fit_ends(self) -> None:
        """Tell the callbacks that the fit came to its end."""
        self._root.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=self._fitted_attributes
        )

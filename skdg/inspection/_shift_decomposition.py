# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A picture of why a model does worse on a domain that it has not seen."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import _num_samples, check_consistent_length

from skdg.inspection._plotting import get_axes, make_frame
from skdg.inspection._target_domain import target_probability, target_rows
from skdg.metrics import ShiftDecomposition, shift_decomposition
from skdg.metrics._group_scorer import with_groups

_LABELS = {
    "harder": "X that both have,\nmore of the harder",
    "conditional": "Y given X",
    "unfamiliar": "X that the source\nhardly has",
}


class ShiftDecompositionDisplay:
    """Why the loss is another one on a target domain: DISDE as a picture.

    Best made by `from_estimator` or `from_predictions`.

    Parameters
    ----------
    parts : ShiftDecomposition
        The mean losses and the parts of their difference.

    loss_name : str, default="loss"
        What the losses are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure that holds it.

    See Also
    --------
    skdg.metrics.shift_decomposition : The formula, and what the parts mean.

    Examples
    --------
    The sign of the last column turns around in the test domain, at the same X:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.inspection import ShiftDecompositionDisplay
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> seen = groups != "test"
    >>> model = LogisticRegression().fit(X[seen], y[seen])
    >>> display = ShiftDecompositionDisplay.from_estimator(
    ...     model, X, y, groups=groups, target="test"
    ... )
    >>> display.parts.target > display.parts.source
    True
    """

    def __init__(self, parts: ShiftDecomposition, *, loss_name: str = "loss") -> None:
        self.parts = parts
        self.loss_name = loss_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any,
        target: Any,
        loss: Callable[[Any, Any], Any] | None = None,
        domain_classifier: Any = None,
        random_state: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw why a fitted model does worse on a domain.

        Parameters
        ----------
        estimator : estimator instance
            The fitted model. If it predicts with `groups`, the rows of a domain that it
            knows are predicted by that domain's own model.

        X : array-like of shape (n_samples, n_features)
            Rows of the source, which the model was better not fitted to, and of the
            target.

        y : array-like of shape (n_samples,)
            Their targets.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        target : label
            The domain to explain; all others together are the source.

        loss : callable, default=None
            A function ``loss(y_true, y_pred)`` that returns the loss of each row. None
            is 0 or 1 for classifiers, and the square of the error for regressors.

        domain_classifier : classifier, default=None
            What tells source from target by X, with probabilities. None is histogram
            gradient boosting with early stopping. It predicts rows that it was not
            fitted to.

        random_state : int, RandomState instance or None, default=None
            Seed of the folds for the domain classifier and, if it is None, of its own.
            None leaves the global generator of numpy alone.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ShiftDecompositionDisplay
            The display, drawn.
        """
        check_matplotlib_support("ShiftDecompositionDisplay.from_estimator")
        predict, extra = with_groups(estimator, "predict", groups)
        if loss is None:
            loss = _zero_one_loss if is_classifier(estimator) else _squared_error
        return cls.from_predictions(
            X,
            y,
            predict(X, **extra),
            groups=groups,
            target=target,
            loss=loss,
            domain_classifier=domain_classifier,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: Any,
        y_pred: Any,
        *,
        groups: Any,
        target: Any,
        loss: Callable[[Any, Any], Any],
        domain_classifier: Any = None,
        random_state: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw why predictions are worse on a domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y_true : array-like of shape (n_samples,)
            Their targets.

        y_pred : array-like of shape (n_samples,)
            What was predicted.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        target : label
            The domain to explain; all others together are the source.

        loss : callable
            A function ``loss(y_true, y_pred)`` that returns the loss of each row.

        domain_classifier : classifier, default=None
            As in `from_estimator`.

        random_state : int, RandomState instance or None, default=None
            As in `from_estimator`.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ShiftDecompositionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such domain, no other one, or too few rows of either.
        """
        check_matplotlib_support("ShiftDecompositionDisplay.from_predictions")
        check_consistent_length(X, y_true, y_pred)
        is_target = target_rows(target, groups, _num_samples(X))
        probability = target_probability(domain_classifier, X, is_target, random_state)
        losses = np.asarray(loss(y_true, y_pred), dtype=float)
        parts = shift_decomposition(
            losses[~is_target],
            losses[is_target],
            source_probability=probability[~is_target],
            target_probability=probability[is_target],
        )
        name = getattr(loss, "__name__", "loss").strip("_").replace("_", " ")
        return cls(parts, loss_name=name).plot(ax)

    def frame(self) -> Any:
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            Columns "part", "value" and "standard_error": the mean loss of the source,
            the three parts, and the mean loss of the target, which is their sum.
        """
        rows = [("source", self.parts.source, np.nan)]
        for part in _LABELS:
            error = getattr(self.parts, f"{part}_se")
            rows.append((part, getattr(self.parts, part), error))
        rows.append(("target", self.parts.target, np.nan))
        names = ("part", "value", "standard_error")
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        return make_frame("ShiftDecompositionDisplay.frame", columns)

    def plot(self, ax: Any = None) -> Self:
        """Draw the way from the loss of the source to that of the target.

        Bars of parts begin where the last one ends; lines are plus and minus two
        standard errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ShiftDecompositionDisplay
            The display itself.
        """
        ax, _ = get_axes("ShiftDecompositionDisplay.plot", ax)
        ax.barh(0, self.parts.source, color="0.6")
        level = self.parts.source
        for place, part in enumerate(_LABELS, start=1):
            value = getattr(self.parts, part)
            error = 2 * getattr(self.parts, f"{part}_se")
            color = "C3" if value > 0 else "C2"
            ax.barh(place, value, left=level, color=color, xerr=error, ecolor="0.2")
            level += value
        ax.barh(4, self.parts.target, color="0.6")
        ax.set_yticks(range(5), ["source", *_LABELS.values(), "target"])
        ax.set_ylim(4.6, -0.6)
        ax.axvline(self.parts.source, color="0.8", lw=0.8, zorder=0)
        ax.set_xlabel(f"mean {self.loss_name}", parse_math=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _zero_one_loss(y_true: Any, y_pred: Any) -> np.ndarray:
    return np.asarray(y_true) != np.asarray(y_pred)


def _squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    return (np.asarray(y_true) - np.asarray(y_pred)) ** 2

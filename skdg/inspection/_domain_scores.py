# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A picture of scores by domain."""

from collections.abc import Callable, Collection, Hashable
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skdg._label_lookup import (
    find_labels,
    label_values,
    labels_seen,
    warn_of_other_type,
)
from skdg.inspection._models import models_by_name
from skdg.inspection._plotting import (
    add_legend,
    get_axes,
    label_places,
    label_text,
    make_frame,
    n_lines,
    wrap_labels,
)
from skdg.metrics import group_scores
from skdg.metrics._group_scorer import with_groups

_MARKERS = ("o", "s", "^", "D", "v")


def _domains_seen(models: dict[str, Any]) -> list[Hashable]:
    """Return the domains that all models were trained on, by their own word."""
    known = {
        name: label_values(model.domains_)
        for name, model in models.items()
        if hasattr(model, "domains_")
    }
    if not known:
        raise ValueError(
            "No model says in domains_ on which domains it was trained; pass their "
            "labels as seen=[...]."
        )
    (first, seen), *others = known.items()
    for name, domains in others:
        if len(domains) != len(seen) or np.any(find_labels(domains, seen) < 0):
            raise ValueError(
                f"The models were trained on different domains, {first!r} on {seen} "
                f"and {name!r} on {domains}; pass the labels that all have seen as "
                f"seen=[...], or draw the models apart."
            )
    return seen


class DomainScoreDisplay:
    """Scores of one or several models on each domain, seen in training or not.

    Best made by `from_estimator` or `from_predictions`.

    Parameters
    ----------
    scores : dict of str to dict
        For each model the score on each domain, as `skdg.metrics.group_scores` returns
        it.

    seen : collection of labels
        The domains that the models were trained on.

    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure that holds it.

    See Also
    --------
    skdg.metrics.group_scores : The numbers.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.inspection import DomainScoreDisplay
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> seen = groups != "test"
    >>> model = ERMClassifier(random_state=0)
    >>> model = model.fit(X[seen], y[seen], groups=groups[seen])
    >>> display = DomainScoreDisplay.from_estimator(model, X, y, groups=groups)
    >>> sorted(display.scores["ERMClassifier"])
    ['test', 'train_1', 'train_2']
    """

    def __init__(
        self,
        scores: dict[str, dict[Hashable, float]],
        seen: Collection[Hashable],
        *,
        score_name: str = "score",
    ) -> None:
        self.scores = scores
        self.seen = seen
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any,
        metric: Callable[..., float] | None = None,
        seen: Collection[Hashable] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the scores of fitted models on each domain.

        A model that predicts with `groups`, such as `skdg.MultiTaskLinearSVC`, predicts
        the rows of a domain that it knows by that domain's own model.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            One fitted model, or several by name.

        X : array-like of shape (n_samples, n_features)
            The input data of all domains.

        y : array-like of shape (n_samples,)
            The true targets.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        metric : callable, default=None
            A function ``metric(y_true, y_pred)``. None is the accuracy of classifiers
            and R squared of regressors.

        seen : collection of labels, default=None
            The domains that the models were trained on. None reads the `domains_` of
            the models.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        DomainScoreDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If there is no model, or what is none.
        ValueError
            If `seen` is None and the models do not say the same of it.
        """
        check_matplotlib_support("DomainScoreDisplay.from_estimator")
        models = models_by_name(estimator)
        first = next(iter(models.values()))
        if metric is None:
            metric = accuracy_score if is_classifier(first) else r2_score
        if seen is None:
            seen = _domains_seen(models)
        predictions = {}
        for name, model in models.items():
            predict, extra = with_groups(model, "predict", groups)
            predictions[name] = predict(X, **extra)
        return cls.from_predictions(
            y, predictions, groups=groups, metric=metric, seen=seen, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        groups: Any,
        seen: Collection[Hashable],
        metric: Callable[..., float] = accuracy_score,
        ax: Any = None,
    ) -> Self:
        """Draw the scores of predictions on each domain.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            The true targets.

        y_pred : array-like of shape (n_samples,) or dict of str to array-like
            Predictions of one model, or of several by name.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        seen : collection of labels
            The domains that the models were trained on. If their type is
            not that of `groups`, a warning says so.

        metric : callable, default=accuracy_score
            A function ``metric(y_true, y_pred)``.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        DomainScoreDisplay
            The display, drawn.
        """
        seen = labels_seen(seen)
        predictions = y_pred if isinstance(y_pred, dict) else {"predictions": y_pred}
        if not predictions:
            raise ValueError("y_pred must hold predictions of at least one model.")
        scores = {
            name: group_scores(y_true, prediction, groups=groups, metric=metric)
            for name, prediction in predictions.items()
        }
        labels = list(next(iter(scores.values())))
        warn_of_other_type(seen, labels, stacklevel=2)
        name = getattr(metric, "__name__", "score").replace("_", " ")
        return cls(scores, seen, score_name=name).plot(ax)

    def frame(self) -> Any:
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            Columns "estimator", "domain", "seen" and "score".
        """
        seen = labels_seen(self.seen)
        rows: list[tuple] = []
        for name, scores in self.scores.items():
            is_seen = (find_labels(scores, seen) >= 0).tolist()
            model = [name] * len(scores)
            rows += zip(model, scores, is_seen, scores.values(), strict=True)
        names = ("estimator", "domain", "seen", "score")
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        return make_frame("DomainScoreDisplay.frame", columns)

    def plot(self, ax: Any = None) -> Self:
        """Draw a row of points per domain, one for each model.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        DomainScoreDisplay
            The display itself.
        """
        domains = list(next(iter(self.scores.values())))
        unseen = find_labels(domains, labels_seen(self.seen)) < 0
        # Unseen domains come last, at the bottom, where the eye compares them.
        domains = [domains[place] for place in np.argsort(unseen, kind="stable")]
        unseen = np.sort(unseen)
        labels = [
            label_text(domain) + " (unseen)" * bool(is_unseen)
            for domain, is_unseen in zip(domains, unseen, strict=True)
        ]
        texts = wrap_labels(labels)
        per_domain = max(0.18 * n_lines(texts), 0.07 * len(self.scores), 0.25)
        figsize = (6.4, float(np.clip(per_domain * len(domains) + 1.0, 3.5, 30.0)))
        ax, is_new = get_axes("DomainScoreDisplay.plot", ax, figsize)
        places = np.arange(len(domains))
        # A fifth of the way from domain to domain stays empty.
        spacing = min(0.12, 0.8 / len(self.scores))
        for index, (name, scores) in enumerate(self.scores.items()):
            shift = spacing * (index - (len(self.scores) - 1) / 2)
            values = [scores[domain] for domain in domains]
            # There are ten colors; then come other markers.
            marker = _MARKERS[index // 10 % len(_MARKERS)]
            ax.plot(values, places + shift, marker, label=name, color=f"C{index}", ms=5)
        for place in places[unseen]:
            ax.axhspan(place - 0.5, place + 0.5, color="0.5", alpha=0.15, lw=0)
        ax.set_ylim(len(domains) - 0.5, -0.5)
        to_right = ax.get_yaxis_transform()
        ax.hlines(places[1:] - 0.5, 0, 1, color="0.9", lw=0.8, transform=to_right)
        ax.set_axisbelow(True)
        ax.grid(axis="x", alpha=0.4)
        ax.set(xlabel=self.score_name, ylabel="domain")
        add_legend(ax, outside=is_new)
        label_places([ax.yaxis], texts)
        self.ax_, self.figure_ = ax, ax.figure
        return self

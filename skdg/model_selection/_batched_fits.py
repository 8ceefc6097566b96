# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The fits of a search or a study that can be made side by side."""

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from skdg.model_selection._batches import (
    Job,
    batches_of,
    before_last,
    jobs_of,
    kinds_of,
    last_step,
    n_at_once,
    shape_of,
    train_batch,
)

# Fewer models of a fold wait for those of other folds, of which each has its own rows.
_ENOUGH = 16
# When rows of so many numbers are held, models are trained on them before others come.
_MANY = 2**22


def side_by_side(
    estimator: Any,
    candidates: Sequence[Mapping[str, Any]],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
    run: Callable[[list[list[Job]]], dict[tuple[int, int], Any]],
) -> tuple[dict[tuple[int, int], Any], list[str]]:
    """Put into batches what can be fitted side by side, and have them run.

    Parameters
    ----------
    estimator : estimator instance
        The estimator of the search.

    candidates : sequence of dict
        Parameters of each candidate.

    splits : sequence of (train, test)
        Rows of each fold.

    X, y : array-like
        All rows.

    fit_params : dict
        What else `fit` is given, for all rows.

    run : callable
        Runs batches and returns what it has of their fits, by (candidate, split).

    Returns
    -------
    found : dict
        All that `run` returned. A fit that failed before the network is not there: made
        once more by itself, it says what is wrong.

    reasons : list of str
        Why there are candidates that are not there at all.
    """
    from skdg._training.together import why_alone  # not with the module: loads torch

    chosen: dict[int, Any] = {}
    reasons: list[str] = []
    for number, parameters in enumerate(candidates):
        whole = clone(estimator).set_params(**clone(dict(parameters), safe=False))
        reason = why_alone(last_step(whole))
        if reason:
            reasons.append(reason)
        else:
            chosen[number] = whole
    before = {}
    kinds = kinds_of(chosen)
    for number, whole in chosen.items():
        # A grid gives the same objects again.
        values = before_last(whole, candidates[number])
        before[number] = frozenset((name, id(value)) for name, value in values.items())
    found: dict[tuple[int, int], Any] = {}
    waiting: dict[Hashable, list[Job]] = defaultdict(list)
    at_once: dict[Hashable, int] = {}
    ready: list[list[Job]] = []

    def collect(enough: int) -> None:
        """Put jobs of one shape into batches of nearly one size, if they are enough."""
        for jobs in waiting.values():
            if len(jobs) >= enough:
                ready.extend(batches_of(jobs))
                jobs.clear()

    latest, n_held = None, 0
    for split, (train, _) in enumerate(splits):
        own = _check_method_params(X, params=dict(fit_params), indices=train)
        X_train, y_train = _safe_split(estimator, X, y, train)
        for job in jobs_of(chosen, kinds, before, split, X_train, y_train, own):
            if job.data is not latest:
                if n_held > _MANY:
                    collect(1)
                    found.update(run(ready))
                    ready.clear()
                    n_held = 0
                latest = job.data
                n_held += latest.rows.inputs.numel()
            shape = shape_of(job)
            if shape not in at_once:
                at_once[shape] = n_at_once(job)
            if at_once[shape] == 1:
                reasons.append("a network on so many rows fills the cores")
            else:
                waiting[shape].append(job)
        collect(_ENOUGH)
    collect(1)
    found.update(run(ready))
    return found, list(dict.fromkeys(reasons))


def kind_of_candidate(estimator: Any, parameters: Mapping[str, Any]) -> Hashable | None:
    """Return what candidates have in common that `fit_alike` trains side by side.

    Parameters
    ----------
    estimator : estimator instance
        What is tuned.

    parameters : dict
        The candidate.

    Returns
    -------
    kind : hashable or None
        None for a candidate that is fitted by itself.
    """
    if "torch" not in sys.modules:  # there is no network without it
        return None
    from skdg._training.together import kind_of, why_alone

    try:
        whole = clone(estimator).set_params(**clone(dict(parameters), safe=False))
        if why_alone(last_step(whole)):
            return None
        values = before_last(whole, parameters)
        return kind_of(last_step(whole)), joblib.hash(sorted(values.items()))
    except Exception:
        return None  # fitted by itself it says what is wrong


def fit_alike(
    estimators: Sequence[Any], X: Any, y: Any, fit_params: Mapping[str, Any]
) -> dict[int, tuple[Any, float]]:
    """Fit candidates of one kind side by side to the same rows, in this thread.

    Parameters
    ----------
    estimators : sequence of estimator instances
        Candidates with the same `kind_of_candidate`, which are not changed.

    X, y : array-like
        The rows.

    fit_params : dict
        What else `fit` is given.

    Returns
    -------
    fitted : dict
        By position: the fitted estimator, or the error if its training diverged; and
        its share of the time in seconds. What is not there has to be fitted by itself.
    """
    chosen = dict(enumerate(estimators))
    kinds, before = kinds_of(chosen), dict.fromkeys(chosen)
    jobs = list(jobs_of(chosen, kinds, before, 0, X, y, fit_params))
    if not jobs or n_at_once(jobs[0]) == 1:
        return {}
    return {
        number: outcome
        for batch in batches_of(jobs)
        for (number, _), outcome in train_batch(batch).items()
    }

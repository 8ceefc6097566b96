# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The fits of a search or a study that can be made side by side."""

import sys
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
    is_worth_a_thread,
    jobs_of,
    last_step,
    n_at_once,
    shape_of,
    train_batch,
)

# Fewer models of a fold wait for those of other folds, of which each has its own rows.
_ENOUGH = 16
# When rows of so many numbers are held, models are trained on them before others come.
_MANY = 2**22


def fit_side_by_side(
    estimator: Any,
    candidates: Sequence[Mapping[str, Any]],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    X: Any,
    y: Any,
    fit_params: Mapping[str, Any],
) -> tuple[dict[tuple[int, int], tuple[Any, float]], list[str]]:
    """Fit what can be fitted side by side.

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

    Returns
    -------
    fitted : dict
        By (candidate, split): the fitted estimator, and its share of the time in
        seconds. A fit that failed or diverged is not there: made once more by itself,
        it says what is wrong.

    reasons : list of str
        Why there are candidates that are not there at all.
    """
    # Not with the module, which must not load torch.
    import torch

    from skdg._training.together import why_alone

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
    for number, whole in chosen.items():
        # A grid gives the same objects again.
        values = before_last(whole, candidates[number])
        before[number] = frozenset((name, id(value)) for name, value in values.items())
    fitted: dict[tuple[int, int], tuple[Any, float]] = {}
    waiting: dict[Hashable, list[Job]] = defaultdict(list)
    at_once: dict[Hashable, int] = {}
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        futures: list[Future] = []

        def start(jobs: list[Job], enough: int) -> list[Job]:
            """Train jobs in batches of nearly one size; return those that wait."""
            if len(jobs) < enough:
                return jobs
            for batch in batches_of(jobs):
                if is_worth_a_thread(batch):
                    futures.append(pool.submit(train_batch, batch))
                else:
                    futures.append(Future())
                    futures[-1].set_result(train_batch(batch))
            return []

        def finish() -> None:
            """Train what waits, and let its rows go."""
            for shape, jobs in waiting.items():
                waiting[shape] = start(jobs, 1)
            for future in futures:
                for key, (whole, seconds) in future.result().items():
                    if not isinstance(whole, Exception):
                        fitted[key] = whole, seconds
            futures.clear()

        latest, n_held = None, 0
        for split, (train, _) in enumerate(splits):
            own = _check_method_params(X, params=dict(fit_params), indices=train)
            X_train, y_train = _safe_split(estimator, X, y, train)
            for job in jobs_of(chosen, before, split, X_train, y_train, own):
                if job.data is not latest:
                    if n_held > _MANY:
                        finish()
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
            for shape, jobs in waiting.items():
                waiting[shape] = start(jobs, _ENOUGH)
        finish()
    return fitted, list(dict.fromkeys(reasons))


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
    jobs = list(jobs_of(chosen, dict.fromkeys(chosen), 0, X, y, fit_params))
    if not jobs or n_at_once(jobs[0]) == 1:
        return {}
    return {
        number: outcome
        for batch in batches_of(jobs)
        for (number, _), outcome in train_batch(batch).items()
    }

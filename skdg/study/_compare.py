# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Leave one domain out: how methods do on domains they saw and on one they did not."""

import time
import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from skdg.metrics._group_scores import rows_by_domain
from skdg.study._errors import in_one_line
from skdg.study._measures import Measure
from skdg.study._methods import Method
from skdg.study._preprocess import make_preprocessor
from skdg.study._table import DomainTable

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Outcome:
    """What one method did with one domain held out.

    Parameters
    ----------
    method : str
        Name of the method.

    domain : hashable
        The domain that was held out.

    in_domain : float
        Mean over the training domains of the score on their held-out rows.

    unseen : float
        Score on all rows of the held-out domain.

    seconds : float
        Time of `fit`.

    error : str
        Why there are no scores; empty if there are.
    """

    method: str
    domain: Hashable
    in_domain: float = float("nan")
    unseen: float = float("nan")
    seconds: float = float("nan")
    error: str = ""


@dataclass(frozen=True)
class Summary:
    """What one method did with each domain held out in turn.

    Parameters
    ----------
    method : str
        Name of the method.

    in_domain : float
        Mean of the in-domain scores.

    unseen : float
        Mean of the scores on unseen domains.

    worst : float
        The worst of the scores on unseen domains.

    worst_domain : hashable
        Where it was that bad; None if no fit came to its end.

    seconds : float
        Time of all fits.

    n_done : int
        Number of held-out domains that the scores are from.

    errors : dict of hashable to str
        What went wrong, by the domain that was held out.
    """

    method: str
    in_domain: float
    unseen: float
    worst: float
    worst_domain: Hashable
    seconds: float
    n_done: int
    errors: dict[Hashable, str]


@dataclass(frozen=True)
class _Fold:
    """The rows of one held-out domain and of the others, ready for estimators."""

    domain: Hashable
    X_train: np.ndarray
    y_train: np.ndarray
    groups_train: np.ndarray
    X_seen: np.ndarray
    y_seen: np.ndarray
    groups_seen: np.ndarray
    X_unseen: np.ndarray
    y_unseen: np.ndarray


def leave_one_domain_out(
    table: DomainTable,
    methods: Sequence[Method],
    measure: Measure,
    *,
    seed: int = 0,
    n_jobs: int = 1,
) -> Iterator[Outcome]:
    """Hold out each domain in turn, fit all methods on the others, and score them.

    A fifth of the rows of each domain, drawn once and so the same for all methods and
    all held-out domains, never takes part in a fit. With a domain held out, methods are
    fitted on the other rows of the other domains. Their in-domain score is the mean
    over those domains of the score on the fifth; their unseen score is that on all rows
    of the held-out domain. A method that has a model for each domain uses it where it
    knows the domain. Columns are prepared by what the rows of the fit say.

    Parameters
    ----------
    table : DomainTable
        The table.

    methods : sequence of Method
        What to compare.

    measure : Measure
        How to score.

    seed : int, default=0
        Seed of the draw of rows.

    n_jobs : int, default=1
        Number of processes. Each computes in one thread, so that results do not depend
        on it.

    Yields
    ------
    Outcome
        One for each method and held-out domain, as they are ready. A fit that fails
        gives its error in place of scores.
    """
    folds = _folds(table, seed)
    tasks = ((method, fold) for fold in folds for method in methods)
    if n_jobs == 1:
        for method, fold in tasks:
            yield _fit_and_score(method, fold, measure)
        return
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    yield from parallel(
        delayed(_fit_and_score)(method, fold, measure) for method, fold in tasks
    )


def held_out_rows(groups: np.ndarray, seed: int) -> np.ndarray:
    """Mark a fifth of the rows of each domain.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        The domain of each row.

    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of shape (n_rows,)
        True where a row is held out.
    """
    rng = np.random.default_rng(seed)
    marked = np.zeros(len(groups), dtype=bool)
    for rows in rows_by_domain(groups, len(groups)).values():
        n_held_out = max(1, round(HELD_OUT_SHARE * len(rows)))
        marked[rng.permutation(rows)[:n_held_out]] = True
    return marked


def _folds(table: DomainTable, seed: int) -> Iterator[_Fold]:
    held_out = held_out_rows(table.domains, seed)
    for domain, unseen in rows_by_domain(table.domains, len(table.domains)).items():
        elsewhere = np.ones(len(table.domains), dtype=bool)
        elsewhere[unseen] = False
        train = np.flatnonzero(elsewhere & ~held_out)
        seen = np.flatnonzero(elsewhere & held_out)
        preprocessor = make_preprocessor(table.kinds)
        with warnings.catch_warnings(), config_context(transform_output="default"):
            # A category that the fit has not seen is no reason for a warning here.
            warnings.simplefilter("ignore")
            X_train = preprocessor.fit_transform(table.features.iloc[train])
            X_seen, X_unseen = (
                preprocessor.transform(table.features.iloc[rows])
                for rows in (seen, unseen)
            )
        yield _Fold(
            domain=domain,
            X_train=X_train,
            y_train=table.target[train],
            groups_train=table.domains[train],
            X_seen=X_seen,
            y_seen=table.target[seen],
            groups_seen=table.domains[seen],
            X_unseen=X_unseen,
            y_unseen=table.target[unseen],
        )


def _fit_and_score(method: Method, fold: _Fold, measure: Measure) -> Outcome:
    estimator: Any = clone(method.estimator)
    fit_groups = {"groups": fold.groups_train} if method.fits_with_groups else {}
    seen_groups = {"groups": fold.groups_seen} if method.predicts_with_groups else {}
    # One thread per process: more would get in each other's way, and sums in another
    # order would make results depend on the number of processors.
    with (
        warnings.catch_warnings(),
        threadpool_limits(1),
        config_context(enable_metadata_routing=False),
    ):
        warnings.simplefilter("ignore")
        try:
            start = time.perf_counter()
            estimator.fit(fold.X_train, fold.y_train, **fit_groups)
            seconds = time.perf_counter() - start
            seen = np.asarray(estimator.predict(fold.X_seen, **seen_groups))
            unseen = np.asarray(estimator.predict(fold.X_unseen))
            in_domain = [
                measure.function(fold.y_seen[rows], seen[rows])
                for rows in rows_by_domain(fold.groups_seen, len(seen)).values()
            ]
            score = measure.function(fold.y_unseen, unseen)
        except Exception as error:  # any method may fail in any way; the others go on
            return Outcome(method.name, fold.domain, error=in_one_line(error))
    return Outcome(
        method.name, fold.domain, float(np.mean(in_domain)), float(score), seconds
    )


def summarize(outcomes: Iterable[Outcome], measure: Measure) -> list[Summary]:
    """Sum up by method, the best on unseen domains first.

    Parameters
    ----------
    outcomes : iterable of Outcome
        What came out, perhaps not all of it.

    measure : Measure
        How it was scored.

    Returns
    -------
    list of Summary
        One for each method; methods without a score come last.
    """
    by_method: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_method.setdefault(outcome.method, []).append(outcome)
    summaries = []
    for method, own in by_method.items():
        done = sorted((o for o in own if not o.error), key=lambda o: str(o.domain))
        scores = [o.unseen for o in done]
        worst = measure.worst(scores) if done else float("nan")
        summaries.append(
            Summary(
                method=method,
                in_domain=float(np.mean([o.in_domain for o in done]))
                if done
                else worst,
                unseen=float(np.mean(scores)) if done else worst,
                worst=worst,
                worst_domain=done[scores.index(worst)].domain if done else None,
                seconds=sum(o.seconds for o in done),
                n_done=len(done),
                errors={o.domain: o.error for o in own if o.error},
            )
        )
    sign = -1 if measure.greater_is_better else 1
    return sorted(summaries, key=lambda s: (s.n_done == 0, sign * s.unseen))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The work of a study: fits, alone or side by side, their scores and their rows."""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from skdg.metrics import GroupScorer
from skdg.model_selection import DomainHoldout
from skdg.model_selection._batched_fits import fit_alike
from skdg.model_selection._batches import last_step
from skdg.study._errors import in_one_line
from skdg.study._fit import Fit, printed, seed_of
from skdg.study._plan import Piece
from skdg.study._statistics import mean_of_defined
from skdg.study._store import write_json


@dataclass(frozen=True)
class Protocol:
    """How all fits of a study are scored, and where they are kept.

    Parameters
    ----------
    scoring : str or callable
        The scorer.

    test_size : float
        Share of each domain that no fit sees.

    stratify : bool
        Whether this share has the classes of the domain in proportion.

    folder : Path
        The folder of the study.
    """

    scoring: Any
    test_size: float
    stratify: bool
    folder: Path


class _Table:
    """The rows of one piece: to train on, and to score on.

    Parameters
    ----------
    X, y : array-like
        The whole table.

    labels : ndarray of shape (n_samples,)
        The domain of each row.

    train : ndarray
        The rows to train on.

    scored : list of ndarray
        The rows to score on: those of all training domains, then those of each domain
        that is held out.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        labels: np.ndarray,
        train: np.ndarray,
        scored: list[np.ndarray],
    ) -> None:
        self._X, self._y, self._labels = X, y, labels
        self._train, self._scored = train, scored
        self._transformed: list[Any] | None = None

    def training(self, model: Any) -> tuple[Any, Any, dict[str, np.ndarray]]:
        """Return X and y to train on, and the domains if the model takes them."""
        wants = get_routing_for_object(model).consumes("fit", ["groups"])
        X, y = (_safe_indexing(part, self._train) for part in (self._X, self._y))
        return X, y, dict.fromkeys(wants, self._labels[self._train])

    @cached_property
    def targets(self) -> list[Any]:
        """The targets of the rows to score on."""
        return [_safe_indexing(self._y, rows) for rows in self._scored]

    @cached_property
    def parts(self) -> list[Any]:
        """The rows to score on."""
        return [_safe_indexing(self._X, rows) for rows in self._scored]

    @property
    def seen_labels(self) -> np.ndarray:
        """The domains of the first part."""
        return self._labels[self._scored[0]]

    def transformed(self, pipeline: Pipeline) -> list[Any]:
        """Return what the last step of a pipeline gets of the rows to score on.

        It is computed once: all pipelines share the steps before the last.
        """
        if self._transformed is None:
            self._transformed = [pipeline[:-1].transform(part) for part in self.parts]
        return self._transformed


def work(
    piece: Piece,
    estimator: Any,
    X: Any,
    y: Any,
    domains: np.ndarray,
    codes: np.ndarray,
    protocol: Protocol,
) -> dict[Fit, dict[str, Any]]:
    """Fit, score, and write each row to its file.

    Parameters
    ----------
    piece : Piece
        What to do.

    estimator : estimator instance
        The estimator as it is.

    X, y : array-like
        The whole table. It comes as arguments of their own, since joblib maps large
        arrays into the memory of workers only there.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    codes : ndarray of shape (n_samples,)
        The domain of each row, as a position among them.

    protocol : Protocol
        How to score, and where to write.

    Returns
    -------
    rows : dict of Fit to dict
        What came out of each fit of the piece, in their order.
    """
    first = piece.fits[0]
    splitter = DomainHoldout(
        test_size=protocol.test_size,
        stratify=protocol.stratify,
        random_state=seed_of("split", first.seed),
    )
    parts = next(splitter.split(codes, y, groups=codes))
    train, seen = (part[~np.isin(codes[part], first.held_out)] for part in parts)
    unseen = [np.flatnonzero(codes == code) for code in first.held_out]
    table = _Table(X, y, domains[codes], train, [seen, *unseen])
    done = {}
    # One thread: sums in another order would make results depend on the machine's load.
    with (
        warnings.catch_warnings(),
        threadpool_limits(1),
        config_context(enable_metadata_routing=True),
    ):
        warnings.simplefilter("ignore")
        fitted = _fit_side_by_side(piece, estimator, table)
        for fit in piece.fits:
            parameters = piece.trained[fit]
            row: dict[str, Any] = {
                "estimator": fit.name,
                "held_out": [str(domains[code]) for code in fit.held_out],
                "seed": fit.seed,
                "candidate": fit.candidate,
                "parameters": printed(parameters),
                "candidate_hash": piece.fingerprint,
                "in_domain": float("nan"),
                "unseen": [float("nan")] * len(fit.held_out),
                "seconds": float("nan"),
                "error": "",
            }
            try:
                shared = fit in fitted
                if shared:
                    model, seconds = fitted.pop(fit)
                else:
                    model, seconds = _fit(_model(fit, estimator, parameters), table)
                row |= _scores(model, table, protocol.scoring, shared=shared)
                row["seconds"] = seconds
            except Exception as error:  # any may fail in any way; the others go on
                row["error"] = in_one_line(error)
            # A worker that does not see the folder leaves it to the caller.
            if (protocol.folder / "fits").is_dir():
                write_json(protocol.folder / "fits" / fit.file, row)
            done[fit] = row
    return done


def _model(fit: Fit, estimator: Any, parameters: Mapping[str, Any]) -> Any:
    """Return the estimator of a fit, not yet fitted."""
    model = clone(estimator).set_params(**parameters)
    return model.set_params(**fit.seeds(model))


def _fit(model: Any, table: _Table) -> tuple[Any, float]:
    """Fit a model by itself; return it with the time in seconds."""
    X, y, groups = table.training(model)
    start = time.perf_counter()
    model.fit(X, y, **groups)
    return model, time.perf_counter() - start


def _fit_side_by_side(
    piece: Piece, estimator: Any, table: _Table
) -> dict[Fit, tuple[Any, float]]:
    """Fit what a piece trains side by side.

    Returns as `_fit` does, by fit. Instead of a model whose training diverged stands
    the error. What is not there has to be fitted by itself.
    """
    if len(piece.trained) == 1:
        return {}
    try:
        models = [_model(fit, estimator, p) for fit, p in piece.trained.items()]
        fitted = fit_alike(models, *table.training(models[0]))
    except Exception:
        return {}  # fitted by themselves they say what is wrong
    names = list(piece.trained)
    return {names[place]: outcome for place, outcome in fitted.items()}


def _scores(model: Any, table: _Table, scoring: Any, *, shared: bool) -> dict[str, Any]:
    """Score a model, or raise the error that took its place.

    `shared` says that it shares the steps before its last with the piece's others.
    """
    if isinstance(model, Exception):
        raise model
    parts = table.parts
    # Not for a scorer of the user, which may look at the steps.
    if shared and isinstance(scoring, str) and last_step(model) is not model:
        parts, model = table.transformed(model), last_step(model)
    seen, *unseen = zip(parts, table.targets, strict=True)
    score_seen = GroupScorer(scoring, reduction=mean_of_defined)
    score = get_scorer(scoring)
    return {
        "in_domain": float(score_seen(model, *seen, groups=table.seen_labels)),
        "unseen": [float(score(model, *part)) for part in unseen],
    }

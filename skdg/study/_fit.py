# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One fit of a study: its seeds, its candidate, its scores, its file."""

import hashlib
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterSampler
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from skdg.metrics import GroupScorer
from skdg.model_selection import DomainHoldout
from skdg.study._store import read_json, write_json


def seed_of(*parts: str | int) -> int:
    """Return a seed made of names and numbers, so that no order of work matters.

    Parameters
    ----------
    *parts : str or int
        What the seed is for.

    Returns
    -------
    seed : int
        A number below 2^31.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


@dataclass(frozen=True)
class Fit:
    """One fit of a study.

    Parameters
    ----------
    name : str
        The estimator's name.

    held_out : tuple of int
        Positions of the domains that the fit does not see: one, or two of which each
        judges candidates for the other.

    seed : int
        Number of the repetition.

    candidate : int
        Number of the candidate; 0 is the estimator as it is.
    """

    name: str
    held_out: tuple[int, ...]
    seed: int
    candidate: int

    @property
    def file(self) -> str:
        """The name of its file."""
        parts = [self.name, list(self.held_out), self.seed, self.candidate]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32] + ".json"

    def parameters(self, space: Any) -> dict[str, Any]:
        """Draw the candidate.

        Parameters
        ----------
        space : dict or list of dicts
            What to draw from.

        Returns
        -------
        parameters : dict of str to object
            The same for all domains, and whatever the number of candidates.
        """
        if self.candidate == 0 or not space:
            return {}
        seed = seed_of("candidate", self.name, self.seed, self.candidate)
        return next(iter(ParameterSampler(space, 1, random_state=seed)))

    def seeds(self, estimator: Any) -> dict[str, int]:
        """Return what each random state of an estimator is set to.

        Parameters
        ----------
        estimator : estimator instance
            The estimator.

        Returns
        -------
        seeds : dict of str to int
            The same for all candidates, which then differ by their parameters alone.
        """
        return {
            name: seed_of("fit", *map(str, (self.name, self.held_out, self.seed)), name)
            for name in sorted(estimator.get_params())
            if name.rpartition("__")[2] == "random_state"
        }

    def read(self, folder: Path, space: Any) -> dict[str, Any] | None:
        """Return the row of this fit if it is done.

        Parameters
        ----------
        folder : Path
            The folder of the study.

        space : dict or list of dicts
            What candidates are drawn from.

        Returns
        -------
        row : dict or None
            The row.

        Raises
        ------
        ValueError
            If it was done with other parameters.
        """
        row = read_json(folder / "fits" / self.file)
        if row is None:
            return None
        parameters = self.parameters(space)
        if row["candidate_hash"] != joblib.hash(sorted(parameters.items())):
            raise ValueError(
                f"{folder} holds the fits of another study. What differs: the search "
                f"space of {self.name!r}, whose candidate {self.candidate} is "
                f"{row['parameters']} there and {_printed(parameters)} here. Choose "
                f"another output, or give the space it was started with."
            )
        return row


def _printed(parameters: dict[str, Any]) -> dict[str, str]:
    return {
        name: repr(value.item() if isinstance(value, np.generic) else value)
        for name, value in parameters.items()
    }


@dataclass(frozen=True)
class Protocol:
    """How all fits of a study are scored, and where they are kept.

    Parameters
    ----------
    scoring : str or callable
        The scorer.

    test_size : float
        Share of each domain that no fit sees.

    folder : Path
        The folder of the study.
    """

    scoring: Any
    test_size: float
    folder: Path


def run_fit(
    fit: Fit,
    estimator: Any,
    space: Any,
    X: Any,
    y: Any,
    domains: np.ndarray,
    codes: np.ndarray,
    protocol: Protocol,
) -> tuple[Fit, dict[str, Any]]:
    """Fit, score and write the row to its file.

    Parameters
    ----------
    fit : Fit
        What to do.

    estimator : estimator instance
        The estimator as it is.

    space : dict or list of dicts
        What candidates are drawn from.

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
    fit : Fit
        The same.

    row : dict
        What came out.
    """
    parameters = fit.parameters(space)
    row: dict[str, Any] = {
        "estimator": fit.name,
        "held_out": [str(domains[code]) for code in fit.held_out],
        "seed": fit.seed,
        "candidate": fit.candidate,
        "parameters": _printed(parameters),
        "candidate_hash": joblib.hash(sorted(parameters.items())),
        "in_domain": float("nan"),
        "unseen": [float("nan")] * len(fit.held_out),
        "seconds": float("nan"),
        "error": "",
    }
    # One thread: sums in another order would make results depend on the machine's load.
    with (
        warnings.catch_warnings(),
        threadpool_limits(1),
        config_context(enable_metadata_routing=True),
    ):
        warnings.simplefilter("ignore")
        try:
            model = clone(estimator).set_params(**parameters)
            model.set_params(**fit.seeds(model))
            row |= _scores(fit, model, X, y, domains, codes, protocol)
        except Exception as error:  # any method may fail in any way; the others go on
            reason = " ".join(str(error).split())
            row["error"] = f"{type(error).__name__}: {reason}"
    # A worker on another machine may not see the folder; then the caller writes.
    if (protocol.folder / "fits").is_dir():
        write_json(protocol.folder / "fits" / fit.file, row)
    return fit, row


def _scores(
    fit: Fit,
    model: Any,
    X: Any,
    y: Any,
    domains: np.ndarray,
    codes: np.ndarray,
    protocol: Protocol,
) -> dict[str, Any]:
    splitter = DomainHoldout(
        test_size=protocol.test_size, random_state=seed_of("split", fit.seed)
    )
    train, seen = next(splitter.split(codes, groups=codes))
    unseen = np.isin(codes, fit.held_out)
    train, seen = train[~unseen[train]], seen[~unseen[seen]]
    wants = get_routing_for_object(model).consumes("fit", ["groups"])
    groups = dict.fromkeys(wants, domains[codes[train]])
    start = time.perf_counter()
    model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **groups)
    seconds = time.perf_counter() - start
    in_domain = GroupScorer(protocol.scoring, reduction="mean")(
        model,
        _safe_indexing(X, seen),
        _safe_indexing(y, seen),
        groups=domains[codes[seen]],
    )
    scorer = get_scorer(protocol.scoring)
    scores = []
    for code in fit.held_out:
        rows = np.flatnonzero(codes == code)
        scores.append(
            float(scorer(model, _safe_indexing(X, rows), _safe_indexing(y, rows)))
        )
    return {"in_domain": float(in_domain), "unseen": scores, "seconds": seconds}

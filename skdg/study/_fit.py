# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One fit of a study: its seeds and its file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skdg.study._store import read_json


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

    def read(
        self, folder: Path, parameters: Mapping[str, Any], fingerprint: str
    ) -> dict[str, Any] | None:
        """Return the row of this fit if it is done.

        Parameters
        ----------
        folder : Path
            The folder of the study.

        parameters : mapping of str to object
            Those of the candidate.

        fingerprint : str
            What they and those of the candidates beside it were hashed to.

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
        if row is None or row["candidate_hash"] == fingerprint:
            return row
        there, here = row["parameters"], printed(parameters)
        differs = f"is {there} there and {here} here"
        if there == here:
            differs = f"is {here}, but trained beside other candidates there"
        raise ValueError(
            f"{folder} holds the fits of another study. What differs: the search space "
            f"of {self.name!r}, whose candidate {self.candidate} {differs}. Choose "
            f"another output, or give the space it was started with."
        )


def printed(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of parameters as they print."""
    return {
        name: repr(value.item() if isinstance(value, np.generic) else value)
        for name, value in parameters.items()
    }

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which fits a study has, and which of them are made at one go."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import joblib
from sklearn.model_selection import ParameterSampler

from skdg.model_selection._batched_fits import kind_of_candidate
from skdg.study._fit import Fit, seed_of

# The second block. Each further one is as long as all before it, up to this many.
_SECOND = range(1, 5)
_LONGEST = 20


class Piece(NamedTuple):
    """A piece of the work: fits that are made at one go.

    Parameters
    ----------
    fits : tuple of Fit
        The fits whose rows are wanted.

    trained : dict of Fit to dict
        The parameters of all candidates that are trained: of several side by side,
        among which are candidates that a study may not have or have done already.

    fingerprint : str
        A hash of these, which the rows are kept with.
    """

    fits: tuple[Fit, ...]
    trained: Mapping[Fit, dict[str, Any]]
    fingerprint: str


def list_fits(
    estimators: Iterable[str],
    spaces: Mapping[str, Any],
    n_domains: int,
    rules: Sequence[str],
    n_candidates: int,
    n_seeds: int,
) -> Iterator[Fit]:
    """List all fits, so that a study that is stopped early knows some of everything.

    Parameters
    ----------
    estimators : iterable of str
        Their names.

    spaces : mapping of str to dict
        What candidates of each are drawn from; without it there is one candidate.

    n_domains : int
        Number of domains.

    rules : sequence of str
        The rules of selection.

    n_candidates, n_seeds : int
        Numbers of candidates and of repetitions.

    Yields
    ------
    Fit
        Each fit once.
    """
    estimators = list(estimators)
    held_out: list[tuple[int, ...]] = [(code,) for code in range(n_domains)]
    if "leave-one-domain-out" in rules:
        held_out += combinations(range(n_domains), 2)
    for seed in range(n_seeds):
        for candidate in range(n_candidates):
            for out in held_out:
                for name in estimators:
                    if candidate == 0 or spaces[name]:
                        yield Fit(name, out, seed, candidate)


def block_of(candidate: int) -> range:
    """Return the candidates that may be trained beside one.

    The last digits of a model depend on the models beside it. So these are always the
    same, whatever the number of candidates: a block is trained whole. Candidate 0, the
    estimator as it is, has its own; the others end where numbers of candidates often
    do, at 5, 10, 20, 40, 60 and so on.

    Parameters
    ----------
    candidate : int
        Its number.

    Returns
    -------
    block : range
        The numbers in its block.
    """
    if candidate == 0:
        return range(1)
    block = _SECOND
    while candidate not in block:
        block = range(block.stop, block.stop + min(block.stop, _LONGEST))
    return block


def plan(
    fits: Iterable[Fit], estimators: Mapping[str, Any], spaces: Mapping[str, Any]
) -> list[Piece]:
    """Put together the fits that are made at one go.

    Parameters
    ----------
    fits : iterable of Fit
        All fits.

    estimators : mapping of str to estimator instance
        The estimators by name.

    spaces : mapping of str to dict or list of dicts
        What candidates of each are drawn from.

    Returns
    -------
    pieces : list of Piece
        In the order of the first fit of each. What a piece trains depends on nothing
        but the block and the parameters of its candidates.
    """

    # Both are the same whatever domains are held out.
    @cache
    def parameters(name: str, seed: int, candidate: int) -> dict[str, Any]:
        if candidate == 0 or not spaces[name]:
            return {}
        state = seed_of("candidate", name, seed, candidate)
        return next(iter(ParameterSampler(spaces[name], 1, random_state=state)))

    @cache
    def kind(name: str, seed: int, candidate: int) -> Hashable | None:
        return kind_of_candidate(estimators[name], parameters(name, seed, candidate))

    wanted: dict[tuple[Fit, ...], list[Fit]] = {}
    for fit in fits:
        own = kind(fit.name, fit.seed, fit.candidate)
        beside = [
            replace(fit, candidate=number)
            for number in block_of(fit.candidate)
            if own is not None and kind(fit.name, fit.seed, number) == own
        ]
        wanted.setdefault(tuple(beside) or (fit,), []).append(fit)
    pieces = []
    for together, own_fits in wanted.items():
        trained = {f: parameters(f.name, f.seed, f.candidate) for f in together}
        values = [(f.candidate, sorted(p.items())) for f, p in trained.items()]
        pieces.append(Piece(tuple(own_fits), trained, joblib.hash(values)))
    return pieces

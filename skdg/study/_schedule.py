# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which fits a study has, and which of them run at the same time."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from itertools import combinations
from typing import Any

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from skdg.study._fit import Fit, run_fit


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


def run_fits(
    tasks: Sequence[tuple], n_jobs: int | None
) -> Iterator[tuple[Fit, dict[str, Any]]]:
    """Run fits side by side, then those on an accelerator one after the other.

    Fits that were lost with their worker run again, as long as others came to their
    end in the meantime.

    Parameters
    ----------
    tasks : sequence of tuple
        The arguments of :func:`~skdg.study._fit.run_fit`, for each fit.

    n_jobs : int or None
        Number of fits at the same time.

    Yields
    ------
    fit, row
        As they are ready.

    Warns
    -----
    RuntimeWarning
        If workers were lost.
    """
    queued = [task for task in tasks if _on_accelerator(task[1])]
    left = {task[0]: task for task in tasks if not _on_accelerator(task[1])}
    # Some backends, such as Spark's, give all results at the end; workers still write
    # theirs at once.
    backend, _ = get_active_backend()
    as_ready = getattr(backend, "supports_return_generator", False)
    return_as = "generator_unordered" if as_ready else "list"
    while left:
        n_before = len(left)
        parallel = Parallel(n_jobs=n_jobs, return_as=return_as)
        try:
            for fit, row in parallel(delayed(run_fit)(*t) for t in [*left.values()]):
                del left[fit]
                yield fit, row
        # Dask cancels what needs data that only the lost worker had.
        except (BrokenExecutor, CancelledError) as error:
            if len(left) == n_before:
                raise
            warnings.warn(
                f"A worker was lost ({type(error).__name__}). The {len(left)} fits "
                f"that are not done run on the others.",
                RuntimeWarning,
                stacklevel=3,
            )
    for task in queued:
        yield run_fit(*task)


def _on_accelerator(estimator: Any) -> bool:
    """Tell whether an estimator or a part of it computes elsewhere than on the CPU."""
    return any(
        name.rpartition("__")[2] == "device" and value != "cpu"
        for name, value in estimator.get_params().items()
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which pieces of a study's work run at the same time."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from typing import Any

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from skdg.study._fit import Fit
from skdg.study._work import work


def run_pieces(
    tasks: Sequence[tuple], n_jobs: int | None
) -> Iterator[tuple[Fit, dict[str, Any]]]:
    """Run pieces side by side, then those on an accelerator one after the other.

    Pieces that were lost with their worker run again, as long as others came to their
    end in the meantime.

    Parameters
    ----------
    tasks : sequence of tuple
        The arguments of :func:`~skdg.study._work.work`, for each piece.

    n_jobs : int or None
        Number of pieces at the same time.

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
    left = {task[0].fits: task for task in tasks if not _on_accelerator(task[1])}
    # Some backends, such as Spark's, give all results at the end; workers still write
    # theirs at once.
    backend, _ = get_active_backend()
    as_ready = getattr(backend, "supports_return_generator", False)
    return_as = "generator_unordered" if as_ready else "list"
    while left:
        n_before = len(left)
        parallel = Parallel(n_jobs=n_jobs, return_as=return_as)
        try:
            for rows in parallel(delayed(work)(*t) for t in [*left.values()]):
                del left[tuple(rows)]
                yield from rows.items()
        # Dask cancels what needs data that only the lost worker had.
        except (BrokenExecutor, CancelledError) as error:
            if len(left) == n_before:
                raise
            warnings.warn(
                f"A worker was lost ({type(error).__name__}). The "
                f"{sum(map(len, left))} fits that are not done run on the others.",
                RuntimeWarning,
                stacklevel=3,
            )
    for task in queued:
        yield from work(*task).items()


def _on_accelerator(estimator: Any) -> bool:
    """Tell whether an estimator or a part of it computes elsewhere than on the CPU."""
    return any(
        name.rpartition("__")[2] == "device" and value != "cpu"
        for name, value in estimator.get_params().items()
    )

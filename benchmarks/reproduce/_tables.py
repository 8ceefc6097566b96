# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Results beside what was published: the rows of every table that is shown."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.reproduce._driver import load, read


class Line(NamedTuple):
    """A line of the table of an experiment.

    Parameters
    ----------
    setting, method : str
        What was run.

    n : int
        Number of runs, one per seed.

    cells : list of (str, str)
        For each measure ours, the mean and standard deviation over seeds, and what was
        published; "" where there is nothing.
    """

    setting: str
    method: str
    n: int
    cells: list[tuple[str, str]]


def number(value: float) -> str:
    """Write a number with three or four digits; rounding errors are 0."""
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"


def with_deviation(mean: float, deviation: float | None) -> str:
    """Write a mean and its standard deviation."""
    if deviation is None or np.isnan(deviation):
        return number(mean)
    return f"{number(mean)} ± {number(deviation)}"


def lines(name: str, scale: str) -> Iterator[Line]:
    """Yield the lines of the table of an experiment, as far as it was run."""
    module = load(name)
    values = read(name, scale)
    order = dict.fromkeys((job.setting, job.method) for job in module.jobs(scale))
    for setting, method in order:
        runs = [v for job, v in values.items() if job[:2] == (setting, method)]
        if not runs:
            continue
        published = module.PUBLISHED.get((setting, method), {})
        cells = []
        for measure in module.MEASURES:
            own = np.array([run[measure] for run in runs if measure in run])
            # Of a single run there is no deviation to speak of.
            spread = own.std(ddof=1) if len(own) > 1 else None
            ours = with_deviation(own.mean(), spread) if len(own) else ""
            theirs = published.get(measure)
            cells.append((ours, with_deviation(*theirs) if theirs else ""))
        yield Line(setting, method, len(runs), cells)

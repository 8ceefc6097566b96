# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What ``python -m skdg study`` shows: how far it is, and what came out."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from skdg.study._measures import spoken
from skdg.study._result import REFERENCE, StudyResult
from skdg.study._words import LEGEND, conclusion, summary_cells, unselected

_WIDE = 100
_ONLY_WIDE = ("± seeds", "at", "rank")
# A log gets a line this often, in seconds.
_LOG_EVERY = 15.0
# Estimators take turns, some of them slow: the speed is that of this many seconds.
_SPEED_PERIOD = 300.0


@contextmanager
def study_progress(
    console: Console, n_jobs: int
) -> Iterator[Callable[[int, int, Any], None]]:
    """Show how far a study is, and how long it will take.

    Parameters
    ----------
    console : Console
        Where to. A terminal gets a bar, which each fit moves; a log gets a line from
        time to time.

    n_jobs : int
        Number of processes, to be told.

    Yields
    ------
    callable
        The callback for :func:`~skdg.study.run_study`.
    """
    if not console.is_terminal:
        yield _ProgressLog(console, n_jobs)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("fits"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        speed_estimate_period=_SPEED_PERIOD,
    ) as bar:
        task = bar.add_task(f"{n_jobs} at a time", total=None)

        def advance(n_done: int, n_fits: int, row: Any) -> None:
            if row is None:
                # Fits of an earlier run tell nothing about the speed of this one.
                bar.reset(task, total=n_fits, completed=n_done)
            else:
                bar.update(task, advance=1, description=_step(row))

        yield advance


class _ProgressLog:
    """Lines of a log for the fits that are done."""

    def __init__(self, console: Console, n_jobs: int) -> None:
        self._console = console
        self._n_jobs = n_jobs
        self._begun = self._told = time.monotonic()
        self._n_known = 0

    def __call__(self, n_done: int, n_fits: int, row: Any) -> None:
        now = time.monotonic()
        if row is None:
            self._n_known, self._begun = n_done, now
            known = f" {n_done} of them are done already." if n_done else ""
            self._console.print(f"{n_fits} fits, {self._n_jobs} at a time.{known}")
        elif n_done == n_fits or now - self._told > _LOG_EVERY:
            passed = now - self._begun
            left = passed / (n_done - self._n_known) * (n_fits - n_done)
            self._console.print(
                f"{n_done} of {n_fits} fits done, {_clock(passed)} passed, "
                f"{_clock(left)} left; last {_what(row)}",
                markup=False,
            )
            self._told = now


def _what(row: Any) -> str:
    return f"{row['estimator']} without {' and '.join(row['held_out'])}"


def _step(row: Any) -> str:
    return f"{_what(row)}, seed {row['seed']}, candidate {row['candidate']}"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def show_summary(console: Console, result: StudyResult, test: str) -> None:
    """Print the table that a study is for, for each rule of selection.

    Parameters
    ----------
    console : Console
        Where to.

    result : StudyResult
        The result.

    test : {"wilcoxon", "t"}
        The paired test.
    """
    summary = result.summary(reference=REFERENCE, test=test)
    n_domains = result.frame()["domain"].nunique()
    label, sign = spoken(result.scoring)
    for rule in summary.index.unique("rule"):
        part = summary.loc[rule]
        cheating = " (CHEATING: it saw the test domain)" * (rule == "oracle")
        direction = "higher" if sign > 0 else "lower"
        shown = Table(
            title=escape(f"{label} ({direction} is better), by {rule}{cheating}"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        head, *cells = summary_cells(part, sign, n_domains)
        # A narrow terminal would cut digits off; the page has all columns.
        left_out = _ONLY_WIDE if console.width < _WIDE else ()
        places = [place for place, name in enumerate(head) if name not in left_out]
        for place in places:
            # Heads of two lines leave more room.
            shown.add_column(
                head[place].replace(" ", "\n").replace("in-", "in-\n"),
                justify="left" if head[place] in ("estimator", "at") else "right",
                no_wrap=head[place] != "at",
                overflow="fold",
            )
        for row in cells:
            shown.add_row(*(escape(str(row[place])) for place in places))
        console.print()
        console.print(shown)
        for sentence in (conclusion(part, REFERENCE, test), unselected(part)):
            if sentence:
                console.print(sentence, markup=False)
    console.print(LEGEND, style="dim", markup=False)
    for row in result.failures().drop_duplicates("estimator").itertuples():
        held_out = " and ".join(map(str, row.held_out))
        console.print(
            f"{row.estimator} failed, first without {held_out}: {row.error}",
            markup=False,
        )

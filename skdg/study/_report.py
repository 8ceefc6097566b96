# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a study shows: what it found in the table, how far it is, and the result."""

import csv
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TextIO, cast

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

from skdg.study._compare import HELD_OUT_SHARE, Outcome, Summary
from skdg.study._measures import Measure
from skdg.study._table import DomainTable

_MAX_LISTED = 10


class _Unpadded:
    """A stream without the blanks with which rich fills lines up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(re.sub(r" +$", "", text, flags=re.MULTILINE))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_console(stream: TextIO) -> Console:
    """Return a console that writes plain text where nobody watches a terminal."""
    console = Console(file=stream, highlight=False)
    if console.is_terminal:
        return console
    # A log has no width of its own, and 80 columns would break lines.
    return Console(file=cast(TextIO, _Unpadded(stream)), highlight=False, width=110)


def describe(table: DomainTable, *, name_columns: bool = False) -> dict[str, str]:
    """Say what a table holds.

    Parameters
    ----------
    table : DomainTable
        The table.

    name_columns : bool, default=False
        Whether to name the columns of each type.

    Returns
    -------
    dict of str to str
        Lines of a label and a text.
    """
    counts = Counter(table.kinds.values())
    plural = {"number": "numeric", "category": "categorical", "date": "date"}
    columns = ", ".join(
        f"{counts[k]} {word}" for k, word in plural.items() if counts[k]
    )
    n_rows = len(table.target)
    if table.task == "classification":
        classes = sorted(set(table.target))
        more = ["..."] if len(classes) > _MAX_LISTED else []
        shown = ", ".join([*classes[:_MAX_LISTED], *more])
        target = f"classification, {len(classes)} classes: {shown}"
    else:
        low, high = table.target.min(), table.target.max()
        target = f"regression, {low:g} to {high:g}"
    sizes = Counter(table.domains.tolist())
    named = [f"{name} ({sizes[name]})" for name in sorted(sizes, key=_natural)]
    lines = {
        "Table": f"{table.title}: {n_rows} rows, {len(table.kinds)} columns to predict "
        f"from ({columns})",
        "Target": f"{table.target_name} ({target})",
        "Domains": f"{table.domain_name}: {', '.join(named)}",
    }
    if name_columns:
        for kind, word in plural.items():
            own = [name for name, its_kind in table.kinds.items() if its_kind == kind]
            if own:
                lines[word.capitalize()] = ", ".join(own)
    return lines


def show_table(console: Console, table: DomainTable, lines: Mapping[str, str]) -> None:
    """Print what a table holds, and what was left out or assumed.

    Parameters
    ----------
    console : Console
        Where to.

    table : DomainTable
        The table.

    lines : mapping of str to str
        What it holds.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in lines.items():
        grid.add_row(label, escape(text))
    console.print(grid)
    for notice in table.notices:
        console.print(f"[yellow]Note[/] {escape(notice)}")


def _natural(label: object) -> tuple:
    return (0, label, "") if isinstance(label, (int, float)) else (1, 0, str(label))


@contextmanager
def progress(console: Console, n_fits: int, n_methods: int) -> Iterator:
    """Show how far the study is.

    Parameters
    ----------
    console : Console
        Where to. Only a terminal gets a bar; a log gets a line for each domain done.

    n_fits : int
        Number of fits.

    n_methods : int
        Number of fits for each held-out domain.

    Yields
    ------
    callable
        To be called with each `Outcome`.
    """
    if not console.is_terminal:
        seen: Counter = Counter()

        def log(outcome: Outcome) -> None:
            seen[outcome.domain] += 1
            if seen[outcome.domain] == n_methods:
                console.print(
                    f"{sum(seen.values())} of {n_fits} fits done; "
                    f"all methods with {escape(str(outcome.domain))} held out"
                )

        yield log
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("fits"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Holding out domains", total=n_fits)
        yield lambda outcome: bar.advance(task)


def show_results(
    console: Console,
    summaries: Sequence[Summary],
    measure: Measure,
    table: DomainTable,
    n_domains: int,
) -> None:
    """Print the one table that a study is for.

    Parameters
    ----------
    console : Console
        Where to.

    summaries : sequence of Summary
        The rows, the best first.

    measure : Measure
        How it was scored.

    table : DomainTable
        What was studied.

    n_domains : int
        Number of domains that each method was to be scored on.
    """
    unit = ""
    if table.task == "regression" and measure.label != "R2":
        unit = f" in units of {table.target_name}"
    direction = "higher" if measure.greater_is_better else "lower"
    result = Table(
        title=f"{measure.label}{unit} ({direction} is better)".replace("[", r"\["),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    result.add_column("method", no_wrap=True)
    # Two lines of header let the table fit into 80 columns.
    for column in ("in-domain", "unseen\nmean", "unseen\nworst"):
        result.add_column(column, justify="right", no_wrap=True)
    result.add_column("worst unseen\ndomain", overflow="fold")
    result.add_column("seconds", justify="right", no_wrap=True)
    whole = [s for s in summaries if s.n_done == n_domains]
    best = {
        key: measure.best([getattr(s, key) for s in whole]) if whole else math.nan
        for key in ("in_domain", "unseen", "worst")
    }
    decimals = 3
    if not measure.greater_is_better:  # an error in some unit
        decimals = _decimals([s.unseen for s in summaries if s.n_done])
    for s in summaries:
        if not s.n_done:
            result.add_row(escape(s.method), "failed", "", "", "", "")
            continue
        partly = s.n_done < n_domains
        name = escape(s.method) + (f" ({s.n_done}/{n_domains})" if partly else "")
        cells = []
        for key, top in best.items():
            value = getattr(s, key)
            text = f"{value:.{decimals}f}"
            cells.append(f"[bold]{text}[/]" if value == top and not partly else text)
        where = escape(str(s.worst_domain))
        result.add_row(name, *cells, where, f"{s.seconds:.1f}")
    console.print()
    console.print(result)
    share = round(100 * HELD_OUT_SHARE)
    console.print(
        f"in-domain: mean over training domains of the score on their {share} % of "
        f"rows that no fit saw. unseen: score on all rows of a domain that was left "
        f"out; mean over {n_domains} such domains, and the worst. seconds: all fits of "
        f"a method, one processor each.",
        style="dim",
    )
    if any(0 < s.n_done < n_domains for s in summaries):
        console.print("A number of domains in brackets: scores are from these alone.")
    for s in summaries:
        if s.errors:
            domain, error = next(iter(s.errors.items()))
            console.print(
                f"[red]{escape(s.method)} failed[/] on {len(s.errors)} of {n_domains} "
                f"domains. With {escape(str(domain))} held out: {escape(error)}"
            )


def _decimals(errors: Sequence[float]) -> int:
    """Return how many decimals show three digits of the smallest error that counts."""
    if not errors:
        return 3
    smallest = max(min(errors), max(errors) / 100)
    return 3 if smallest <= 0 else max(0, 2 - math.floor(math.log10(smallest)))


def write_csv(path: Path, outcomes: Iterable[Outcome], metric: str) -> None:
    """Write one row for each method and held-out domain.

    Parameters
    ----------
    path : Path
        The file.

    outcomes : iterable of Outcome
        The rows.

    metric : str
        Name of the metric, for a column that says what the scores are.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f.name for f in fields(Outcome)] + ["metric"])
        for outcome in sorted(outcomes, key=lambda o: (str(o.domain), o.method)):
            row = [
                "" if isinstance(value, float) and math.isnan(value) else value
                for value in astuple(outcome)
            ]
            writer.writerow([*row, metric])


def make_stdout_printable() -> None:
    """Let a terminal that lacks a character show "?" instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

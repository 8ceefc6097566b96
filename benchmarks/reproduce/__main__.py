# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Run published experiments again and print our numbers beside the published ones.

    python -m benchmarks.reproduce                         # all, on less data
    python -m benchmarks.reproduce irm-sem --scale paper   # one, as published
    python -m benchmarks.reproduce --report --scale paper  # print what was run before
    python -m benchmarks.reproduce --readme                # write the README's table

Results go to ``benchmarks/results``, a row for each number, with its seed. Runs that
were stopped are taken up again with ``--resume``.
"""

import argparse
import time
from pathlib import Path

import joblib
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from benchmarks.reproduce import EXPERIMENTS
from benchmarks.reproduce._driver import Options, load, run
from benchmarks.reproduce._pages import README, with_evidence
from benchmarks.reproduce._tables import lines


def table(name: str, scale: str) -> Table:
    """Return the table of an experiment for the terminal."""
    module = load(name)
    title = f"{module.TITLE} ({scale})\n{module.SOURCE}"
    made = Table(title=title, title_justify="left")
    for column in ("setting", "method", "runs"):
        made.add_column(column)
    for measure in module.MEASURES.values():
        made.add_column(measure, justify="right")
        made.add_column("published", justify="right", style="dim")
    for line in lines(name, scale):
        cells = [cell for pair in line.cells for cell in pair]
        made.add_row(line.setting, line.method, str(line.n), *cells)
    return made


def main() -> None:
    """Run the experiments that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reproduce", description=__doc__.splitlines()[0]
    )
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT")
    parser.add_argument("--scale", choices=["quick", "paper"], default="quick")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    parser.add_argument("--resume", action="store_true", help="keep finished runs")
    parser.add_argument("--report", action="store_true", help="run nothing, only print")
    parser.add_argument("--readme", action="store_true", help="run nothing, write it")
    parser.add_argument("--mnist", type=Path, help="a local file instead of a download")
    parser.add_argument("--school", type=Path, help="the school data, which are needed")
    parser.add_argument("--device", default="cpu", help="where networks are trained")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.experiments if name not in EXPERIMENTS]
    if unknown:
        names = ", ".join(EXPERIMENTS)
        parser.error(f"no experiment is called {unknown[0]!r}; there are: {names}")
    options = Options(
        arguments.scale, arguments.mnist, arguments.school, arguments.device
    )
    if arguments.readme:
        README.write_text(
            with_evidence(README.read_text(encoding="utf-8")), encoding="utf-8"
        )
        return
    console = Console()
    for name in arguments.experiments or EXPERIMENTS:
        needs = getattr(load(name), "NEEDS", None)
        if needs and not arguments.report and getattr(options, needs) is None:
            if arguments.experiments:
                parser.error(f"{name} needs --{needs} FILE")
            console.print(f"{name} is left out: it needs --{needs} FILE\n")
            continue
        began = time.perf_counter()
        if not arguments.report:
            columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn())
            bar = Progress(*columns, TimeRemainingColumn(), console=console)
            with bar:
                task = bar.add_task(name, total=None)
                runs = run(
                    name, options, n_jobs=arguments.jobs, resume=arguments.resume
                )
                for done, total, _ in runs:
                    bar.update(task, completed=done, total=total)
        console.print(table(name, arguments.scale))
        if not arguments.report:
            console.print(f"{time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()

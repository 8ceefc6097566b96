# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The evidence in the documentation and the README, written from the results."""

import csv
import inspect
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from benchmarks.reproduce import EXPERIMENTS
from benchmarks.reproduce._driver import RESULTS, load, results_file
from benchmarks.reproduce._tables import lines

README = Path(__file__).parents[2] / "README.md"
BEGIN = "<!-- evidence: begin, written by python -m benchmarks.reproduce --readme -->"
END = "<!-- evidence: end -->"
SCALES = ["paper", "quick"]


@cache
def files_with_results() -> frozenset[str]:
    """Return the names of results that git has; all where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "."], cwd=RESULTS, capture_output=True, text=True
    )
    known = listing.stdout.split() or [path.name for path in RESULTS.glob("*.csv")]
    return frozenset(known)


def scales(name: str) -> list[str]:
    """Return the scales at which an experiment has results, the larger one first."""
    return [s for s in SCALES if results_file(name, s).name in files_with_results()]


def origin(name: str, scale: str) -> str:
    """Say what made the results of an experiment, and how long it took."""
    with results_file(name, scale).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    releases = " and ".join(sorted({row["made_with"] for row in rows}))
    runs = {(r["setting"], r["method"], r["seed"]): float(r["seconds"]) for r in rows}
    return (
        f"{len(runs)} runs of {sum(runs.values()):.0f} s in all, made with {releases}."
    )


def list_table(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Return a table in reStructuredText."""
    options = ["   :class: numbers", "   :header-rows: 1", "   :widths: auto"]
    made = [".. list-table::", *options, ""]
    for row in [header, *rows]:
        starts = ["   * -", *["     -"] * (len(row) - 1)]
        made += [f"{s} {cell}".rstrip() for s, cell in zip(starts, row, strict=True)]
    return [*made, ""]


def results_table(name: str, scale: str) -> list[str]:
    """Return our results beside the published ones, in reStructuredText."""
    module, found = load(name), list(lines(name, scale))
    header, kept = ["setting", "method", "runs"], []
    for place, measure in enumerate(module.MEASURES.values()):
        # A measure nobody published has no column for it.
        for part, title in enumerate((measure, "published")):
            if part == 0 or any(line.cells[place][1] for line in found):
                header.append(title)
                kept.append((place, part))
    rows = [
        [line.setting, line.method, str(line.n), *(line.cells[i][j] for i, j in kept)]
        for line in found
    ]
    return list_table(header, rows)


def page(name: str) -> str:
    """Return the page of an experiment: what was done, and what came out."""
    module = load(name)
    title, *explanation = inspect.getdoc(module).splitlines()
    title = title.rstrip(".")
    made = [
        title,
        "=" * len(title),
        *explanation,
        "",
        f"Published: {module.SOURCE}.",
        "",
    ]
    for scale in scales(name):
        heading = f'{module.TITLE}, at scale "{scale}"'
        made += [heading, "-" * len(heading), ""]
        made += [origin(name, scale), "Again::", ""]
        needs = getattr(module, "NEEDS", None)
        option = f" --{needs} FILE" if needs else ""
        command = f"python -m benchmarks.reproduce {name} --scale {scale}{option}"
        made += [f"    {command}", "", *results_table(name, scale)]
    return "\n".join(made)


INDEX = """\
Evidence
========

Published experiments, run again by ``python -m benchmarks.reproduce`` through the
public estimators. Our numbers in the tables come from the files in
``benchmarks/results``. Those in the text are quoted from these, or made by the scripts
that are named there; published ones are the papers'. At the scale "paper" an experiment
is as published, unless its page says otherwise; at "quick" it has fewer runs or rows.
Results are means and standard deviations over runs, which differ in their seeds. Those
made with a GPU had the option ``--device cuda``.

.. toctree::
   :maxdepth: 1

"""


def write_pages(folder: Path) -> None:
    """Write a page for each experiment that has results, and the list of them."""
    folder.mkdir(exist_ok=True)
    names = [name for name in EXPERIMENTS if scales(name)]
    for name in names:
        (folder / f"{name}.rst").write_text(page(name), encoding="utf-8")
    listed = "".join(f"   {name}\n" for name in names)
    (folder / "index.rst").write_text(INDEX + listed, encoding="utf-8")


def readme_table() -> str:
    """Return the few results that the README shows, in Markdown."""
    made = ["| experiment | | runs | skdg | published |", "|---|---|---|---|---|"]
    for name in EXPERIMENTS:
        module = load(name)
        for scale in scales(name):
            wanted = {job[:2] for job in module.jobs(scale)} & {*module.HEADLINES}
            found = {(line.setting, line.method): line for line in lines(name, scale)}
            if not wanted <= found.keys():
                continue  # not all of it was run
            shown = module.HEADLINE_MEASURES
            places = [list(module.MEASURES).index(measure) for measure in shown]
            what = " / ".join(module.MEASURES[measure] for measure in shown)
            first = f'{module.TITLE}; {what} (scale "{scale}")'
            for line in (line for key, line in found.items() if key in wanted):
                pairs = [line.cells[place] for place in places]
                parts = zip(*pairs, strict=True)
                cells = [" / ".join(filter(None, part)) for part in parts]
                entry = [first, f"{line.setting}: {line.method}", str(line.n), *cells]
                made.append(f"| {' | '.join(entry)} |")
                first = ""
            break
    return "\n".join(made)


def with_evidence(readme: str) -> str:
    """Return the README with its table as the results have it."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{readme_table()}\n\n{END}{after}"

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Run an experiment job by job; each finished job is on disk before the next begins."""

import csv
import importlib
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import joblib
import numpy as np
import sklearn
import torch

import skdg
from benchmarks.reproduce import EXPERIMENTS

RESULTS = Path(__file__).parents[1] / "results"
COLUMNS = ["setting", "method", "seed", "measure", "value", "seconds", "made_with"]


class Job(NamedTuple):
    """One run: a method in a setting, with a seed.

    Parameters
    ----------
    setting : str
        The data, or what else differs between the lines of the table.

    method : str
        The name of the method.

    seed : int
        All that is random in the run comes from it.
    """

    setting: str
    method: str
    seed: int


class Options(NamedTuple):
    """What the command line says.

    Parameters
    ----------
    scale : {"quick", "paper"}
        How much to run.

    mnist, school : Path or None
        Files with data that do not come with skdg.

    device : str, default="cpu"
        Where networks are trained, as the estimators of skdg have it.
    """

    scale: str
    mnist: Path | None = None
    school: Path | None = None
    device: str = "cpu"


Measures = dict[str, float]
Values = dict[Job, Measures]


def load(name: str) -> ModuleType:
    """Import the module of an experiment."""
    return importlib.import_module(EXPERIMENTS[name])


def results_file(name: str, scale: str) -> Path:
    """Return where the results of an experiment are."""
    return RESULTS / f"{name.replace('-', '_')}_{scale}.csv"


def made_with(device: str) -> str:
    """Say which releases made a result, and on what device."""
    releases = (
        f"skdg {skdg.__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, "
        f"torch {torch.__version__}"
    )
    if torch.device(device).type != "cuda":
        return releases
    return f"{releases}, {torch.cuda.get_device_name(device)}"


def read(name: str, scale: str) -> Values:
    """Return the results on disk; none if there is no file."""
    values: Values = defaultdict(dict)
    file = results_file(name, scale)
    if file.exists():
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                job = Job(row["setting"], row["method"], int(row["seed"]))
                values[job][row["measure"]] = float(row["value"])
    return dict(values)


def run(
    name: str, options: Options, *, n_jobs: int = 1, resume: bool = False
) -> Iterator[tuple[int, int, Job]]:
    """Run what is left of an experiment.

    Parameters
    ----------
    name : str
        The experiment.

    options : Options
        What the command line says.

    n_jobs : int, default=1
        Number of processes, of one thread each.

    resume : bool, default=False
        Whether to keep the jobs that the file of results already has.

    Yields
    ------
    done, of : int
        How many jobs are done, and of how many.

    job : Job
        The one that was finished last.
    """
    module = load(name)
    file = results_file(name, options.scale)
    wanted = module.jobs(options.scale)
    known = read(name, options.scale) if resume else {}
    batches = together([job for job in wanted if job not in known], module)
    file.parent.mkdir(exist_ok=True)
    if not known:
        file.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    releases = made_with(options.device)
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    finished = parallel(joblib.delayed(_run)(name, jobs, options) for jobs in batches)
    done = len(wanted) - sum(map(len, batches))
    for jobs, measures, seconds in finished:
        with file.open("a", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            for job, own in zip(jobs, measures, strict=True):
                for measure, value in own.items():
                    cells = (measure, f"{value:.6g}", f"{seconds:.2f}", releases)
                    writer.writerow((*job, *cells))
        done += len(jobs)
        yield done, len(wanted), jobs[-1]
    _sort(file, wanted)


def together(jobs: list[Job], module: ModuleType) -> list[list[Job]]:
    """Put jobs together that run at once: they differ in their seeds alone."""
    size = getattr(module, "N_TOGETHER", 1)
    alike = defaultdict(list)
    for job in jobs:
        alike[job.setting, job.method].append(job)
    batches = [
        own[first : first + size]
        for own in alike.values()
        for first in range(0, len(own), size)
    ]
    return sorted(batches, key=lambda batch: jobs.index(batch[0]))


def measures_of(
    module: ModuleType, jobs: list[Job], options: Options
) -> list[Measures]:
    """Run jobs, side by side if the experiment can."""
    if hasattr(module, "N_TOGETHER"):
        return module.run_together(jobs, options)
    return [module.run(job, options) for job in jobs]


def _run(
    name: str, jobs: list[Job], options: Options
) -> tuple[list[Job], list[Measures], float]:
    """Run jobs in a process of one thread; return also the seconds for each."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    measures = measures_of(load(name), jobs, options)
    return jobs, measures, (time.perf_counter() - began) / len(jobs)


def _sort(file: Path, wanted: list[Job]) -> None:
    """Put rows into the order of the jobs, so that a file does not tell of the run."""
    place = {job: number for number, job in enumerate(wanted)}
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)

    def key(row: list[str]) -> int:
        return place.get(Job(row[0], row[1], int(row[2])), len(place))

    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerows([header, *sorted(rows, key=key)])

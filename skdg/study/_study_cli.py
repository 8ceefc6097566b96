# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The command ``python -m skdg study``."""

import argparse
import sys
import warnings
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from skdg.study._arguments import (
    add_table_arguments,
    find_measure,
    load_table,
    n_processes,
    positive,
    refuse_to_overwrite,
    split_names,
)
from skdg.study._errors import StudyError, require_packages, unknown_name

_DESCRIPTION = """\
Hold out one domain after the other, tune each estimator on the others, and score it on
the domains it saw and on the one it did not; repeat with other seeds, test the
differences, and write a report. Without TABLE it uses the prices of hotel rooms by
market segment.
"""

_EPILOG = """\
examples:
  python -m skdg study
  python -m skdg study patients.csv --target readmitted --domain hospital
  python -m skdg study patients.csv --target readmitted --domain hospital --resume
  python -m skdg study https://example.org/sales.parquet --target price \\
      --domain state --estimators ERM,CORAL,Ridge --output sales \\
      --selection training-domain,leave-one-domain-out

Finished fits are files in the folder of the study before the next ones begin. When the
study is stopped, by Ctrl-C or by a power cut, the same command with --resume goes on
with it and ends with the table of a study that was never stopped.
"""

# Tuning takes hundreds of fits; more rows would rarely change their order.
_MAX_ROWS = 1_500
_WRITTEN = ("fits.csv", "summary.csv", "report.html")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m skdg study",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_arguments(parser, max_rows=_MAX_ROWS)
    add = parser.add_argument
    add(
        "--drop-missing",
        action="store_true",
        help="leave out rows without a target or a domain",
    )
    add(
        "--drop-small",
        action="store_true",
        help="leave out domains that are too small to hold out a part of them",
    )
    add(
        "--selection",
        default="training-domain",
        metavar="RULE[,RULE]",
        help="what candidates are selected by: training-domain (default), "
        "leave-one-domain-out, or oracle, which looks at the domain held out and is "
        "cheating",
    )
    add(
        "--candidates",
        type=positive,
        default=20,
        metavar="N",
        help="number of hyperparameters to try for each (default: %(default)s)",
    )
    add(
        "--seeds",
        type=positive,
        default=3,
        metavar="N",
        help="number of repetitions (default: %(default)s)",
    )
    add(
        "--output",
        default="study",
        metavar="DIR",
        help="the folder of the study (default: %(default)s)",
    )
    add(
        "--resume",
        action="store_true",
        help="go on with the study in that folder, if there is one",
    )
    return parser


def run_command(arguments: argparse.Namespace) -> int:
    """Run the study, and show and write what came out.

    Parameters
    ----------
    arguments : Namespace
        What the parser found.

    Returns
    -------
    status : int
        The exit status: 0; 1 if every fit failed; 130 after Ctrl-C.

    Raises
    ------
    StudyError
        If something is wrong that a person can mend.
    """
    require_packages(("pandas", "rich", "skrub", "matplotlib"))
    folder = Path(arguments.output)
    _check_folder(folder, resume=arguments.resume)
    for name in _WRITTEN:
        refuse_to_overwrite(folder / name, arguments.table)
    table = load_table(
        arguments, drop_missing=arguments.drop_missing, drop_small=arguments.drop_small
    )

    # Only now, so that the mistakes above show at once.
    from skdg.study._preprocess import encode_columns
    from skdg.study._report import (
        describe,
        make_console,
        make_stdout_printable,
        show_table,
    )
    from skdg.study._result import RULES
    from skdg.study._run import run_study
    from skdg.study._statistics import best_test
    from skdg.study._study_report import show_summary, study_progress

    _, measure = find_measure(arguments.metric, table.task)
    rules = split_names(arguments.selection)
    for rule in rules:
        if rule not in RULES:
            raise unknown_name("rule of selection", rule, RULES)
    X, kinds = encode_columns(table.features, table.kinds)
    estimators = _estimators(table.task, kinds, arguments.estimators)
    n_jobs = n_processes(arguments.jobs)
    make_stdout_printable()
    console = make_console(sys.stdout)
    lines = describe(table, name_columns=True) | {
        "Study": f"{', '.join(estimators)}; up to {arguments.candidates} candidates, "
        f"selection: {', '.join(rules)}; seeds: {arguments.seeds}"
    }
    show_table(console, table, lines)
    try:
        with study_progress(console, n_jobs) as callback, warnings.catch_warnings():
            # A worker that has grown, for it loaded torch, is replaced: no news.
            warnings.filterwarnings("ignore", message="A worker stopped while some")
            result = run_study(
                estimators,
                X,
                table.target,
                table.domains,
                selection=rules,
                n_candidates=arguments.candidates,
                n_seeds=arguments.seeds,
                scoring=measure.scoring,
                output=folder,
                n_jobs=n_jobs,
                callback=callback,
            )
    except ValueError as error:
        raise StudyError(str(error)) from None
    except OSError as error:
        raise _cannot_write(folder, error) from None
    except BrokenExecutor:
        raise StudyError(
            f"a worker process died, perhaps for want of memory: fewer --jobs need "
            f"less. {_count_fits(folder)} fits are kept in {folder}; --resume goes on."
        ) from None
    except KeyboardInterrupt:
        console.print(
            f"Stopped. {_count_fits(folder)} fits are kept in {folder}; the same "
            f"command with --resume goes on.",
            markup=False,
        )
        return 130
    # All but the reference are tested.
    test = best_test(len(set(table.domains.tolist())), len(estimators) - 1)
    show_summary(console, result, test)
    notes = {f"Note {n}": notice for n, notice in enumerate(table.notices, start=1)}
    fits, summary, report = (folder / name for name in _WRITTEN)
    try:
        result.frame().to_csv(fits, index=False)
        result.summary(test=test).to_csv(summary)
        result.to_html(report, test=test, description=lines | notes)
    except OSError as error:
        raise _cannot_write(folder, error) from None
    console.print(
        f"Written to {folder}: report.html to read, summary.csv and fits.csv for "
        f"further work.",
        markup=False,
    )
    if result.frame()["unseen"].isna().all():
        print(
            "python -m skdg: error: no fit came to its end with a score.",
            file=sys.stderr,
        )
        return 1
    return 0


def _estimators(task: str, kinds: dict[str, str], names: str | None) -> dict[str, Any]:
    """Return pipelines that end with the methods that were asked for."""
    import numpy as np
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    from skdg.study._methods import all_methods, choose, usual
    from skdg.study._preprocess import make_preprocessor

    methods = all_methods(task)
    methods = choose(methods, split_names(names)) if names else usual(methods)
    # Networks train twice as fast on half the bits, which standardized columns do not
    # need.
    narrow = FunctionTransformer(np.float32, feature_names_out="one-to-one")
    return {
        method.name: Pipeline(
            [
                ("columns", make_preprocessor(kinds)),
                ("narrow", narrow),
                ("model", method.estimator),
            ]
        )
        for method in methods
    }


def _check_folder(folder: Path, *, resume: bool) -> None:
    """Find out before the work that a folder cannot be used."""
    if (folder / "study.json").exists() and not resume:
        raise StudyError(
            f"{folder} holds a study already, with {_count_fits(folder)} fits done. Go "
            f"on with it by --resume, or choose another --output."
        )
    others = [name for name in _WRITTEN if (folder / name).exists()]
    if others and not (folder / "study.json").exists():
        raise StudyError(
            f"{folder} holds no study, but {' and '.join(others)}, which would be "
            f"written over. Choose another --output."
        )
    fits = folder / "fits"
    made = [path for path in (fits, folder) if not path.exists()]
    try:
        fits.mkdir(parents=True, exist_ok=True)
        probe = fits / "probe.part"
        probe.touch()
        probe.unlink()
        for path in made:  # a mistake in the arguments leaves nothing behind
            path.rmdir()
    except OSError as error:
        raise StudyError(f"cannot write to {folder}: {error.strerror}.") from None


def _cannot_write(folder: Path, error: OSError) -> StudyError:
    return StudyError(
        f"cannot write to {folder}: {error.strerror or error}. What is done is kept; "
        f"--resume goes on."
    )


def _count_fits(folder: Path) -> int:
    return len(list((folder / "fits").glob("*.json")))

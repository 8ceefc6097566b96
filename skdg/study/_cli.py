# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The command ``python -m skdg``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skdg.study._arguments import (
    add_table_arguments,
    find_measure,
    load_table,
    n_processes,
    refuse_to_overwrite,
    split_names,
)
from skdg.study._errors import StudyError, require_packages

if TYPE_CHECKING:
    from skdg.study._compare import Outcome

_DESCRIPTION = """\
Hold out one domain after the other, train on the rest, and compare estimators of skdg
with a linear model and gradient boosting: on the domains they saw, and on the one they
did not. Without TABLE it uses the prices of hotel rooms by market segment.
"""

_EPILOG = """\
examples:
  python -m skdg
  python -m skdg patients.csv --target readmitted --domain hospital
  python -m skdg sales.parquet --target price --domain state --metric mae --jobs 4
  python -m skdg study --help    tuned, with repetitions, tests and a report

Numbers are imputed and standardized, categories one-hot encoded with rare ones
together, dates expanded; all of that by the training rows of each fit. Estimators have
their default parameters: nothing is tuned.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skdg",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_arguments(parser, max_rows=10_000)
    add = parser.add_argument
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of all that is random (default: %(default)s)",
    )
    add("--output", metavar="FILE", help="write the score of every fit to a CSV file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m skdg``.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    status : int
        The exit status: 0; 2 for what a person can mend, told in one message; 130 after
        Ctrl-C.

    Examples
    --------
    >>> from skdg.study import main
    >>> status = main(["--estimators", "Ridge", "--max-rows", "100", "--jobs", "1"])
    Table    hotel_rates: 500 rows, 25 columns to predict from ...
    RMSE in units of avg_price_per_room (lower is better)
    ...
    >>> status
    0
    """
    argv = sys.argv[1:] if argv is None else argv
    parser, run = _parser, _run
    if argv[:1] == ["study"]:
        from skdg.study._study_cli import make_parser, run_command

        argv, parser, run = argv[1:], make_parser, run_command
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        return run(arguments)
    except StudyError as error:
        print(f"python -m skdg: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    require_packages()
    output = _check_output(arguments.output, arguments.table)
    table = load_table(arguments, seed=arguments.seed)

    # Only now, so that the mistakes above show at once.
    from skdg.study._compare import leave_one_domain_out, summarize
    from skdg.study._methods import all_methods, choose, usual
    from skdg.study._report import (
        describe,
        make_console,
        make_stdout_printable,
        progress,
        show_results,
        show_table,
        write_csv,
    )
    from skdg.study._verdict import verdict

    metric, measure = find_measure(arguments.metric, table.task)
    make_stdout_printable()
    console = make_console(sys.stdout)
    show_table(console, table, describe(table))
    methods = all_methods(table.task, arguments.seed)
    if arguments.estimators:
        methods = choose(methods, split_names(arguments.estimators))
    else:
        methods = usual(methods)
    n_domains = len(set(table.domains.tolist()))
    n_fits = n_domains * len(methods)
    outcomes: list[Outcome] = []
    interrupted = False
    found = leave_one_domain_out(
        table,
        methods,
        measure,
        seed=arguments.seed,
        n_jobs=min(n_processes(arguments.jobs), n_fits),
    )
    try:
        with progress(console, n_fits, len(methods)) as advance:
            for outcome in found:
                outcomes.append(outcome)
                advance(outcome)
    except KeyboardInterrupt:
        interrupted = True
        console.print(f"Stopped after {len(outcomes)} of {n_fits} fits.")
    if outcomes:
        summaries = summarize(outcomes, measure)
        show_results(console, summaries, measure, table, n_domains)
        if output is not None:
            write_csv(output, outcomes, metric)
    if interrupted:
        return 130
    baselines = [method.name for method in methods if method.is_baseline]
    sentence = verdict(outcomes, measure, baselines)
    if sentence:
        console.print()
        console.print(sentence, markup=False)
    return 0


def _check_output(path: str | None, table: str | None) -> Path | None:
    """Find out before the work, not after it, that a file cannot be written."""
    if path is None:
        return None
    target = Path(path)
    refuse_to_overwrite(target, table)
    try:
        with target.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise StudyError(f"cannot write {path}: {error.strerror}.") from None
    return target

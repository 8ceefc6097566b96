# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The command ``python -m skdg``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skdg.study._errors import StudyError, require_packages, unknown_name

if TYPE_CHECKING:
    from skdg.study._compare import Outcome
    from skdg.study._table import DomainTable

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

Numbers are imputed and standardised, categories one-hot encoded with rare ones
together, dates expanded; all of that by the training rows of each fit. Estimators have
their default parameters: nothing is tuned.
"""

# More processes cost memory (each loads torch) and are rarely of use to this few fits.
_MAX_JOBS = 8


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_positive.__name__ = "number"  # argparse says "invalid number value"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skdg",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("table", nargs="?", metavar="TABLE", help="a CSV or Parquet file")
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--domain", metavar="COLUMN", help="the column that says where a row came from")
    add(
        "--drop",
        metavar="COLUMN",
        action="append",
        default=[],
        help="a column to leave out, such as one that is not known in advance; may be "
        "repeated",
    )
    add(
        "--task",
        choices=["classification", "regression"],
        help="what the target asks for (default: found from its values)",
    )
    add(
        "--metric",
        metavar="NAME",
        help="accuracy (default), balanced_accuracy or f1_macro for classification; "
        "rmse (default), mae or r2 for regression",
    )
    add(
        "--estimators",
        metavar="NAME[,NAME]",
        help="the methods to compare, such as ERM,IRM,Ridge, or all of them: all "
        "(default: baselines, ERM, IRM, IDGM, Fish and the multi-task SVM)",
    )
    add(
        "--max-domains",
        type=_positive,
        default=10,
        metavar="N",
        help="use the N largest domains (default: %(default)s)",
    )
    add(
        "--max-rows",
        type=_positive,
        default=10_000,
        metavar="N",
        help="draw N rows of a domain that has more (default: %(default)s)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of all that is random (default: %(default)s)",
    )
    add(
        "--jobs",
        type=_positive,
        metavar="N",
        help=f"number of processes (default: one per processor, {_MAX_JOBS} at most)",
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
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        return _run(arguments)
    except StudyError as error:
        print(f"python -m skdg: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    require_packages()
    output = _check_output(arguments.output)
    if arguments.table is None and (arguments.target or arguments.domain):
        raise StudyError("--target and --domain need a TABLE to be columns of.")
    table = _load(arguments)

    # Only now, so that the mistakes above show at once.
    from skdg.study._compare import leave_one_domain_out, summarize
    from skdg.study._methods import all_methods, choose, usual
    from skdg.study._report import (
        make_console,
        make_stdout_printable,
        progress,
        show_results,
        show_table,
        write_csv,
    )
    from skdg.study._verdict import verdict

    metric, measure = _measure(arguments.metric, table.task)
    make_stdout_printable()
    console = make_console(sys.stdout)
    show_table(console, table)
    methods = all_methods(table.task, arguments.seed)
    if arguments.estimators:
        methods = choose(methods, _names(arguments.estimators))
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
        n_jobs=min(_jobs(arguments.jobs), n_fits),
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


def _load(arguments: argparse.Namespace) -> "DomainTable":
    from skdg.study._read import read_table
    from skdg.study._table import prepare_table

    options = {
        "task": arguments.task,
        "drop": arguments.drop,
        "max_domains": arguments.max_domains,
        "max_rows": arguments.max_rows,
        "seed": arguments.seed,
    }
    if arguments.table is None:
        from skdg.datasets import load_hotel_rates

        hotel = load_hotel_rates()
        frame = hotel.data.assign(
            avg_price_per_room=hotel.target, market_segment=hotel.groups
        )
        return prepare_table(
            frame,
            title="hotel_rates",
            target="avg_price_per_room",
            domain="market_segment",
            **options,
        )
    frame = read_table(arguments.table)
    if arguments.target is None or arguments.domain is None:
        shown = ", ".join(frame.columns[:30]) + (", ..." * (frame.shape[1] > 30))
        raise StudyError(
            f"say which column to predict (--target) and which says where a row came "
            f"from (--domain). {arguments.table} has the columns {shown}."
        )
    return prepare_table(
        frame,
        title=Path(arguments.table).name,
        target=arguments.target,
        domain=arguments.domain,
        **options,
    )


def _measure(name: str | None, task: str) -> tuple:
    from skdg.study._measures import MEASURES

    if name is None:
        return next(iter(MEASURES[task].items()))
    if name.lower() not in MEASURES[task]:
        raise unknown_name(f"metric for {task}", name, MEASURES[task])
    return name.lower(), MEASURES[task][name.lower()]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _jobs(given: int | None) -> int:
    if given is not None:
        return given
    from joblib import cpu_count

    return min(cpu_count(), _MAX_JOBS)


def _check_output(path: str | None) -> Path | None:
    """Find out before the work, not after it, that a file cannot be written."""
    if path is None:
        return None
    target = Path(path)
    try:
        with target.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise StudyError(f"cannot write {path}: {error.strerror}.") from None
    return target

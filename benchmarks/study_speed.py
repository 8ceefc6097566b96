# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a study gains from candidates that train side by side.

    python -m benchmarks.study_speed
    python -m benchmarks.study_speed --rows 1500 --methods ERM

The study is that of ``python -m skdg study`` on some rows of the hotel table, with one
repetition: its methods that train networks, with their hidden layer and without it. In
each round it runs twice in this process, on one thread: with each candidate by itself,
and as it is. The ratio is that of the times of the round; printed are the median over
rounds and the quartiles.

They take the place of the rows of these studies in
``benchmarks/results/study_speed.csv``.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from skdg.study import run_study
from skdg.study._arguments import load_table
from skdg.study._preprocess import encode_columns
from skdg.study._study_cli import _estimators, make_parser

RESULTS = Path(__file__).parent / "results" / "study_speed.csv"
COLUMNS = [
    *("method", "hidden layers", "rows", "fits"),
    *("ratio", "lower", "upper", "rounds", "seconds"),
]


def by_themselves(candidate):
    """Take the place of `block_of`."""
    return range(candidate, candidate + 1)


def study(table, name, hidden, n_candidates):
    """Run a study of one method; return its time and its table."""
    X, kinds = encode_columns(table.features, table.kinds)
    estimators = _estimators(table.task, kinds, name)
    for estimator in estimators.values():
        estimator.set_params(model__hidden_layer_sizes=hidden)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = run_study(
            estimators,
            X,
            table.target,
            table.domains,
            n_candidates=n_candidates,
            n_seeds=1,
            output=folder,
        )
    return time.perf_counter() - began, result.frame()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=["ERM", "IRM", "IDGM", "Fish"])
    parser.add_argument("--rows", type=int, nargs="+", default=[200])
    parser.add_argument("--domains", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    layout = "{:8} {:>13} {:>6} {:>5} {:>7} {:>12} {:>9} {:>8}"
    print(layout.format(*COLUMNS[:5], "quartiles", "seconds", "differ"))
    lines = []
    if RESULTS.exists():
        with RESULTS.open(encoding="utf-8") as file:
            lines = list(csv.reader(file))[1:]
    for rows in arguments.rows:
        options = ["--max-rows", str(rows), "--max-domains", str(arguments.domains)]
        table = load_table(make_parser().parse_args(options))
        for name in arguments.methods:
            for hidden in ((100,), ()):
                pairs = []
                for _ in range(arguments.rounds):
                    with mock.patch("skdg.study._plan.block_of", by_themselves):
                        slow, alone = study(table, name, hidden, arguments.candidates)
                    fast, frame = study(table, name, hidden, arguments.candidates)
                    pairs.append((slow, fast))
                    differ = np.nanmax(np.abs(frame["unseen"] - alone["unseen"]))
                times = np.array(pairs)
                ratios = times[:, 0] / times[:, 1]
                cells = [f"{q:.2f}" for q in np.percentile(ratios, [50, 25, 75])]
                seconds = f"{np.median(times[:, 1]):.1f}"
                head = [name, str(hidden), str(rows), str(len(frame))]
                quartiles = f"{cells[1]}-{cells[2]}"
                shown = layout.format(
                    *head, cells[0], quartiles, seconds, f"{differ:.0e}"
                )
                print(shown, flush=True)
                lines = [line for line in lines if line[:4] != head]
                lines.append([*head, *cells, len(ratios), seconds])
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])


if __name__ == "__main__":
    main()

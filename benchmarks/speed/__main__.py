# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How fast training is, as ratios within one run.

    python -m benchmarks.speed                       # all, about half an hour
    python -m benchmarks.speed --parts step search   # some

The parts:

* step: a textbook loop's step over ours, on 5 domains of 64 rows and 20 features, two
  hidden layers of 64, float32, one thread.
* methods: our step of each method over our step of ERM, on the same.
* search: the ordinary search over the batched one, 60 candidates, 5 folds, on threads
  and in worker processes that are there from the search before. And over what no search
  can do without: with hidden layers the matrix products of all steps, with as many
  threads and in the best of three sizes of batches; without, the scores of all fits,
  which are scikit-learn's, in one process.
* products: our full-batch step on rows like Colored MNIST's (50 000 x 392, two layers
  of 390) over its matrix products alone, with all threads.
* products_by_domain: a step of IDGM on the rows of the first part over its matrix
  products alone: forward, back, gradients by domain, and both passes once more along a
  direction for each domain.
* svm: cvxpy with a term per task, and LinearSVC on the feature map, over our multi-task
  support vector machine.
* growth: log-log slopes of the time of IRM's step against rows, features, domains and
  models side by side.
* memory: peak memory of a process that makes some fits, over one that makes none.
* moments: a fit on all rows over the same fit on points with their moments, of linear
  models on 30 000 rows and 10 features, 3 domains, 1000 steps.
* unit_tests: hours for the default experiment of the Linear Unit-Tests (5 methods, 6
  problems, 50 data seeds, 20 draws, 10 000 full-batch steps on 30 000 rows), from the
  CPU time of a step; two of the problems are regressions, four are classifications.
  And hours for the least that steps of the classifications do: two matrix products, a
  logistic function and a logarithm for each row.
* narrow: torch's operators on few columns over ours, which work on their transpose:
  products of layers of 64 units into 3 and 10, and the gradient of the cross-entropy of
  3 and 10 classes; 16 models, 320 rows, one thread.

In each round both sides take their turn, one right after the other, and the ratio is
that of the round. Printed are the median over rounds and the quartiles. They take the
place of the rows of these parts in ``benchmarks/results/speed.csv``.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from benchmarks.speed._searches import search
from benchmarks.speed._sizes import growth, memory, svm
from benchmarks.speed._steps import (
    methods,
    narrow,
    products,
    products_by_domain,
    step,
)
from benchmarks.speed._unit_tests import moments, unit_tests

RESULTS = Path(__file__).parents[1] / "results" / "speed.csv"
COLUMNS = ["part", "what", "beside", "ratio", "lower", "upper", "aim", "rounds", "ours"]


PARTS = {
    part.__name__: part
    for part in (
        *(step, methods, search, products, products_by_domain, svm, growth, memory),
        *(moments, unit_tests, narrow),
    )
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    if RESULTS.exists():
        with RESULTS.open(encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
    layout = "{:44} {:>28} {:>7} {:>15} {:>5} {:>9}"
    print(layout.format("", "beside", "ratio", "quartiles", "aim", "ours"))
    for part in arguments.parts:
        rows = [row for row in rows if row[0] != part]
        for what, beside, ratios, aim, own in PARTS[part](arguments.rounds):
            cells = [f"{q:.2f}" for q in np.percentile(ratios, [50, 25, 75])]
            shown = cells[0], f"{cells[1]}-{cells[2]}", str(aim)
            print(layout.format(what, beside, *shown, own), flush=True)
            rows.append([part, what, beside, *cells, aim, len(ratios), own])
        rows.sort(key=lambda row: list(PARTS).index(row[0]))
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()

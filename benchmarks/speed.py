# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How fast training is, as ratios within one run.

    python -m benchmarks.speed                       # all, about half an hour
    python -m benchmarks.speed --parts step search   # some

The parts:

* step: a textbook loop's step over ours, on 5 domains of 64 rows and 20 features, two
  hidden layers of 64, float32, one thread.
* methods: our step of each method over our step of ERM, on the same.
* search: the ordinary search over the batched one, 60 candidates, 5 folds.
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

In each round both sides take their turn, one right after the other, and the ratio is
that of the round. Printed are the median over rounds and the quartiles. They take the
place of the rows of these parts in ``benchmarks/results/speed.csv``.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

import skdg
from benchmarks.step_cost import METHODS, N_DOMAINS, data, ours, seconds
from benchmarks.textbook import Textbook
from skdg._training.together import fit_models
from skdg.model_selection import BatchedGridSearchCV

RESULTS = Path(__file__).parent / "results" / "speed.csv"
COLUMNS = ["part", "what", "beside", "ratio", "lower", "upper", "aim", "rounds", "ours"]
HIDDEN = (64, 64)


def compare(slow, fast, rounds, times=(1, 1)):
    """Return ratios of one round each, and the median time of the fast side."""
    for step in (slow, fast):
        step()
    pairs = np.array(
        [[seconds(slow, times[0]), seconds(fast, times[1])] for _ in range(rounds)]
    )
    return pairs[:, 0] / pairs[:, 1], np.median(pairs[:, 1])


def step(rounds):
    """Yield a row for each method that has a textbook loop."""
    torch.set_num_threads(1)
    X, y, groups = data()
    cases = [
        ("ERM", "plain", "all rows at once, autograd", 1.8),
        ("ERM", "erm", "textbook loop", ""),
        ("IRM", "irm", "textbook loop", 4.5),
        ("Fish", "fish", "textbook loop", 3.0),
        ("IDGM", "idgm", "textbook loop", 4.0),
    ]
    for name, way, beside, aim in cases:
        slow = getattr(Textbook(X, y, N_DOMAINS, HIDDEN), way)
        fast = ours(name, X, y, groups)
        ratios, own = compare(slow, fast, 4 * rounds, (20, 20))
        yield f"{name}, a step", beside, ratios, aim, f"{1e6 * own:.0f} us"


def methods(rounds):
    """Yield a row for each method: its step over that of ERM."""
    torch.set_num_threads(1)
    X, y, groups = data()
    erm = ours("ERM", X, y, groups)
    for name in METHODS[1:]:
        own = ours(name, X, y, groups)
        ratios, _ = compare(own, erm, 4 * rounds, (10, 20))
        yield f"{name} over ERM", "ERM", ratios, "", f"{1e6 * seconds(own, 20):.0f} us"


def search(rounds):
    """Yield rows for searches of 60 candidates."""
    torch.set_num_threads(os.cpu_count() or 1)
    X, y, groups = data()
    cases = [
        ("IRM", HIDDEN, 1, 6.0),
        ("IRM", HIDDEN, 2, 1.0),
        ("ERM", HIDDEN, 1, 6.0),
        ("IRM", (), 1, 20.0),
        ("ERM", (), 1, 20.0),
    ]
    for name, hidden, n_jobs, aim in cases:
        model = getattr(skdg, f"{name}Classifier")(hidden_layer_sizes=hidden)
        model.set_params(random_state=0, max_iter=80 if hidden else 160)
        grid = {"alpha": np.logspace(-5, -1, 60)}
        given = {"cv": LeaveOneGroupOut(), "refit": False}
        pair = [
            kind(model, grid, **given, n_jobs=jobs)
            for kind, jobs in ((GridSearchCV, n_jobs), (BatchedGridSearchCV, None))
        ]
        with config_context(enable_metadata_routing=True):
            ratios, own = compare(
                *(partial(each.fit, X, y, groups=groups) for each in pair), rounds
            )
        beside = f"GridSearchCV, n_jobs={n_jobs}"
        what = f"{name}, a search, hidden layers {hidden}"
        yield what, beside, ratios, aim, f"{own:.1f} s"


def products(rounds):
    """Yield a row for a step on large batches over its matrix products."""
    torch.set_num_threads(os.cpu_count() or 1)
    rng = np.random.RandomState(0)
    n, d, width = 50_000, 392, 390
    X = rng.standard_normal((n, d)).astype(np.float32)
    y, groups = rng.randint(2, size=n), np.repeat([0, 1], n // 2)
    fast = ours("IRM", X, y, groups, (width, width), batch_size=None)
    rows = torch.as_tensor(X)
    shapes = [(d, width), (width, width), (width, 1)]
    weights = [torch.randn(shape) for shape in shapes]
    hidden = [torch.randn(n, b) for _, b in shapes]
    inputs = [rows, *hidden[:-1]]
    gradients = [torch.empty(shape) for shape in shapes]

    def alone():
        for left, right, out in zip(inputs, weights, hidden, strict=True):
            torch.mm(left, right, out=out)
        for left, right, out in zip(inputs, hidden, gradients, strict=True):
            torch.mm(left.T, right, out=out)
        for layer in (2, 1):
            torch.mm(hidden[layer], weights[layer].T, out=hidden[layer - 1])

    ratios, _ = compare(fast, alone, max(3, rounds))
    yield "IRM, 50 000 rows", "its products", ratios, 1.25, f"{seconds(fast):.2f} s"


def products_by_domain(rounds):
    """Yield a row for a step of IDGM over its matrix products."""
    torch.set_num_threads(1)
    X, y, groups = data()
    fast = ours("IDGM", X, y, groups)
    shapes = [(X.shape[1], HIDDEN[0]), HIDDEN, (HIDDEN[1], 1)]
    shared = [torch.randn(shape) for shape in shapes]
    own = [torch.randn(N_DOMAINS, *shape) for shape in shapes]
    inputs = [torch.randn(len(X), n_in) for n_in, _ in shapes]
    outputs = [torch.randn(len(X), n_out) for _, n_out in shapes]
    to_inputs = [torch.empty_like(part) for part in inputs]
    in_weights = [torch.empty_like(part) for part in shared]

    def alone():
        layers = zip(inputs, outputs, shared, own, strict=True)
        for layer, (left, right, weights, moves) in enumerate(layers):
            by_domain = [part.unflatten(0, (N_DOMAINS, -1)) for part in (left, right)]
            torch.bmm(by_domain[0].mT, by_domain[1])
            torch.baddbmm(by_domain[1], by_domain[0], moves)
            torch.mm(left, weights, out=right)
            torch.mm(left.T, right, out=in_weights[layer])
            if layer:
                right.addmm_(left, weights)
                in_weights[layer].addmm_(left.T, right)
                for _ in range(2):
                    torch.mm(right, weights.T, out=to_inputs[layer])
                torch.bmm(by_domain[1], moves.mT)

    ratios, own = compare(fast, alone, 4 * rounds, (20, 20))
    yield "IDGM, a step", "its products", ratios, "", f"{1e6 * own:.0f} us alone"


def svm(rounds):
    """Yield rows for the multi-task support vector machine."""
    from benchmarks import multitask_svm as case

    for size, aim in (((10_000, 20, 50), ""), ((50_000, 20, 100), 5.0)):
        problem = case.make_tasks(*size)
        for what, slow, goal in (
            ("cvxpy, a term per task", case.term_per_task, aim),
            ("LinearSVC on the feature map", case.feature_map, ""),
        ):
            ratios, own = compare(
                partial(slow, *problem), partial(case.ours, *problem), 2
            )
            name = "MultiTaskLinearSVC, {} x {} x {}".format(*size)
            yield name, what, ratios, goal, f"{own:.2f} s"


def growth(rounds):
    """Yield slopes of log time against log size."""
    torch.set_num_threads(1)
    rng = np.random.RandomState(0)

    def step_of(n, d, n_domains):
        X = rng.standard_normal((n, d)).astype(np.float32)
        y, groups = rng.randint(2, size=n), np.arange(n) % n_domains
        return ours("IRM", X, y, groups, HIDDEN, batch_size=None)

    def side_by_side(n_models):
        X, y, groups = data()
        model = skdg.IRMClassifier(hidden_layer_sizes=HIDDEN, max_iter=10)
        models = [clone(model) for _ in range(n_models)]
        checked = model._validate(X, y, None, *model._encode_domains(X, groups))
        return partial(fit_models, models, [checked] * n_models)

    sizes = {
        "rows": [step_of(n, 20, 5) for n in (5_000, 20_000, 80_000)],
        "features": [step_of(2_000, d, 5) for d in (100, 400, 1_600)],
        "domains": [step_of(4_000, 20, s) for s in (5, 20, 80)],
        "models": [side_by_side(m) for m in (5, 20, 80)],
    }
    for name, steps in sizes.items():
        for each in steps:
            each()
        times = [[seconds(each, 3) for each in steps] for _ in range(2 * rounds)]
        axis = np.log(4.0) * np.arange(len(steps))
        slopes = np.array([np.polyfit(axis, np.log(row), 1)[0] for row in times])
        yield f"slope of IRM's step in {name}", "log-log", slopes, "", ""


MEMORY = """
import sys
import time
import numpy as np, torch, skdg
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from skdg.model_selection import BatchedGridSearchCV
from benchmarks.step_cost import data
X, y, groups = data()
model = skdg.IRMClassifier(hidden_layer_sizes=(64, 64), max_iter=20)
kind = {"batched": BatchedGridSearchCV, "ordinary": GridSearchCV}.get(sys.argv[1])
if kind:
    grid = {"alpha": np.logspace(-5, -1, 60)}
    with config_context(enable_metadata_routing=True):
        kind(model, grid, cv=LeaveOneGroupOut(), refit=False).fit(X, y, groups=groups)
# Not ru_maxrss, which counts what the process that started this one had.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def memory(rounds):
    """Yield rows for peak memory; needs Linux."""

    def peak(what):
        command = [sys.executable, "-c", MEMORY, what]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)

    for what in ("ordinary", "batched"):
        pairs = np.array([[peak(what), peak("none")] for _ in range(2)])
        ratios, own = pairs[:, 0] / pairs[:, 1], pairs[0, 0]
        yield (
            f"peak memory, {what} search",
            "imports alone",
            ratios,
            "",
            f"{own:.0f} MB",
        )


def unit_test_data(is_regression):
    """Return data of the size of the Linear Unit-Tests'."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30_000, 10)).astype(np.float32)
    y = X[:, 0] + rng.standard_normal(len(X))
    return X, y if is_regression else y > 0, np.arange(len(X)) % 3


def on_all_rows(model):
    """Make a model forget that its method needs the moments of rows alone."""
    kind = type(model)

    def make_step(self, random_state):
        step = kind._make_step(self, random_state)
        step.needs_moments_alone = False
        return step

    model.__class__ = type(kind.__name__, (kind,), {"_make_step": make_step})
    return model


def moments(rounds):
    """Yield rows for fits that see points in place of rows."""
    torch.set_num_threads(1)
    X, y, groups = unit_test_data(is_regression=True)
    for name in ("ERM", "IRM"):
        model = getattr(skdg, f"{name}Regressor")(
            hidden_layer_sizes=(), batch_size=None, max_iter=1000
        )
        pair = (on_all_rows(clone(model)), model)
        ratios, own = compare(
            *(partial(each.fit, X, y, groups=groups) for each in pair), rounds
        )
        yield f"{name}, a linear fit", "on all rows", ratios, "", f"{own:.2f} s"


def unit_tests(rounds):
    """Yield the hours that the default experiment of the Linear Unit-Tests takes."""
    torch.set_num_threads(1)
    n_draws, n_steps = 20, 10_000
    for name in ("ERM", "IRM"):
        total = 0.0
        for task, n_problems, n_measured in (
            ("Regressor", 2, n_steps),
            ("Classifier", 4, 20),
        ):
            model = getattr(skdg, name + task)(
                hidden_layer_sizes=(), batch_size=None, max_iter=n_measured
            )
            models = [clone(model) for _ in range(n_draws)]
            X, y, groups = unit_test_data(task == "Regressor")
            times = []
            for _ in range(rounds):
                # New rows, of which nothing is known yet.
                data = model._validate(X, y, None, *model._encode_domains(X, groups))
                fits = partial(fit_models, models, [data] * n_draws)
                # What it takes of a core, whatever else the machine does.
                times.append(seconds(fits, clock=time.process_time))
            of_step = np.array(times) / (n_measured * n_draws)
            # Methods, data seeds, draws; two cores.
            hours = of_step * n_steps * n_problems * 5 * 50 * n_draws / 3600 / 2
            total = total + hours
            own = f"{1e6 * np.median(of_step):.1f} us"
            yield f"Linear Unit-Tests as {name}{task}, hours", "", hours, "", own
        yield f"Linear Unit-Tests as {name}, hours", "", total, 1.0, ""


PARTS = {
    part.__name__: part
    for part in (
        *(step, methods, search, products, products_by_domain, svm, growth, memory),
        *(moments, unit_tests),
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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a GPU does, and what the recording of steps as CUDA graphs is worth on it.

    python -m benchmarks.gpu                # all, two minutes; needs a GPU
    python -m benchmarks.gpu --parts step   # some

The parts:

* step: our step run operator by operator, over the same step recorded and replayed, on
  5 domains of 64 rows and 20 features, two hidden layers of 64.
* products: a recorded full-batch step of IRM on rows like Colored MNIST's (50 000 x
  392, two layers of 390), over its matrix products alone.
* search: the time of a fit in an ordinary search on one thread of the CPU, over that of
  a fit in a batched search of 512 candidates on the GPU; 5 folds, 80 iterations.
* unit_tests: hours that the default experiment of the Linear Unit-Tests would take (30
  000 fits of 10 000 full-batch steps on 30 000 rows) if all its problems were
  classifications, 500 linear models side by side, from the time of a step.

In each round both sides take their turn, and the ratio is that of the round. Printed
are the median over rounds and the quartiles; they go to
``benchmarks/results/gpu.csv``.
"""

import argparse
import csv
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

import skdg
from benchmarks.speed._rounds import HIDDEN, LARGE, compare, times_of
from benchmarks.step_cost import data, ours, seconds
from skdg._training.together import fit_models
from skdg.model_selection import BatchedGridSearchCV

RESULTS = Path(__file__).parent / "results" / "gpu.csv"
DEVICE = "cuda"
COLUMNS = ["part", "what", "precision", "ratio", "lower", "upper", "ours", "device"]
PRECISIONS = {"float32": np.float32, "float64": np.float64}
# Of a search: candidates and iterations; of the Linear Unit-Tests: models and steps.
N_CANDIDATES, N_ITER, N_MODELS, N_STEPS = 512, 80, 500, 200
METHODS = ["ERM", "IRM", "VREx", "Fishr", "CORAL", "MMD", "DANN", "IGA", "IDGM", "Fish"]


def finished(step, times):
    """Take steps and wait for the device."""
    for _ in range(times):
        step()
    torch.cuda.synchronize()


def compare_steps(slow, fast, rounds, times):
    """Return ratios of one round each, and the median time of the fast step."""
    pair = (partial(finished, one, times) for one in (slow, fast))
    ratios, own = compare(*pair, rounds)
    return ratios, own / times


def step(rounds):
    """Yield a row for each method and precision."""
    X, y, groups = data()
    for precision, dtype in PRECISIONS.items():
        for name in METHODS:
            pair = (
                ours(name, X.astype(dtype), y, groups, device=DEVICE, replay=replay)
                for replay in (False, True)
            )
            ratios, own = compare_steps(*pair, rounds, 100)
            yield name, precision, ratios, f"{1e6 * own:.0f} us"


def products(rounds):
    """Yield a row for a step on large batches over its matrix products."""
    rng = np.random.RandomState(0)
    n, d, width = LARGE
    y, groups = rng.randint(2, size=n), np.repeat([0, 1], n // 2)
    for precision, dtype in PRECISIONS.items():
        X = rng.standard_normal((n, d)).astype(dtype)
        fast = ours("IRM", X, y, groups, (width, width), device=DEVICE, replay=True)
        rows = torch.as_tensor(X, device=DEVICE)
        shapes = [(d, width), (width, width), (width, 1)]
        weights = [rows.new_empty(shape).normal_() for shape in shapes]
        hidden = [rows.new_empty(n, b).normal_() for _, b in shapes]

        def alone(rows=rows, weights=weights, hidden=hidden):
            inputs = [rows, *hidden[:-1]]
            for one, other in zip(inputs, weights, strict=True):
                one @ other
            for one, delta in zip(inputs, hidden, strict=True):
                one.T @ delta
            for delta, other in zip(hidden[1:], weights[1:], strict=True):
                delta @ other.T

        ratios, own = compare_steps(fast, alone, rounds, 20)
        yield "IRM over its products", precision, ratios, f"{1e3 * own:.2f} ms alone"


def search(rounds):
    """Yield rows for searches."""
    X, y, groups = data()
    given = {"cv": LeaveOneGroupOut(), "refit": False}
    for precision, dtype in PRECISIONS.items():
        for name in ("ERM", "IRM", "IDGM"):
            model = getattr(skdg, f"{name}Classifier")(
                hidden_layer_sizes=HIDDEN, max_iter=N_ITER, random_state=0
            )
            sides = []
            for kind, n, device in (
                (GridSearchCV, 4, "cpu"),
                (BatchedGridSearchCV, N_CANDIDATES, DEVICE),
            ):
                grid = {"alpha": np.logspace(-5, -1, n)}
                own = kind(clone(model).set_params(device=device), grid, **given)
                fit = partial(own.fit, X.astype(dtype), y, groups=groups)
                sides.append((fit, 5 * n))
            fits, numbers = zip(*sides, strict=True)
            with config_context(enable_metadata_routing=True):
                times = times_of(*fits, rounds=rounds) / numbers
            ratios = times[:, 0] / times[:, 1]
            own = np.median(times[:, 1])
            yield f"{name}, a fit", precision, ratios, f"{1e3 * own:.2f} ms"


def unit_tests(rounds):
    """Yield the hours of the Linear Unit-Tests; the ratio is to one hour."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30_000, 10))
    y, groups = (X[:, 0] > rng.standard_normal(len(X))).astype(int), np.arange(3)
    groups = groups.repeat(10_000)
    for precision, dtype in PRECISIONS.items():
        for name in ("ERM", "IRM", "IGA", "ANDMask"):
            models = [
                getattr(skdg, f"{name}Classifier")(
                    hidden_layer_sizes=(), batch_size=None, random_state=0, alpha=alpha
                ).set_params(device=DEVICE)
                for alpha in np.logspace(-6, -2, N_MODELS)
            ]
            rows = X.astype(dtype)
            encoded = models[0]._encode_domains(rows, groups)
            checked = [models[0]._validate(rows, y, None, *encoded)] * N_MODELS

            def fit(n_iter, models=models, checked=checked):
                fit_models(
                    [model.set_params(max_iter=n_iter) for model in models], checked
                )

            fit(3)
            times = np.array(
                [
                    seconds(partial(fit, 20 + N_STEPS)) - seconds(partial(fit, 20))
                    for _ in range(rounds)
                ]
            )
            each = times / (N_STEPS * N_MODELS)
            hours = each * 30_000 * 10_000 / 3600
            yield (
                f"{name}, hours for 30 000 fits",
                precision,
                hours,
                f"{1e6 * np.median(each):.2f} us per step and model",
            )


PARTS = {part.__name__: part for part in (step, products, search, unit_tests)}
ROUNDS = {"step": 7, "products": 7, "search": 2, "unit_tests": 3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no GPU")
    torch.set_num_threads(1)
    device = f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    kept = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            _, *rows = csv.reader(file)
        kept = [row for row in rows if row[0] not in arguments.parts]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *kept])
        for part in arguments.parts:
            for what, precision, ratios, own in PARTS[part](ROUNDS[part]):
                lower, ratio, upper = np.percentile(ratios, [25, 50, 75])
                cells = [f"{value:.3g}" for value in (ratio, lower, upper)]
                print(f"{part:10} {what:30} {precision} {' '.join(cells)}  {own}")
                writer.writerow((part, what, precision, *cells, own, device))
                file.flush()


if __name__ == "__main__":
    main()

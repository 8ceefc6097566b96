# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a step of each method costs, beside a plain step of ERM by autograd.

    python -m benchmarks.step_cost                 # some minutes
    python -m benchmarks.step_cost --methods IRM MMD

The batch has 5 domains of 64 rows and 20 features, the network two hidden layers of 64
units, numbers are float32, and there is one thread. Beside each method stands a plain
step as a textbook has it: torch.nn layers, the mean loss of all rows, backward, Adam
(fused, as skdg's). Fish is compared with five such steps on 64 rows each, which is what
it takes by definition.

In a round every method takes some steps in turn with the plain ones right before, and
the ratio is taken within the round, so that it does not depend on how fast the machine
is at the time. Printed are the median ratio over rounds and the quartiles.

Writes ``benchmarks/results/step_cost.csv`` when run for all methods.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch

import skdg
from skdg._training.optimizer import Optimizer
from skdg._training.recorded_step import recorded

RESULTS = Path(__file__).parent / "results" / "step_cost.csv"
COLUMNS = [
    "method",
    "beside",
    "microseconds",
    "ratio",
    "lower",
    "upper",
    "aim",
    "rounds",
]

N_DOMAINS, N_ROWS, N_FEATURES, HIDDEN = 5, 64, 20, (64, 64)
STEPS = 20

# The largest ratio that each is meant to have.
AIMS = {
    **dict.fromkeys(["VREx", "GroupDRO", "EQRM", "IRM"], 1.25),
    **dict.fromkeys(["Fishr", "CORAL", "IBERM", "IBIRM"], 1.75),
    "DANN": 2.5,
    **dict.fromkeys(["MMD", "IDGM", "IGA", "ANDMask", "SANDMask"], 4.0),
    "Fish": 1.15,
}
METHODS = ["ERM", *AIMS, "SpectralDecoupling", "CDANN", "CausIRL", "Mixup"]


def data():
    rng = np.random.RandomState(0)
    n = N_DOMAINS * N_ROWS
    X = rng.standard_normal((n, N_FEATURES)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(n) > 0).astype(int)
    return X, y, np.repeat(np.arange(N_DOMAINS), N_ROWS)


def plain(X, y, n_steps_of):
    """Return a function that takes plain steps, one on each part of the rows."""
    layers, width = [], X.shape[1]
    for size in HIDDEN:
        layers += [torch.nn.Linear(width, size), torch.nn.ReLU()]
        width = size
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    rows = torch.as_tensor(X).chunk(n_steps_of)
    targets = torch.as_tensor(y, dtype=torch.float32)[:, None].chunk(n_steps_of)
    loss = torch.nn.BCEWithLogitsLoss()

    def step():
        for inputs, target in zip(rows, targets, strict=True):
            optimizer.zero_grad()
            loss(model(inputs), target).backward()
            optimizer.step()

    return step


def ours(name, X, y, groups, hidden=HIDDEN, *, replay=False, **params):
    """Return a function that takes a step of a method, as its fit does.

    With `replay` the step is one that is recorded and replayed, as on a GPU.
    """
    classifier = f"{name}Classifier"
    params |= {"hidden_layer_sizes": hidden, "learning_rate_init": 1e-3}
    model = getattr(skdg, classifier)(random_state=0, **params)
    if name == "EQRM":
        model.set_params(burn_in_iters=0)
    encoded = model._encode_domains(X, groups)
    checked = model._validate(X, y, None, *encoded)
    network = model._make_network(checked, None, np.random.RandomState(0), 0)
    step = model._make_step(np.random.RandomState(0))
    if replay:
        step = recorded(step, network)
    optimizer = Optimizer(network.parameters, "adam", 1e-3)
    rows, loss = checked.rows, checked.targets.loss
    iteration = iter(range(10**9))

    def advance():
        step.advance(network, rows, loss, optimizer, next(iteration))

    return advance


def seconds(step, times=1, clock=time.perf_counter):
    began = clock()
    for _ in range(times):
        step()
    return (clock() - began) / times


def measure(names, rounds):
    """Yield for each method its time per step and its ratios, round by round."""
    X, y, groups = data()
    whole, parts = plain(X, y, 1), plain(X, y, N_DOMAINS)
    steps = {name: ours(name, X, y, groups) for name in names}
    times = {name: [] for name in names}
    for round_ in range(rounds + 1):
        for name, step in steps.items():
            beside = parts if name == "Fish" else whole
            pair = seconds(beside, STEPS), seconds(step, STEPS)
            if round_:  # the first one warms up
                times[name].append(pair)
    return {name: np.array(pairs) for name, pairs in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(f"{'':20} {'us':>7} {'ratio':>7} {'quartiles':>14} {'aim':>6}")
    for name, pairs in measure(arguments.methods, arguments.rounds).items():
        ratios = pairs[:, 1] / pairs[:, 0]
        lower, ratio, upper = np.percentile(ratios, [25, 50, 75])
        micro = 1e6 * np.median(pairs[:, 1])
        aim = AIMS.get(name, "")
        print(
            f"{name:20} {micro:7.0f} {ratio:7.2f} {lower:7.2f}-{upper:.2f} {aim!s:>8}"
        )
        beside = "5 plain steps of 64 rows" if name == "Fish" else "1 plain step"
        cells = [f"{value:.3f}" for value in (ratio, lower, upper)]
        rows.append((name, beside, f"{micro:.0f}", *cells, aim, arguments.rounds))
    if arguments.methods == METHODS:
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()

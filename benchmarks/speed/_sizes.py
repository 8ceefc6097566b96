# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How time and memory grow, and the multi-task support vector machine."""

import subprocess
import sys
from functools import partial

import numpy as np
import torch
from sklearn.base import clone

import skdg
from benchmarks.speed._rounds import HIDDEN, compare
from benchmarks.step_cost import data, ours, seconds
from skdg._training.together import fit_models


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
        pairs = np.array([[peak(what), peak("none")] for _ in range(min(2, rounds))])
        ratios, own = pairs[:, 0] / pairs[:, 1], pairs[0, 0]
        yield (
            f"peak memory, {what} search",
            "imports alone",
            ratios,
            "",
            f"{own:.0f} MB",
        )

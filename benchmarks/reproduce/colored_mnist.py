# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Colored MNIST: two training domains, a third in which the color misleads.

At scale "paper" it is MNIST, with the hyperparameters of the code of invariant risk
minimization, which were selected on the test domain, and full batches. A seed
determines the data (order of digits, label noise, colors) and the initial weights.
What differs from the original: offsets have no L2 penalty; the models are those after
500 steps.

* "ERM", "ERM, gray": as the authors ran them; the latter sees no colors and is an
  oracle.
* "IRM": the squared penalty with a scalar dummy.
* "V-REx": the published penalty is the squared difference of two risks, which is four
  times their variance, hence four times the weight.
* "Fishr": the published penalty sums over the 391 parameters of the last layer and
  both domains, where ours takes means, hence 782 times the weight. The original weighs
  the penalty by 1 before the change and ours by 0.
* "Fishr, restart" is ours: the same, but Adam starts afresh where the weight changes.

The setting "MNIST, recipes" is a search for the best recipe, by the test domain, as the
published hyperparameters were found, but with three other seeds than those that are
reported: each penalty with a restart of Adam, and other weights or times for it. The
best of these is "Fishr, restart", hence its line with the reported seeds.

At scale "quick" it is scikit-learn's digits under the same protocol, with
hyperparameters of their own, found with other seeds by looking at the test domain, as
the published ones were. With 1198 rows to train on, the L2 penalty is strong.
"""

from functools import partial

import numpy as np
from sklearn.base import clone

from benchmarks.reproduce._driver import Job, Options
from skdg import ERMClassifier, IRMClassifier
from skdg.datasets import fetch_colored_mnist, make_colored_digits
from skdg.gradients import FishrClassifier
from skdg.invariance import VRExClassifier

TITLE = "Colored MNIST: accuracy in per cent"
SOURCE = (
    "Arjovsky et al. (2019): ERM, IRM; Krueger et al. (2021): V-REx; "
    "Rame et al. (2022): Fishr"
)
MEASURES = {"train": "training domains", "test": "test domain"}

WEIGHT = 91257.18613115903
# The authors add the sum of squares to the loss, skdg half of it.
_COMMON = {
    "activation": "relu",
    "batch_size": None,
    "learning_rate": "constant",
    "max_iter": 500,
}
_ERM = {
    **_COMMON,
    "hidden_layer_sizes": (256, 256),
    "alpha": 2 * 0.001,
    "learning_rate_init": 0.001,
}
_GRAY = {
    **_COMMON,
    "hidden_layer_sizes": (83, 83),
    "alpha": 2 * 0.0008602868865288383,
    "learning_rate_init": 0.0028171488133821726,
    "max_iter": 100,
}
_IRM = {
    **_COMMON,
    "hidden_layer_sizes": (390, 390),
    "alpha": 2 * 0.00110794568,
    "learning_rate_init": 0.0004898536566546834,
    "penalty_anneal_iters": 190,
}
_N_LAST = 390 + 1
_RESTART = {**_IRM, "reset_optimizer": True}


def penalized(name, factor=1.0, **params):
    """Return a method with its published weight, or a multiple of it."""
    if name == "IRM":
        return IRMClassifier(penalty_weight=factor * WEIGHT, **params)
    if name == "V-REx":
        return VRExClassifier(penalty_weight=4 * factor * WEIGHT, **params)
    return FishrClassifier(penalty_weight=2 * _N_LAST * factor * WEIGHT, **params)


_DIGITS = {
    **_COMMON,
    "hidden_layer_sizes": (64, 64),
    "alpha": 0.02,
    "learning_rate_init": 0.003,
    "learning_rate": "cosine",
    "max_iter": 400,
}
_DIGITS_ANNEALED = {**_DIGITS, "penalty_anneal_iters": 100}

METHODS = {
    "MNIST": {
        "ERM": ERMClassifier(**_ERM),
        "ERM, gray": ERMClassifier(**_GRAY),
        **{name: penalized(name, **_IRM) for name in ("IRM", "V-REx", "Fishr")},
        "Fishr, restart": penalized("Fishr", **_RESTART),
    },
    "MNIST, recipes": {
        f"{name}, restart{what}": penalized(name, **{**_RESTART, **changes})
        for name in ("IRM", "V-REx", "Fishr")
        for what, changes in {
            "": {},
            ", weight / 10": {"factor": 0.1},
            ", weight x 10": {"factor": 10.0},
            ", at 100": {"penalty_anneal_iters": 100},
            ", at 300": {"penalty_anneal_iters": 300},
            ", L2 penalty x 2": {"alpha": 2 * _IRM["alpha"]},
        }.items()
    },
    "digits": {
        "ERM": ERMClassifier(**_DIGITS),
        "ERM, gray": ERMClassifier(**_DIGITS),
        "IRM": IRMClassifier(penalty_weight=1e4, **_DIGITS_ANNEALED),
        "V-REx": VRExClassifier(penalty_weight=1e4, **_DIGITS_ANNEALED),
        "Fishr": FishrClassifier(
            penalty_weight=1e7, reset_optimizer=True, **_DIGITS_ANNEALED
        ),
    },
}
SEEDS = {"MNIST": range(10), "MNIST, recipes": range(100, 103), "digits": range(10)}
SETTINGS = {"quick": ["digits"], "paper": ["MNIST", "MNIST, recipes"]}
PUBLISHED = {
    ("MNIST", "ERM"): {"train": (87.4, 0.2), "test": (17.1, 0.6)},
    ("MNIST", "ERM, gray"): {"train": (73.5, 0.2), "test": (73.0, 0.4)},
    ("MNIST", "IRM"): {"train": (70.8, 0.9), "test": (66.9, 2.5)},
    ("MNIST", "V-REx"): {"train": (71.5, 1.0), "test": (68.7, 0.9)},
    ("MNIST", "Fishr"): {"train": (71.0, 0.9), "test": (69.5, 1.0)},
}
HEADLINES = [(s, m) for s in ("MNIST", "digits") for m in METHODS[s]]
HEADLINE_MEASURES = ["test"]


def jobs(scale: str) -> list[Job]:
    """Return every method for every seed; seeds first, so that part of it is of use."""
    return [
        Job(setting, method, seed)
        for setting in SETTINGS[scale]
        for seed in SEEDS[setting]
        for method in METHODS[setting]
    ]


def run(job: Job, options: Options) -> dict[str, float]:
    """Return the accuracy on the training domains and on the test domain."""
    load = (
        partial(fetch_colored_mnist, path=options.mnist)
        if job.setting != "digits"
        else make_colored_digits
    )
    X, y, groups = load(gray="gray" in job.method, random_state=job.seed)
    test = groups == 0.9
    model = clone(METHODS[job.setting][job.method]).set_params(
        random_state=job.seed, device=options.device
    )
    model.fit(X[~test], y[~test], groups=groups[~test])
    scores = model.score(X[~test], y[~test]), model.score(X[test], y[test])
    return dict(zip(MEASURES, 100 * np.array(scores), strict=True))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Agreement of the domains' gradients while Fish trains, and while ERM does.

The cosine of the angle between two training domains' gradients over all of their rows,
the normalized inner product of the paper's figure, as the mean over pairs of domains.
It is taken at thirty points of the training: the table has the mean of the first six,
where shapes or colors are learned, and that of the others.

* "colored digits": two training domains, a network of one hidden layer, full batches
  and plain gradient descent. Fish's two inner steps have the size 2, ten times that of
  ERM, and a twentieth of the way is taken: parameters move as far as with ERM, but the
  gradients agree. ERM comes to where the mean of both gradients is near 0, so that they
  point in opposite directions. The test domain gains little from it: what the gradients
  of these two domains agree on is the color.
* "CdSprites-15": data, network and methods as in the experiment "cdsprites", that is,
  with minibatches and Adam. Cosines are close to 0 with both methods, although Fish
  does better on the test domain with most seeds: the expansion that explains Fish by
  inner products is one of plain gradient descent.
"""

import numpy as np
from sklearn.base import clone

from benchmarks.reproduce import cdsprites
from benchmarks.reproduce._driver import Job, Options
from skdg import ERMClassifier, FishClassifier
from skdg.datasets import make_colored_digits
from skdg.inspection import GradientAlignmentMonitor

TITLE = "Cosine of the domains' gradients in the course of training"
SOURCE = "Shi et al. (2022), a figure"
MEASURES = {
    "early": "first fifth",
    "late": "afterwards",
    "test": "test accuracy in per cent",
}
# A figure without numbers.
PUBLISHED: dict = {}
# Nothing for the README.
HEADLINES: list = []
HEADLINE_MEASURES: list = []

N_POINTS = 30
N_SEEDS = {
    "quick": {"colored digits": 2, "CdSprites-15": 2},
    "paper": {"colored digits": 10, "CdSprites-15": 5},
}
FIRST_SEED = 300
_DIGITS = {
    "hidden_layer_sizes": (64,),
    "optimizer": "sgd",
    "learning_rate": "constant",
    "batch_size": None,
    "alpha": 0.0,
    "max_iter": 600,
}
DIGITS = {
    "ERM": ERMClassifier(learning_rate_init=0.2, **_DIGITS),
    "Fish": FishClassifier(learning_rate_init=2.0, meta_learning_rate=0.05, **_DIGITS),
}


def jobs(scale: str) -> list[Job]:
    """Return every method for every data set and seed."""
    return [
        Job(data, method, FIRST_SEED + number)
        for data, n_seeds in N_SEEDS[scale].items()
        for number in range(n_seeds)
        for method in DIGITS
    ]


def colored_digits(seed: int) -> tuple:
    """Return the training domains, and the test domain."""
    X, y, groups = make_colored_digits(random_state=seed)
    seen = groups != 0.9
    return X[seen], y[seen], groups[seen], X[~seen], y[~seen]


def course(
    setting: str, method: str, seed: int, options: Options
) -> tuple[list[int], list[float], float]:
    """Train a model; return iterations, cosines, and the accuracy on test rows."""
    if setting == "colored digits":
        X, y, groups, X_test, y_test = colored_digits(seed)
        model = clone(DIGITS[method]).set_params(
            random_state=seed, device=options.device
        )
    else:
        n_images, n_batches = cdsprites.SIZES[options.scale]
        X, y, groups, X_test, y_test = cdsprites.draw(15, n_images, False, seed)
        model = cdsprites.make_model(method, n_batches // 15, seed, options.device)
    monitor = GradientAlignmentMonitor(every=model.max_iter // N_POINTS)
    model.set_callbacks(monitor).fit(X, y, groups=groups)
    accuracy = 100.0 * model.score(X_test, y_test)
    return monitor.iterations_, monitor.cosines_, accuracy


def run(job: Job, options: Options) -> dict[str, float]:
    """Return the mean cosines of one model, and how well it predicts."""
    _, cosines, accuracy = course(job.setting, job.method, job.seed, options)
    early, late = (part.mean() for part in np.split(np.array(cosines), [6]))
    return {"early": float(early), "late": float(late), "test": accuracy}

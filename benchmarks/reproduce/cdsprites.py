# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""CdSprites-N: accuracy on unseen colors against the number of training domains.

The images are those of `make_cdsprites`. Their number does not grow with the domains,
so that a domain has fewer of them where there are more. Each method takes the same
number of images into its gradients, in all settings.

* "ERM": one step on 20 images of every domain at once.
* "ERM, small batches": one step on 20 images in all, or on one of each domain where
  there are more, with the step size of Fish.
* "Fish": in each iteration one step per domain, on 20 of its images, and then all the
  way to where they led. Adam keeps its moments.
* "ERM, gray": ERM on the same shapes, all of them white. It cannot be misled by
  colors, and tells how well the network learns shapes from so many images.

Step sizes were found with other seeds by looking at the test domain, once for all
settings. A seed determines shapes, colors, initial weights and minibatches.

The paper shows a curve and no table: ERM stays at chance while the domains are few,
and Fish comes close to 100 % from ten domains on. Its images are fifty
times as many as at scale "paper" here, and have 64 x 64 pixels instead of 16 x 16.
"""

import numpy as np
from sklearn.base import BaseEstimator, clone
from torch import nn

from benchmarks.reproduce._driver import Job, Options
from skdg import ERMClassifier, FishClassifier
from skdg.datasets import make_cdsprites

TITLE = "CdSprites-N: accuracy in per cent"
SOURCE = "Shi et al. (2022), a figure"
MEASURES = {"train": "training domains", "test": "test domain"}
# A figure without numbers.
PUBLISHED: dict = {}

SIDE = 16
N_DOMAINS = [5, 10, 15, 20, 30, 50]
ROWS = 20
# Images to learn from, and how many domains' minibatches a model sees.
SIZES = {"quick": (3000, 6000), "paper": (10_000, 30_000)}
N_TEST = 400
FIRST_SEED = {"quick": 100, "paper": 200}
N_SEEDS = {"quick": 2, "paper": 3}
METHODS = {
    "ERM": ERMClassifier(learning_rate_init=0.01),
    "Fish": FishClassifier(learning_rate_init=0.003, meta_learning_rate=1.0),
    "ERM, small batches": ERMClassifier(learning_rate_init=0.003),
    "ERM, gray": ERMClassifier(learning_rate_init=0.01),
}
HEADLINES = [(f"N = {n}", m) for n in (10, 20, 50) for m in ("ERM", "Fish")]
HEADLINE_MEASURES = ["test"]


def small_convnet(n_features: int) -> nn.Module:
    """Return three convolutions that halve the image each, for a row of pixels."""
    side = round((n_features / 3) ** 0.5)
    return nn.Sequential(
        nn.Unflatten(1, (3, side, side)),
        *(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU()),
        nn.Flatten(),
    )


def jobs(scale: str) -> list[Job]:
    """Return every method for every number of domains, seeds first."""
    seeds = range(FIRST_SEED[scale], FIRST_SEED[scale] + N_SEEDS[scale])
    return [Job(f"N = {n}", m, s) for s in seeds for n in N_DOMAINS for m in METHODS]


def draw(n_domains: int, n_images: int, gray: bool, seed: int) -> tuple:
    """Return the training domains, and a larger test domain in the same colors."""
    colors = np.random.default_rng(seed).random((n_domains, 2, 3))
    colors /= colors.max(axis=2, keepdims=True)
    made_with = {
        "n_domains": n_domains,
        "image_size": SIDE,
        "palette": np.ones_like(colors) if gray else colors,
    }
    X, y, groups = make_cdsprites(
        n_images // n_domains, random_state=2 * seed, **made_with
    )
    seen = groups != "test"
    X_test, y_test, groups_test = make_cdsprites(
        N_TEST, random_state=2 * seed + 1, **made_with
    )
    unseen = groups_test == "test"
    return X[seen], y[seen], groups[seen], X_test[unseen], y_test[unseen]


def make_model(method: str, max_iter: int, seed: int, device: str) -> BaseEstimator:
    """Return a method with the network and the minibatches of this experiment."""
    return clone(METHODS[method]).set_params(
        module=small_convnet,
        alpha=0.0,
        batch_size=ROWS,
        max_iter=max_iter,
        random_state=seed,
        device=device,
    )


def run(job: Job, options: Options) -> dict[str, float]:
    """Return the accuracies of one model."""
    n_domains = int(job.setting.removeprefix("N = "))
    n_images, n_batches = SIZES[options.scale]
    X, y, groups, X_test, y_test = draw(
        n_domains, n_images, job.method == "ERM, gray", job.seed
    )
    model = make_model(job.method, n_batches // n_domains, job.seed, options.device)
    if job.method == "ERM, small batches":
        rows = max(1, ROWS // n_domains)
        model.set_params(
            batch_size=rows, max_iter=n_batches * ROWS // (rows * n_domains)
        )
    model.fit(X, y, groups=groups)
    return {
        "train": 100.0 * model.score(X, y),
        "test": 100.0 * model.score(X_test, y_test),
    }

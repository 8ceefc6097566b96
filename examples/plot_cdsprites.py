# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
How many domains does it take to see the shape?
===============================================

Squares and ellipses, in colors. In each domain the two shapes have colors of their own,
so that the color is all a model needs to know; in the test domain colors are drawn at
random. With few domains nothing speaks against learning colors. With many, one color
stands for both shapes, and a model has to look at the shape.
"""

# %%
# Each row is a domain, the last one is the test domain.
import matplotlib.pyplot as plt
import numpy as np

from skdg.datasets import make_cdsprites

X, y, groups = make_cdsprites(16, n_domains=4, random_state=0)
sheet = X.reshape(5, 16, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(160, 512, 3)
figure, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
ax.set(
    xticks=[],
    yticks=16 + 32 * np.arange(5),
    yticklabels=np.unique(groups)[[1, 2, 3, 4, 0]],
)
ax.imshow(sheet)

# %%
# A small convolutional network goes into any estimator as its `module`. It gets the
# pixels of an image as a row, so that its first layer puts them into place.
from torch import nn


def convnet(n_features):
    return nn.Sequential(
        nn.Unflatten(1, (3, 16, 16)),
        *(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU()),
        nn.Flatten(),
    )


# %%
# Both make steps of one size on few images: ERM on about 20 from all domains at once,
# or one from each if they are more; Fish on 20 from one domain, then the next. Whatever
# the number of domains, there are 3000 different images, and each method sees 60 000 in
# all.
from skdg import ERMClassifier, FishClassifier

shared = {
    "module": convnet,
    "alpha": 0.0,
    "learning_rate_init": 0.003,
    "random_state": 0,
}
accuracy = {"ERM": [], "Fish": []}
numbers = [5, 15, 50]
for n_domains in numbers:
    palette = np.random.default_rng(0).random((n_domains, 2, 3))
    draw = {"n_domains": n_domains, "image_size": 16, "palette": palette}
    X, y, groups = make_cdsprites(3000 // n_domains, random_state=0, **draw)
    seen = groups != "test"
    X_test, y_test, test_groups = make_cdsprites(400, random_state=1, **draw)
    unseen = test_groups == "test"
    few = max(1, 20 // n_domains)
    models = {
        "ERM": ERMClassifier(
            batch_size=few, max_iter=60_000 // (few * n_domains), **shared
        ),
        "Fish": FishClassifier(
            batch_size=20,
            max_iter=3000 // n_domains,
            meta_learning_rate=1.0,
            **shared,
        ),
    }
    for name, model in models.items():
        model.fit(X[seen], y[seen], groups=groups[seen])
        accuracy[name].append(model.score(X_test[unseen], y_test[unseen]))

# %%
# With five domains both are at chance: the colors never contradict each other, and no
# method can know that the shape is meant. With more domains both learn shapes, and Fish
# needs fewer of them.
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in accuracy.items():
    ax.plot(numbers, values, "o-", label=name)
ax.axhline(0.5, color="gray", linestyle=":", label="chance")
ax.set(
    xlabel="training domains", ylabel="accuracy in the test domain", ylim=(0.4, 1.02)
)
ax.legend()

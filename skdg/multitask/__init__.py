# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share parameters: one model per domain that borrows strength from the others."""

from skdg.multitask._coupled_classifier import MultiTaskLinearClassifier
from skdg.multitask._coupled_regressor import MultiTaskLinearRegressor
from skdg.multitask._network_classifier import MultiTaskNetworkClassifier
from skdg.multitask._network_regressor import MultiTaskNetworkRegressor
from skdg.multitask._svc import MultiTaskLinearSVC
from skdg.multitask._svr import MultiTaskLinearSVR

__all__ = [
    "MultiTaskLinearClassifier",
    "MultiTaskLinearRegressor",
    "MultiTaskLinearSVC",
    "MultiTaskLinearSVR",
    "MultiTaskNetworkClassifier",
    "MultiTaskNetworkRegressor",
]

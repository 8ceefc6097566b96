# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The two tasks of a network."""

from skdg._training.classification import NetworkClassifier
from skdg._training.regression import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share search directions: gradients that agree across domains."""

from skdg.gradients._fish import FishClassifier, FishRegressor
from skdg.gradients._idgm import IDGMClassifier, IDGMRegressor

__all__ = ["FishClassifier", "FishRegressor", "IDGMClassifier", "IDGMRegressor"]

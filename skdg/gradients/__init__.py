# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share search directions: gradients that agree across domains."""

from skdg.gradients._and_mask import ANDMaskClassifier, ANDMaskRegressor
from skdg.gradients._fish import FishClassifier, FishRegressor
from skdg.gradients._fishr import FishrClassifier, FishrRegressor
from skdg.gradients._idgm import IDGMClassifier, IDGMRegressor
from skdg.gradients._iga import IGAClassifier, IGARegressor
from skdg.gradients._sand_mask import SANDMaskClassifier, SANDMaskRegressor

__all__ = [
    "ANDMaskClassifier",
    "ANDMaskRegressor",
    "FishClassifier",
    "FishRegressor",
    "FishrClassifier",
    "FishrRegressor",
    "IDGMClassifier",
    "IDGMRegressor",
    "IGAClassifier",
    "IGARegressor",
    "SANDMaskClassifier",
    "SANDMaskRegressor",
]

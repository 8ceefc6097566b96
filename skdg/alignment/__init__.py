# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share feature distributions: features that look the same in every domain."""

from skdg.alignment._causirl import CausIRLClassifier, CausIRLRegressor
from skdg.alignment._cdann import CDANNClassifier
from skdg.alignment._coral import CORALClassifier, CORALRegressor
from skdg.alignment._dann import DANNClassifier, DANNRegressor
from skdg.alignment._mixup import MixupClassifier, MixupRegressor
from skdg.alignment._mmd import MMDClassifier, MMDRegressor

__all__ = [
    "CDANNClassifier",
    "CORALClassifier",
    "CORALRegressor",
    "CausIRLClassifier",
    "CausIRLRegressor",
    "DANNClassifier",
    "DANNRegressor",
    "MMDClassifier",
    "MMDRegressor",
    "MixupClassifier",
    "MixupRegressor",
]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share regularities: one predictor that is optimal in every domain."""

from skdg.invariance._erm import ERMClassifier, ERMRegressor
from skdg.invariance._irm import IRMClassifier, IRMRegressor

__all__ = ["ERMClassifier", "ERMRegressor", "IRMClassifier", "IRMRegressor"]

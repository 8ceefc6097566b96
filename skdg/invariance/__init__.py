# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Share regularities: one predictor that is optimal in every domain."""

from skdg.invariance._anchor_classifier import AnchorClassifier
from skdg.invariance._anchor_regression import AnchorRegression
from skdg.invariance._causal_prediction import InvariantCausalPrediction
from skdg.invariance._domain_robust_classifier import DomainRobustClassifier
from skdg.invariance._domain_robust_regressor import DomainRobustRegressor
from skdg.invariance._eqrm import EQRMClassifier, EQRMRegressor
from skdg.invariance._erm import ERMClassifier, ERMRegressor
from skdg.invariance._group_dro import GroupDROClassifier, GroupDRORegressor
from skdg.invariance._ib_erm import IBERMClassifier, IBERMRegressor
from skdg.invariance._ib_irm import IBIRMClassifier, IBIRMRegressor
from skdg.invariance._irm import IRMClassifier, IRMRegressor
from skdg.invariance._spectral_decoupling import (
    SpectralDecouplingClassifier,
    SpectralDecouplingRegressor,
)
from skdg.invariance._subspace_recovery import InvariantSubspaceRecovery
from skdg.invariance._vrex import VRExClassifier, VRExRegressor

__all__ = [
    "AnchorClassifier",
    "AnchorRegression",
    "DomainRobustClassifier",
    "DomainRobustRegressor",
    "EQRMClassifier",
    "EQRMRegressor",
    "ERMClassifier",
    "ERMRegressor",
    "GroupDROClassifier",
    "GroupDRORegressor",
    "IBERMClassifier",
    "IBERMRegressor",
    "IBIRMClassifier",
    "IBIRMRegressor",
    "IRMClassifier",
    "IRMRegressor",
    "InvariantCausalPrediction",
    "InvariantSubspaceRecovery",
    "SpectralDecouplingClassifier",
    "SpectralDecouplingRegressor",
    "VRExClassifier",
    "VRExRegressor",
]

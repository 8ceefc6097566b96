# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The public estimators: the one list that everything else is driven by.

Lazy imports, the conformance tests, the laws, the documentation's tables and
``python -m skdg`` read it. A new method is one file and one line here.
"""

_METHODS = {
    # share parameters
    "skdg.multitask": [
        *("MultiTaskLinearSVC", "MultiTaskLinearSVR"),
        *("MultiTaskLinearClassifier", "MultiTaskLinearRegressor"),
        *("MultiTaskNetworkClassifier", "MultiTaskNetworkRegressor"),
    ],
    # share regularities; ERM is the baseline of every method
    "skdg.invariance": [
        *("ERMClassifier", "ERMRegressor"),
        *("IRMClassifier", "IRMRegressor"),
        *("VRExClassifier", "VRExRegressor"),
        *("IBERMClassifier", "IBERMRegressor"),
        *("IBIRMClassifier", "IBIRMRegressor"),
        *("GroupDROClassifier", "GroupDRORegressor"),
        *("EQRMClassifier", "EQRMRegressor"),
        *("SpectralDecouplingClassifier", "SpectralDecouplingRegressor"),
        "InvariantSubspaceRecovery",
        *("AnchorClassifier", "AnchorRegression"),
        "InvariantCausalPrediction",
        *("DomainRobustClassifier", "DomainRobustRegressor"),
    ],
    # share search directions
    "skdg.gradients": [
        *("IDGMClassifier", "IDGMRegressor"),
        *("FishClassifier", "FishRegressor"),
        *("FishrClassifier", "FishrRegressor"),
        *("IGAClassifier", "IGARegressor"),
        *("ANDMaskClassifier", "ANDMaskRegressor"),
        *("SANDMaskClassifier", "SANDMaskRegressor"),
    ],
    # share the distribution of features
    "skdg.alignment": [
        *("CORALClassifier", "CORALRegressor"),
        *("MMDClassifier", "MMDRegressor"),
        *("DANNClassifier", "DANNRegressor"),
        "CDANNClassifier",
        *("CausIRLClassifier", "CausIRLRegressor"),
        *("MixupClassifier", "MixupRegressor"),
    ],
}

ESTIMATORS: dict[str, str] = {
    name: module for module, names in _METHODS.items() for name in names
}

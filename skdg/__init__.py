# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Learning from several domains at once, with the interface of scikit-learn.

Estimators take the domain of each row as ``fit(X, y, groups=domains)``. Importing this
package loads neither torch nor cvxpy: each name is imported when it is first used.

``TRUSTED_TYPES`` lists the classes that ``skops.io.load`` must be told to trust when it
loads an estimator of skdg.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from skdg._registry import ESTIMATORS
from skdg.exceptions import DivergenceError, SingleDomainWarning

__version__ = version("skdg")

_SUBMODULES = (
    "alignment",
    "base",
    "datasets",
    "exceptions",
    "gradients",
    "inspection",
    "invariance",
    "metrics",
    "model_selection",
    "multitask",
    "study",
)

__all__ = [
    *ESTIMATORS,
    *_SUBMODULES,
    "TRUSTED_TYPES",
    "DivergenceError",
    "SingleDomainWarning",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in ESTIMATORS:
        return getattr(import_module(ESTIMATORS[name]), name)
    if name in _SUBMODULES:
        return import_module(f"skdg.{name}")
    if name == "TRUSTED_TYPES":
        classes = (__getattr__(estimator) for estimator in ESTIMATORS)
        # The module that defines the class, which is what a file names.
        return [f"{each.__module__}.{each.__qualname__}" for each in classes]
    raise AttributeError(f"module 'skdg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

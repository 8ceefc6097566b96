# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Learning from several domains at once, with the interface of scikit-learn.

Estimators take the domain of each row as ``fit(X, y, groups=domains)``. Importing this
package loads neither torch nor cvxpy: each name is imported when it is first used.
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
    "DivergenceError",
    "SingleDomainWarning",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in ESTIMATORS:
        return getattr(import_module(ESTIMATORS[name]), name)
    if name in _SUBMODULES:
        return import_module(f"skdg.{name}")
    raise AttributeError(f"module 'skdg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Domain-shift studies of a table: :func:`run_study` and ``python -m skdg``.

Holds one domain out after the other and compares how all estimators, and the obvious
baselines, do on the domains they saw and on the one they did not.
"""

from importlib import import_module
from typing import Any

from skdg.study._cli import main

__all__ = ["StudyResult", "main", "run_study"]

# The command says what is missing or wrong before it loads all of scikit-learn.
_LAZY = {"StudyResult": "skdg.study._result", "run_study": "skdg.study._run"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'skdg.study' has no attribute {name!r}")

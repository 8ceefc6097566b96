# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Domain-shift studies of a table: ``python -m skdg``.

Holds one domain out after the other and compares how all estimators, and the obvious
baselines, do on the domains they saw and on the one they did not.
"""

from skdg.study._cli import main

__all__ = ["main"]

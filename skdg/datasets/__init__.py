# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Data sets whose rows come from several domains.

Every function gives ``X``, ``y`` and ``groups``, the domain of each row.
"""

from skdg.datasets._cdsprites import make_cdsprites
from skdg.datasets._colored_digits import make_colored_digits
from skdg.datasets._colored_mnist import fetch_colored_mnist
from skdg.datasets._fish_linear import make_fish_linear
from skdg.datasets._hotel_rates import load_hotel_rates
from skdg.datasets._irm_sem import irm_sem_errors, make_irm_sem
from skdg.datasets._linear_unit_test import make_linear_unit_test

__all__ = [
    "fetch_colored_mnist",
    "irm_sem_errors",
    "load_hotel_rates",
    "make_cdsprites",
    "make_colored_digits",
    "make_fish_linear",
    "make_irm_sem",
    "make_linear_unit_test",
]

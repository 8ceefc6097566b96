# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Random streams that leave numpy's global generator alone."""

import numpy as np
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | None


def private_rng(random_state: RandomState) -> np.random.RandomState:
    """Return a generator that is never numpy's global one."""
    # check_random_state(None) would hand out, and so advance, the global generator.
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)

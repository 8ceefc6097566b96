# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Settings that must be in place before torch is imported."""

import os

# Tests run in parallel processes; more threads than cores make small networks ten times
# slower.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

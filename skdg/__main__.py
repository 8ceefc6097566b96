# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Run ``python -m skdg``."""

import sys

from skdg.study import main

# Worker processes import this module again.
if __name__ == "__main__":
    sys.exit(main())

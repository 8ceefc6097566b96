# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How fast training is, as ratios within one run; see ``__main__``."""

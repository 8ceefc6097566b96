# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Draw the picture of the README: the second one of the page on what domains share.

``python benchmarks/readme_picture.py`` writes it to doc/invariance.png.
"""

import argparse
import runpy
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    plt.switch_backend("agg")
    runpy.run_path(str(ROOT / "examples" / "plot_what_domains_share.py"))
    picture = plt.figure(2)
    picture.savefig(ROOT / "doc" / "invariance.png", dpi=90)


if __name__ == "__main__":
    main()

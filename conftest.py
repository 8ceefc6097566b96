# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Settings that must be in place before torch is imported, and the last lines."""

import os
import sys
from collections import Counter, defaultdict

import pytest

# Tests run in parallel processes; more threads than cores make small networks ten times
# slower.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


@pytest.fixture(autouse=True)
def no_figures_left():
    """Close what a test has drawn: pyplot would hand its figures to the next."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def pytest_terminal_summary(terminalreporter):
    """Print how many of scikit-learn's checks each mode ran.

    Here and not beside the checks: with parallel tests the process that prints reads no
    other conftest.
    """
    counts = defaultdict(Counter)
    reasons = set()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in getattr(report, "user_properties", []):
                if key == "scikit-learn checks":
                    counts[value["mode"]].update(value["counts"])
                    counts[value["mode"]]["estimators"] += 1
                    reasons.update(value["skips"])
    if not counts:
        return
    terminalreporter.section("scikit-learn estimator checks")
    for mode, count in sorted(counts.items()):
        terminalreporter.write_line(
            f"{mode}: {count['estimators']} estimators, {count['passed']} checks "
            f"passed, {count['failed']} failed, {count['xfail']} expected to fail, "
            f"{count['skipped']} skipped"
        )
    for reason in sorted(reasons):
        terminalreporter.write_line(f"skipped: {reason}")

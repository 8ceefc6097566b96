# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Print how many checks each mode ran, at the end of the test output."""

from collections import Counter, defaultdict


def pytest_terminal_summary(terminalreporter):
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

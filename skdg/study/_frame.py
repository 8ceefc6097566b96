# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The fits of a study as a table: what each rule of selection sees and selects."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from skdg.study._fit import Fit


def frame_of_fits(
    rows: "Mapping[Fit, Any]",
    domains: np.ndarray,
    estimators: Sequence[str],
    rules: Sequence[str],
) -> "pd.DataFrame":
    """Return a row for each rule and fit with one domain held out.

    Parameters
    ----------
    rows : mapping of fit to dict
        What came out of each fit.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    estimators : sequence of str
        Names of the estimators.

    rules : sequence of str
        The rules of selection.

    Returns
    -------
    frame : DataFrame
        The columns of :meth:`~skdg.study.StudyResult.frame`, and positions to sort and
        group by, whose names begin with an underscore.
    """
    import pandas as pd

    # For each domain, estimator, seed and candidate: scores of fits without it on
    # each other domain that was left out at the same time.
    pairs: dict[tuple, dict[int, float]] = {}
    for fit, row in rows.items():
        if len(fit.held_out) == 2:
            (one, other), scores = fit.held_out, row["unseen"]
            for test, judge, score in ((one, other, 1), (other, one, 0)):
                key = (test, fit.name, fit.seed, fit.candidate)
                pairs.setdefault(key, {})[judge] = scores[score]
    records = []
    for rule in rules:
        for fit, row in rows.items():
            if len(fit.held_out) == 2:
                continue
            (test,) = fit.held_out
            (unseen,) = row["unseen"]
            key = (test, fit.name, fit.seed, fit.candidate)
            if rule == "training-domain":
                validation = row["in_domain"]
            elif rule == "oracle":
                validation = unseen
            else:
                others = pairs[key]
                validation = float(np.mean([others[c] for c in sorted(others)]))
            records.append(
                {
                    "rule": rule,
                    "estimator": fit.name,
                    "domain": domains[test],
                    "seed": fit.seed,
                    "candidate": fit.candidate,
                    "validation": validation,
                    "in_domain": row["in_domain"],
                    "unseen": unseen,
                    "selected": False,
                    "uses_test_domain": rule == "oracle",
                    "seconds": row["seconds"],
                    "parameters": ", ".join(
                        f"{name}={value}" for name, value in row["parameters"].items()
                    ),
                    "error": row["error"],
                    "_domain": test,
                    "_estimator": estimators.index(fit.name),
                    "_rule": rules.index(rule),
                }
            )
    order = ["_rule", "_estimator", "_domain", "seed", "candidate"]
    frame = pd.DataFrame(records).sort_values(order, ignore_index=True)
    for _, scores in frame.groupby(order[:4], sort=False)["validation"]:
        if scores.notna().any():
            frame.loc[scores.idxmax(), "selected"] = True
    return frame

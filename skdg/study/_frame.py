# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The fits of a study as a table: what each rule of selection sees and selects."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skdg.study._statistics import mean_of_defined

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
    # each other domain that was left out at the same time, and their errors.
    pairs: dict[tuple, dict[int, tuple[float, str]]] = {}
    for fit, row in rows.items():
        if len(fit.held_out) == 2:
            (one, other), scores = fit.held_out, row["unseen"]
            error = row["error"]
            if error:
                error += f" (without {domains[one]} and {domains[other]})"
            for test, judge, score in ((one, other, 1), (other, one, 0)):
                key = (test, fit.name, fit.seed, fit.candidate)
                pairs.setdefault(key, {})[judge] = (scores[score], error)
    records = []
    for rule in rules:
        for fit, row in rows.items():
            if len(fit.held_out) == 2:
                continue
            (test,) = fit.held_out
            (unseen,) = row["unseen"]
            key = (test, fit.name, fit.seed, fit.candidate)
            error = failure_of(fit, row, domains)
            if rule == "training-domain":
                validation = row["in_domain"]
            elif rule == "oracle":
                validation = unseen
            else:
                validation, why = _judged(pairs[key])
                error = error or why
            if np.isnan(validation):
                error = error or "score undefined on all domains to select by"
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
                    "parameters": _in_words(row["parameters"]),
                    "error": error,
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


def _judged(judges: Mapping[int, tuple[float, str]]) -> tuple[float, str]:
    """Return the mean of scores on other domains; nan with an error if a fit failed."""
    error = next((error for _, error in judges.values() if error), "")
    scores = [judges[code][0] for code in sorted(judges)]
    return float("nan") if error else mean_of_defined(scores), error


def failure_of(fit: "Fit", row: Mapping[str, Any], domains: np.ndarray) -> str:
    """Return why a fit has no score on the domain that it held out.

    Parameters
    ----------
    fit : Fit
        The fit.

    row : mapping
        What came out of it.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    Returns
    -------
    str
        The error, or nothing. Of a fit that held out two domains, to judge candidates,
        a score may be undefined: it is not counted then.
    """
    if not row["error"] and len(fit.held_out) == 1 and np.isnan(row["unseen"][0]):
        return f"score undefined on domain {domains[fit.held_out[0]]}"
    return row["error"]


def frame_of_failures(
    rows: "Mapping[Fit, Any]", domains: np.ndarray, estimators: Sequence[str]
) -> "pd.DataFrame":
    """Return a row for each fit that failed.

    Parameters
    ----------
    rows : mapping of fit to dict
        What came out of each fit.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    estimators : sequence of str
        Names of the estimators.

    Returns
    -------
    frame : DataFrame
        The columns of :meth:`~skdg.study.StudyResult.failures`.
    """
    import pandas as pd

    def place(fit: "Fit") -> tuple:
        out = fit.held_out
        return estimators.index(fit.name), len(out), out, fit.seed, fit.candidate

    records = [
        {
            "estimator": fit.name,
            "held_out": tuple(domains[code] for code in fit.held_out),
            "seed": fit.seed,
            "candidate": fit.candidate,
            "parameters": _in_words(rows[fit]["parameters"]),
            "error": failure_of(fit, rows[fit], domains),
        }
        for fit in sorted(rows, key=place)
        if failure_of(fit, rows[fit], domains)
    ]
    columns = ["estimator", "held_out", "seed", "candidate", "parameters", "error"]
    return pd.DataFrame(records, columns=columns)


def _in_words(parameters: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())

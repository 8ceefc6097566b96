# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the terminal and the page say of a study alike."""

import math
from typing import TYPE_CHECKING

import numpy as np

from skdg.study._statistics import LEVEL, smallest_rank_p

if TYPE_CHECKING:
    import pandas as pd

LEGEND = (
    "unseen: mean over held-out domains of the mean over seeds, ± its standard errors "
    "over domains and over seeds. worst: the worst domain, and which. in-domain: on "
    "rows of the training domains that no fit saw. rank: mean over domains, 1 the "
    "best. gain: how much better than the reference, negative if worse; p: of a "
    "two-sided paired test over domains, corrected for the number of estimators by "
    "Holm's method. failed: number of fits, of all candidates. A number of domains in "
    "brackets: scores are from these alone."
)


def summary_cells(part: "pd.DataFrame", sign: int, n_domains: int) -> list[list[str]]:
    """Return the summary of a rule as text, with its first row as the head.

    Parameters
    ----------
    part : DataFrame
        The rows of :meth:`~skdg.study.StudyResult.summary` for one rule.

    sign : {1, -1}
        -1 to write errors as people do; gains stay positive where they are.

    n_domains : int
        Number of domains that were held out.

    Returns
    -------
    list of list of str
        The cells.
    """
    head = ["estimator", "unseen", "± domains", "± seeds", "worst", "at"]
    cells = [[*head, "in-domain", "rank", "gain", "p", "failed"]]
    for name, row in part.iterrows():
        whole = row["n_domains"] == n_domains
        cells.append(
            [
                name if whole else f"{name} ({row['n_domains']}/{n_domains})",
                digits(sign * row["unseen"], 4),
                digits(row["se_domains"], 2),
                digits(row["se_seeds"], 2),
                digits(sign * row["worst"], 4),
                "" if row["worst_domain"] is None else str(row["worst_domain"]),
                digits(sign * row["in_domain"], 4),
                digits(row["rank"], 2),
                digits(row["gain"], 2),
                digits(row["p_holm"], 2),
                str(row["n_failed"] or ""),
            ]
        )
    return cells


def digits(value: float, count: int) -> str:
    """Write a number with so many digits or more, and nothing for nan.

    Parameters
    ----------
    value : float
        The number.

    count : int
        Number of digits that count; those before the point are all written.

    Returns
    -------
    str
        The number without an exponent.
    """
    if not np.isfinite(value):
        return "" if np.isnan(value) else str(value)
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, count - 1 - size)}f}"


def unselected(part: "pd.DataFrame") -> str:
    """Say for which estimators the rule could not always select a candidate.

    Parameters
    ----------
    part : DataFrame
        The rows of :meth:`~skdg.study.StudyResult.summary` for one rule.

    Returns
    -------
    str
        A sentence, or nothing if there is nothing to say.
    """
    lacking = part.loc[part["n_unselected"] > 0, "n_unselected"]
    if lacking.empty:
        return ""
    counts = ", ".join(f"{name} ({number})" for name, number in lacking.items())
    return (
        f"No candidate was selected, since none has a score to select by, in a number "
        f"of cases, each a held-out domain with a seed: {counts}."
    )


def conclusion(part: "pd.DataFrame", reference: str, test: str) -> str:
    """Say which estimators did better than the reference.

    Parameters
    ----------
    part : DataFrame
        The rows of :meth:`~skdg.study.StudyResult.summary` for one rule.

    reference : str
        The estimator that the others were tested against.

    test : {"wilcoxon", "t"}
        The test.

    Returns
    -------
    str
        A sentence, or nothing if there is nothing to compare.
    """
    if reference not in part.index or len(part) == 1:
        return ""
    tested = part[part["p_holm"].notna()]
    if tested.empty:
        return (
            f"On unseen domains nothing was tested: no estimator has scores, none of "
            f"them infinite, on two domains on which {reference} has them too."
        )
    few, many = tested["n_tested"].min(), tested["n_tested"].max()
    n_domains = f"{many}" if few == many else f"{few} to {many}"
    better = tested[(tested["gain"] > 0) & (tested["p_holm"] < LEVEL)]
    if not better.empty:
        names = ", ".join(map(str, better.index))
        return (
            f"On unseen domains better than {reference} by more than chance explains "
            f"({n_domains} domains, 5 percent level): {names}."
        )
    if test == "wilcoxon" and len(tested) * smallest_rank_p(many) >= LEVEL:
        return (
            f"Whether anything is better than {reference} on unseen domains this test "
            f"cannot tell: with {n_domains} domains and {len(tested)} comparisons the "
            f"signed-rank test never comes below 0.05, whatever the scores. Student's "
            f"can (test='t')."
        )
    return (
        f"On unseen domains nothing is better than {reference} by more than chance "
        f"explains ({n_domains} domains, 5 percent level)."
    )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a study."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def draw(ax: Any, frame: "pd.DataFrame", rule: str, scoring: str) -> None:
    """Draw what each estimator scores on unseen domains and on those it saw.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.

    frame : DataFrame
        The table of the study.

    rule : str
        The rule of selection.

    scoring : str
        Name of the score.
    """
    of_rule = frame[frame["rule"] == rule]
    names = of_rule["estimator"].drop_duplicates().tolist()
    chosen = of_rule[of_rule["selected"]]
    for height, name in enumerate(names):
        own = chosen[chosen["estimator"] == name].groupby("domain", sort=False)
        unseen, in_domain = own["unseen"].mean(), own["in_domain"].mean().mean()
        ax.plot(unseen, [height] * len(unseen), "o", color="C0", alpha=0.5)
        ax.plot([unseen.mean()], [height], "|", color="C0", ms=18, mew=2)
        ax.plot([in_domain], [height], "o", color="C1", mfc="none")
    # Names come from the user: a dollar sign in them starts no formula.
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    cheating = " (cheating)" if of_rule["uses_test_domain"].any() else ""
    ax.set_xlabel(f"{scoring}; selection: {rule}{cheating}", parse_math=False)

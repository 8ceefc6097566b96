# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The pictures of a study."""

from typing import TYPE_CHECKING, Any

from skdg.study._measures import spoken

if TYPE_CHECKING:
    import pandas as pd


_MARKERS = "osD^v"


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
    label, sign = spoken(scoring)
    names, chosen = _selected(frame, rule)
    for height, name in enumerate(names):
        own = chosen[chosen["estimator"] == name].groupby("domain", sort=False)
        unseen = sign * own["unseen"].mean()
        in_domain = sign * own["in_domain"].mean().mean()
        ax.plot(unseen, [height] * len(unseen), "o", color="C0", alpha=0.5)
        ax.plot([unseen.mean()], [height], "|", color="C0", ms=18, mew=2)
        ax.plot([in_domain], [height], "o", color="C1", mfc="none")
    # Names come from the user: a dollar sign in them starts no formula.
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    cheating = " (cheating)" if rule == "oracle" else ""
    ax.set_xlabel(f"{label}; selection: {rule}{cheating}", parse_math=False)


def draw_transfer(ax: Any, frame: "pd.DataFrame", rule: str, scoring: str) -> None:
    """Draw the score on the unseen domain against that on the domains seen.

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
    label, sign = spoken(scoring)
    names, chosen = _selected(frame, rule)
    for number, name in enumerate(names):
        own = chosen[chosen["estimator"] == name].groupby("domain", sort=False)
        marker = _MARKERS[number // 10 % len(_MARKERS)]
        ax.plot(
            sign * own["in_domain"].mean(),
            sign * own["unseen"].mean(),
            marker,
            color=f"C{number}",
            alpha=0.7,
            ms=5,
        )
    low, high = ax.get_xlim()
    ax.axline((low, low), (high, high), color="0.6", lw=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_xlabel(f"{label} in-domain", parse_math=False)
    ax.set_ylabel("on the unseen domain")
    handles = [
        ax.plot([], [], _MARKERS[n // 10 % len(_MARKERS)], color=f"C{n}", ms=5)[0]
        for n in range(len(names))
    ]
    legend = ax.legend(handles, names, fontsize="small", ncols=2)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _selected(frame: "pd.DataFrame", rule: str) -> tuple[list, "pd.DataFrame"]:
    """Return the names of all estimators, and the rows that the rule selects."""
    of_rule = frame[frame["rule"] == rule]
    names = of_rule["estimator"].drop_duplicates().tolist()
    return names, of_rule[of_rule["selected"]]

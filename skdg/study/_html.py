# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One page for a study that needs no other file."""

import io
from base64 import b64encode
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING

from skdg.study._measures import spoken
from skdg.study._plot import draw, draw_transfer
from skdg.study._words import (
    LEGEND,
    conclusion,
    digits,
    summary_cells,
    unselected,
)

if TYPE_CHECKING:
    import pandas as pd

    from skdg.study._result import StudyResult

_CHEATING = "oracle: cheating, selected by the test domain"

# On a phone tables are scrolled sideways, under names that stay.
_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 64rem; margin: auto; padding: 1rem; }
h1, h2 { line-height: 1.2; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #ccc; }
td { white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: #fff; }
.words th, .words td { text-align: left; white-space: normal; vertical-align: top; }
.words td:last-child { min-width: 20rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
img { max-width: 100%; height: auto; }
.warning { color: #a00; font-weight: bold; }
"""

_PICTURES = (
    "In the first picture points are held-out domains, lines their means, and circles "
    "the in-domain scores. In the second each point is an estimator and a held-out "
    "domain; on the line the unseen domain would be as the others."
)


def page(
    result: "StudyResult",
    reference: str,
    test: str,
    description: Mapping[str, str],
) -> str:
    """Return the page.

    Parameters
    ----------
    result : StudyResult
        What came out of the study.

    reference, test : str
        The estimator to test the others against, and the test.

    description : mapping of str to str
        What to say of the study at the top: labels and texts.

    Returns
    -------
    str
        The page. All that comes from the user's table is escaped.
    """
    frame, scoring = result.frame(), result.scoring
    summary = result.summary(reference=reference, test=test)
    label, sign = spoken(scoring)
    direction = "higher" if sign > 0 else "lower"
    facts = dict(description) | {
        "Score": f"{label} ({direction} is better)",
        "Reference": reference if reference in summary.index.unique(1) else "none",
    }
    body = ["<h1>Domain-shift study</h1>", _facts(facts)]
    for rule in summary.index.unique("rule"):
        part = summary.loc[rule]
        body.append(f"<h2>Selection: {escape(rule)}</h2>")
        if part["uses_test_domain"].any():
            body.append(
                f'<p class="warning">{_CHEATING}. These scores are no estimate for a '
                f"domain that nobody has seen.</p>"
            )
        words = f"{conclusion(part, reference, test)} {unselected(part)}"
        body.append(f"<p>{escape(words.strip())}</p>")
        body.append(_table(summary_cells(part, sign, frame["domain"].nunique())))
        body.append('<div class="pictures">')
        body.append(_picture(draw, "Scores by held-out domain", frame, rule, scoring))
        body.append(_picture(draw_transfer, "Unseen and seen", frame, rule, scoring))
        body.append("</div>")
        body.append(_table(_domain_cells(frame, rule, sign)))
    body.append(f"<p>{escape(LEGEND)} {escape(_PICTURES)}</p>")
    body.append(_failures(result.failures()))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Domain-shift study</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _facts(facts: Mapping[str, str]) -> str:
    items = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>{''.join(items)}</dl>"


def _table(cells: list[list], *, words: bool = False) -> str:
    """Return a table, with its first row as the head."""
    rows = []
    for number, row in enumerate(cells):
        tag = "td" if number else "th"
        content = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row)
        rows.append(f"<tr>{content}</tr>")
    kind = "wide words" if words else "wide"
    return f'<div class="{kind}"><table>{"".join(rows)}</table></div>'


def _failures(failed: "pd.DataFrame") -> str:
    """Return how many fits failed, and one of each estimator and kind of error."""
    if failed.empty:
        return ""
    cells: list[list] = [["estimator", "fits", "one of them", "parameters", "error"]]
    kind = failed["error"].str.partition(":")[0]
    for _, rows in failed.groupby([failed["estimator"], kind], sort=False):
        first = rows.iloc[0]
        where = f"{' and '.join(map(str, first['held_out']))}, seed {first['seed']}"
        cells.append(
            [first["estimator"], len(rows), where, first["parameters"], first["error"]]
        )
    return f"<h2>Fits that failed: {len(failed)}</h2>{_table(cells, words=True)}"


def _domain_cells(frame: "pd.DataFrame", rule: str, sign: int) -> list[list]:
    """Return the mean over seeds on each held-out domain."""
    of_rule = frame[frame["rule"] == rule]
    chosen = of_rule[of_rule["selected"]]
    labels = of_rule["domain"].drop_duplicates().tolist()
    names = of_rule["estimator"].drop_duplicates().tolist()
    cells: list[list] = [["unseen, by domain", *labels]]
    for name in names:
        own = chosen[chosen["estimator"] == name]
        means = [own.loc[own["domain"] == label, "unseen"].mean() for label in labels]
        cells.append([name, *(digits(sign * mean, 4) for mean in means)])
    return cells


def _picture(
    draw_on: Callable[..., None],
    what: str,
    frame: "pd.DataFrame",
    rule: str,
    scoring: str,
) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Narrow enough to be read on a phone, where it is not shrunk much.
    height = max(3.5, 1 + 0.35 * frame["estimator"].nunique())
    figure = Figure(figsize=(5, height), layout="constrained")
    FigureCanvasSVG(figure)
    draw_on(figure.subplots(), frame, rule, scoring)
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "skdg"}):  # the same page each time
        figure.savefig(file, format="svg", metadata={"Date": None})
    # As an image it is a document of its own, whose ids meet no others on the page.
    data = b64encode(file.getvalue()).decode()
    words = escape(f"{what}, selection: {rule}")
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{data}">'

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One page for a study that needs no other file."""

import io
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from skdg.study._plot import draw

if TYPE_CHECKING:
    import pandas as pd

_CHEATING = "oracle: cheating, selected by the test domain"

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: auto; padding: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; }
.warning { color: #a00; font-weight: bold; }
"""

_LEGEND = (
    "unseen: mean over held-out domains of the mean over seeds, ± its standard error "
    "over domains and, in brackets, over seeds. rank: mean over domains, 1 the best. "
    "gain: difference to the reference; p: of a two-sided paired test over domains, "
    "corrected for the number of estimators by Holm's method. More is better for all "
    "scores. In the picture points are held-out domains, lines their means, and "
    "circles the in-domain scores."
)


def page(frame: "pd.DataFrame", summary: "pd.DataFrame", scoring: str) -> str:
    """Return the page.

    Parameters
    ----------
    frame : DataFrame
        The table of the study.

    summary : DataFrame
        Its summary.

    scoring : str
        Name of the score.

    Returns
    -------
    str
        The page. All that comes from the user's table is escaped.
    """
    body = [f"<h1>Domain-shift study</h1><p>Score: {escape(scoring)}.</p>"]
    for rule in summary.index.unique("rule"):
        part = summary.loc[rule]
        body.append(f"<h2>Selection: {escape(rule)}</h2>")
        if part["uses_test_domain"].any():
            body.append(
                f'<p class="warning">{_CHEATING}. These scores are no estimate for a '
                f"domain that nobody has seen.</p>"
            )
        body.append(_table(_summary_cells(part)))
        body.append(f'<div class="wide">{_picture(frame, rule, scoring)}</div>')
        body.append(_table(_domain_cells(frame, rule)))
    body.append(f"<p>{escape(_LEGEND)}</p>")
    failed = frame[frame["error"] != ""]
    failed = failed.drop_duplicates(["estimator", "domain", "seed", "candidate"])
    if len(failed):
        columns = ["estimator", "domain", "seed", "candidate", "parameters", "error"]
        cells = [columns, *failed[columns].to_numpy().tolist()]
        body.append(f"<h2>Fits that failed: {len(failed)}</h2>{_table(cells)}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Domain-shift study</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _table(cells: list[list]) -> str:
    """Return a table, with its first row as the head."""
    rows = []
    for number, row in enumerate(cells):
        tag = "td" if number else "th"
        content = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row)
        rows.append(f"<tr>{content}</tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def _summary_cells(part: "pd.DataFrame") -> list[list]:
    head = ["estimator", "unseen", "worst", "at", "in-domain", "rank", "gain", "p"]
    cells = [[*head, "failed fits"]]
    for name, row in part.iterrows():
        unseen = f"{row['unseen']:.4g} ± {row['se_domains']:.2g}"
        numbers = [row[key] for key in ("in_domain", "rank", "gain", "p_holm")]
        cells.append(
            [
                name,
                f"{unseen} ({row['se_seeds']:.2g})",
                f"{row['worst']:.4g}",
                row["worst_domain"],
                *(f"{number:.3g}" for number in numbers),
                row["n_failed"],
            ]
        )
    return cells


def _domain_cells(frame: "pd.DataFrame", rule: str) -> list[list]:
    """Return the mean over seeds on each held-out domain."""
    of_rule = frame[frame["rule"] == rule]
    chosen = of_rule[of_rule["selected"]]
    labels = of_rule["domain"].drop_duplicates().tolist()
    names = of_rule["estimator"].drop_duplicates().tolist()
    cells: list[list] = [["unseen, by domain", *labels]]
    for name in names:
        own = chosen[chosen["estimator"] == name]
        means = [own.loc[own["domain"] == label, "unseen"].mean() for label in labels]
        cells.append([name, *(f"{mean:.4g}" for mean in means)])
    return cells


def _picture(frame: "pd.DataFrame", rule: str, scoring: str) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    n_estimators = frame["estimator"].nunique()
    figure = Figure(figsize=(7, 1 + 0.35 * n_estimators), layout="constrained")
    FigureCanvasSVG(figure)
    draw(figure.subplots(), frame, rule, scoring)
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "skdg"}):  # the same page each time
        figure.savefig(file, format="svg", metadata={"Date": None})
    # As an image it is a document of its own, whose ids meet no others on the page.
    data = b64encode(file.getvalue()).decode()
    what = escape(f"Scores of estimators by held-out domain, selection: {rule}")
    return f'<img alt="{what}" src="data:image/svg+xml;base64,{data}">'

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from base64 import b64decode
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from skdg.study import StudyResult
from skdg.study._fit import Fit
from skdg.study._words import conclusion, digits

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</td></table><b>",
    "$\\frac{1}{$ & </svg><script>",
    "&lt;plain&gt; 'quoted'",
]
RULES = ["training-domain", "oracle"]


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    rows = {
        Fit(name, (d,), 0, 0): {
            "in_domain": rng.uniform(),
            "unseen": [rng.uniform()],
            "seconds": 1.0,
            "parameters": {name: name},
            "error": "",
        }
        for name in HOSTILE
        for d in range(5)
    }
    broken = {"in_domain": np.nan, "unseen": [np.nan], "error": HOSTILE[0]}
    rows[Fit(HOSTILE[1], (2,), 0, 0)] |= broken
    return StudyResult(rows, np.array(HOSTILE), HOSTILE, RULES, HOSTILE[3])


class Reader(HTMLParser):
    """Collects elements, attributes, and the text of cells; checks that tags close."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.cells, self.links = [], set(), [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        names = {name for name, _ in attributes}
        assert not {name for name in names if name.startswith("on")}
        self.links += [
            value
            for name, value in attributes
            if name in ("src", "href") or "url(" in (value or "")
        ]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_names_of_any_kind_are_shown_as_they_are_and_never_obeyed(result):
    reader = read(result.to_html(reference=HOSTILE[0]))
    assert set(HOSTILE) <= set(reader.cells)
    assert not reader.tags & {"script", "b", "iframe", "link", "object"}
    # Estimators: two tables of two rules each; domains: heads of two tables.
    for name in HOSTILE:
        assert reader.cells.count(name) >= 6


def test_the_page_needs_no_other_file(result):
    page = result.to_html(reference=HOSTILE[0])
    links = read(page).links
    start = "data:image/svg+xml;base64,"
    assert len(links) == 2 * len(RULES)
    for link in links:
        assert link.startswith(start)
        picture = ElementTree.fromstring(b64decode(link.removeprefix(start)))
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        for element in picture.iter():
            assert element.tag.rpartition("}")[2] not in ("script", "image")
            for name, value in element.items():
                if name.endswith("href"):
                    assert value.startswith("#")
    assert "@import" not in page


def test_numbers_of_the_summary_are_on_the_page(result):
    cells = read(result.to_html(reference=HOSTILE[0])).cells
    summary = result.summary(reference=HOSTILE[0])
    for (_, name), row in summary.iterrows():
        # The mean of the one that failed once is over four domains.
        shown = f"{name} (4/5)" if name == HOSTILE[1] else name
        places = [i for i, cell in enumerate(cells) if cell == shown]
        # A single seed has no standard error.
        expected = [digits(row["unseen"], 4), digits(row["se_domains"], 2), ""]
        assert any(cells[i + 1 : i + 4] == expected for i in places)


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (26818.237, 4, "26818"),
        (0.0123456, 3, "0.0123"),
        (-35.24, 2, "-35"),
        (1.0, 2, "1.0"),
        (0.0, 2, "0.0"),
        (9.9996, 4, "10.000"),
        (float("nan"), 4, ""),
        (float("-inf"), 4, "-inf"),
    ],
)
def test_numbers_are_written_without_exponents(value, count, text):
    assert digits(value, count) == text


def test_errors_are_shown_as_errors_and_the_best_is_named(result):
    rng = np.random.default_rng(1)
    rows = {
        Fit(name, (d,), 0, 0): {
            "in_domain": -1.0,
            "unseen": [-level - rng.uniform(0, 0.1)],
            "seconds": 1.0,
            "parameters": {},
            "error": "",
        }
        for name, level in (("ERM", 20.0), ("good", 10.0), ("bad", 30.0))
        for d in range(8)
    }
    scoring = "neg_root_mean_squared_error"
    study = StudyResult(
        rows, np.arange(8), ["ERM", "good", "bad"], ["training-domain"], scoring
    )
    page = study.to_html(description={"Table": "a <b> table"})
    assert "<dt>Table</dt><dd>a &lt;b&gt; table</dd>" in page
    assert "RMSE (lower is better)" in page
    cells = read(page).cells
    unseen = float(cells[cells.index("good") + 1])
    assert 10 < unseen < 10.1
    gain = float(cells[cells.index("good") + 8])
    assert gain == pytest.approx(10, abs=0.1)
    part = study.summary().loc["training-domain"]
    # Eight domains, all one way: the signed-rank test gives 2 / 2^8, twice by Holm.
    assert part.loc["good", "p_holm"] == pytest.approx(4 / 256)
    assert conclusion(part, "ERM", "wilcoxon").endswith("5 percent level): good.")
    assert conclusion(part, "ERM", "wilcoxon") in page
    part = study.summary(reference="good").loc["training-domain"]
    assert "nothing is better than good" in conclusion(part, "good", "wilcoxon")
    assert conclusion(part, "none", "wilcoxon") == ""


def study_of(n_domains, n_others):
    """Return a study in which all others are better than ERM on all domains."""
    rng = np.random.default_rng(0)
    names = ["ERM", *(f"M{i}" for i in range(n_others))]
    rows = {
        Fit(name, (d,), 0, 0): {
            "in_domain": 0.9,
            "unseen": [0.6 + 0.1 * (name != "ERM") + rng.uniform(0, 0.05)],
            "seconds": 1.0,
            "parameters": {},
            "error": "",
        }
        for name in names
        for d in range(n_domains)
    }
    return StudyResult(rows, np.arange(n_domains), names, ["oracle"], "accuracy")


@pytest.mark.parametrize(
    ("n_domains", "n_others", "possible"),
    [(5, 1, False), (6, 1, True), (6, 2, False), (8, 8, False), (9, 8, True)],
)
def test_a_test_that_can_find_nothing_says_so(n_domains, n_others, possible):
    study = study_of(n_domains, n_others)
    p = study.summary().loc["oracle", "p_holm"].min()
    assert p == pytest.approx(min(1, n_others * 2 / 2**n_domains), rel=1e-12)
    assert (p < 0.05) == possible
    page = study.to_html()
    words = f"with {n_domains} domains and {n_others} comparisons the signed-rank test"
    assert (words in page) != possible
    assert ("than chance explains" in page) == possible
    # Student's finds what is plain.
    assert f"({n_domains} domains, 5 percent level): M" in study.to_html(test="t")


def test_the_oracle_is_marked_as_cheating(result):
    page = result.to_html()
    first, second = page.split("<h2>Selection: ")[1:3]
    assert first.startswith("training-domain")
    assert 'class="warning"' not in first
    assert second.startswith("oracle")
    assert 'class="warning">oracle: cheating' in second


def test_failed_fits_are_listed_once(result):
    page = result.to_html()
    assert "<h2>Fits that failed: 1</h2>" in page
    assert read(page).cells[-1] == HOSTILE[0]


def test_it_is_written_where_asked_and_the_same_each_time(result, tmp_path):
    path = tmp_path / "report.html"
    page = result.to_html(path)
    assert path.read_text(encoding="utf-8") == page == result.to_html()


def test_plot_shows_means_and_each_domain(result):
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    ax = result.plot(rule="oracle")
    means = result.summary().loc["oracle"]
    lines = [line.get_xdata() for line in ax.lines]
    for i, name in enumerate(HOSTILE):
        points, mean, in_domain = lines[3 * i : 3 * i + 3]
        assert len(points) == means.loc[name, "n_domains"]
        assert np.mean(points) == pytest.approx(means.loc[name, "unseen"])
        assert mean == pytest.approx(means.loc[name, "unseen"])
        assert in_domain == pytest.approx(means.loc[name, "in_domain"])
    assert [label.get_text() for label in ax.get_yticklabels()] == HOSTILE
    assert "cheating" in ax.get_xlabel()
    ax.figure.canvas.draw()
    plt.close(ax.figure)
    with pytest.raises(ValueError, match="no rule 'best'"):
        result.plot(rule="best")

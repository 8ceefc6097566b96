# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The examples in the documentation's pages, and that each page is in its table."""

import doctest
import re
from pathlib import Path

import pytest

from skdg._registry import ESTIMATORS

DOC = Path(__file__).parents[1] / "doc"
PAGES = sorted([*DOC.glob("*.rst"), *DOC.glob("guide/*.rst")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_a_page_give_what_it_says(page):
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_a_table_of_contents_names_every_page():
    # What is in the guide, the page of the families names.
    tables = [DOC / "index.rst", DOC / "domains.rst"]
    contents = "".join(page.read_text(encoding="utf-8") for page in tables)
    named = set(re.findall(r"^   ([\w/]+)$", contents, re.MULTILINE))
    pages = {str(page.relative_to(DOC).with_suffix("")) for page in PAGES} - {"index"}
    assert named == pages | {"auto_examples/index", "api/index", "evidence/index"}


def test_the_guide_names_every_estimator():
    text = "".join(page.read_text(encoding="utf-8") for page in DOC.glob("guide/*.rst"))
    for name in ESTIMATORS:
        method = re.sub("(Classifier|Regressor)$", "", name)
        assert re.search(rf"\b{method}(Classifier|Regressor)?\b", text), name

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The examples in the documentation's pages, and that each page is in its table."""

import doctest
import re
from pathlib import Path

import pytest

DOC = Path(__file__).parents[1] / "doc"
# The gallery leaves a page of its own here when the documentation was built.
PAGES = sorted(set(DOC.glob("*.rst")) - {DOC / "sg_execution_times.rst"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_a_page_give_what_it_says(page):
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_the_index_names_every_page():
    index = (DOC / "index.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"^   ([\w/]+)$", index, re.MULTILINE))
    pages = {page.stem for page in PAGES if page.stem != "index"}
    assert named == pages | {"auto_examples/index", "api/index", "evidence/index"}

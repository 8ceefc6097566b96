# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""No file of a user is run as code, and no name in a table becomes a part of a page."""

import ast
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skdg
from skdg import AnchorClassifier, ERMClassifier
from skdg.study import run_study

FILES = sorted(Path(skdg.__file__).parent.rglob("*.py"))
# What loads or runs code, as it stands in a source. (To dump a pickle is to write.)
MODULES = {"cloudpickle", "dill", "marshal", "shelve", "subprocess"}
CALLS = {"eval", "exec", "compile", "os.system", "pickle.load", "pickle.loads"}
CALLS |= {"joblib.load", "torch.load", "skops.io.load", "pd.read_pickle", "yaml.load"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_source_loads_code(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert MODULES.isdisjoint(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in MODULES
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            assert CALLS.isdisjoint(names)
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in CALLS
            assert "allow_pickle" not in {keyword.arg for keyword in node.keywords}


SCRIPT = "<script>alert(1)</script>"
QUOTE = "\"' onmouseover='alert(2)"
LINK = "</td><a href='javascript:alert(3)'>"


class Page(HTMLParser):
    """Collect the elements, the names of attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text.append(data)


def test_a_hostile_table_gives_a_harmless_page(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({SCRIPT: rng.normal(size=60), QUOTE: [LINK, SCRIPT] * 30})
    y = pd.Series(np.where(X[SCRIPT] > 0, LINK, QUOTE), name=SCRIPT)
    domains = pd.Series([SCRIPT, QUOTE, LINK] * 20, name=LINK)
    encode = OneHotEncoder()
    methods = {
        QUOTE: make_pipeline(encode, AnchorClassifier()),
        SCRIPT: make_pipeline(encode, ERMClassifier(max_iter=2)),
    }
    result = run_study(
        methods, X, y, domains, n_candidates=1, n_seeds=1, output=tmp_path / "study"
    )
    page = Page(result.to_html(reference=QUOTE))
    assert not page.tags & {"a", "script", "iframe", "object", "link"}
    assert not {name for name in page.attributes if name.startswith("on")}
    # Estimators and domains are shown as they are.
    for name in (SCRIPT, QUOTE, LINK):
        assert name in page.text

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Configuration of sphinx, which writes the pages of the interface and evidence."""

import inspect
import os
import sys
import zlib
from pathlib import Path

import skdg
from skdg._registry import ESTIMATORS

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.reproduce._pages import write_pages

os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "skdg"
author = "The skdg developers"
version = release = skdg.__version__
copyright = author

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "logo": {"text": "skdg"},
    "show_prev_next": False,
    # Room for the links in windows of 960 pixels; in narrower ones a menu has them.
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 4,
    "github_url": "https://github.com/skdg/skdg",
}
html_static_path = ["_static"]
html_css_files = ["skdg.css"]
# The column on the left would be empty beside pages that have none below them.
html_sidebars = {"*": []}
# What classes inherit from scikit-learn refers to pages of its documentation.
suppress_warnings = ["ref.ref", "ref.term"]
autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_default_options = {"members": True, "inherited-members": True}
# Docstrings say what types are, in words.
autodoc_typehints = "none"
# The class is in the title of its page; beside it there is little room.
toc_object_entries_show_parents = "hide"
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    # The last line of a block often returns what it drew, which is seen anyway.
    "ignore_repr_types": r"matplotlib\.",
}

# Names of other projects that the pages refer to. Their inventories are read from the
# network; without one the names below still are links.
LINKED = {
    "sklearn": (
        "https://scikit-learn.org/stable",
        "modules/generated/$.html",
        ["LeaveOneGroupOut", "GroupShuffleSplit"],
        "sklearn.model_selection.",
    ),
}


def write_inventory(folder: Path, name: str) -> str:
    """Write the inventory of the names in `LINKED`, and return its path."""
    _, page, objects, prefix = LINKED[name]
    lines = [
        f"{prefix}{each} py:class 1 {page.replace('$', prefix + each)} -"
        for each in objects
    ]
    head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.inv"
    path.write_bytes(head.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
    return str(path)


intersphinx_mapping = {
    name: (
        address,
        (None, write_inventory(Path(__file__).parent / "_build" / "inventories", name)),
    )
    for name, (address, *_) in LINKED.items()
}
intersphinx_timeout = 5
# Button copies the code, and neither prompts nor output.
copybutton_exclude = ".linenos, .gp, .go"

PARTS = {
    "skdg.multitask": "Shared parameters or representations",
    "skdg.invariance": "Shared regularities",
    "skdg.gradients": "Shared search directions",
    "skdg.alignment": "Shared distributions of features",
    "skdg.model_selection": "Model selection",
    "skdg.metrics": "Metrics",
    "skdg.study": "Studies",
    "skdg.inspection": "Inspection",
    "skdg.datasets": "Data",
    "skdg.exceptions": "Warnings and errors",
}


def public_names(module: str) -> list[str]:
    """List the classes and functions of a package under the names users import."""
    package = getattr(skdg, module.removeprefix("skdg."))
    names = getattr(package, "__all__", None) or [
        name for name, value in vars(package).items() if inspect.isclass(value)
    ]
    return [
        f"skdg.{name}" if ESTIMATORS.get(name) == module else f"{module}.{name}"
        for name in names
    ]


def write_interface() -> None:
    """Write the page that lists the interface."""
    lines = ["Interface", "=========", ""]
    for module, title in PARTS.items():
        lines += [title, "-" * len(title), ""]
        lines += [".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in public_names(module)] + [""]
    path = Path(__file__).parent / "api" / "index.rst"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


write_interface()
write_pages(Path(__file__).parent / "evidence")

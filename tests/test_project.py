# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What holds for the project as a whole: its import, its interface, its files."""

import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
import types
from importlib import import_module
from pathlib import Path

import pytest
from numpydoc.hooks.validate_docstrings import parse_config
from numpydoc.validate import validate
from sklearn.base import BaseEstimator

import skdg
from skdg._dataclass import _parse
from skdg._registry import ESTIMATORS
from skdg.base import DomainEstimator

ROOT = Path(__file__).parents[1]
HEADER = "# Authors: The skdg developers\n# SPDX-License-Identifier: BSD-3-Clause\n"
SOURCES = sorted(
    path
    for folder in ("skdg", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run_python(code):
    """Run code in a fresh interpreter, where nothing is imported yet."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("heavy", ["torch", "cvxpy"])
def test_import_is_light(heavy):
    run_python(f"import sys, skdg; dir(skdg); assert {heavy!r} not in sys.modules")


def test_import_leaves_the_configuration_of_sklearn_alone():
    run_python(
        "import sklearn; before = sklearn.get_config(); import skdg; "
        "assert sklearn.get_config() == before"
    )


def test_version_is_that_of_the_metadata():
    assert skdg.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize("name", skdg.__all__)
def test_public_name_resolves(name):
    value = getattr(skdg, name)
    if isinstance(value, types.ModuleType):
        for inner in value.__all__:
            getattr(value, inner)


@pytest.mark.parametrize("package", sorted(set(ESTIMATORS.values())))
def test_every_estimator_of_a_package_is_registered(package):
    module = import_module(package)
    classes = {
        name
        for name in module.__all__
        if issubclass(getattr(module, name), BaseEstimator)
    }
    assert classes == {name for name, home in ESTIMATORS.items() if home == package}


def leaves(cls):
    """Return the classes of skdg below a class from which no other is derived."""
    derived = [c for c in cls.__subclasses__() if c.__module__.startswith("skdg.")]
    return set().union(*map(leaves, derived)) if derived else {cls}


def test_a_method_that_is_only_written_is_registered():
    # Whether its package exports it or not.
    for module in pkgutil.walk_packages(skdg.__path__, "skdg."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    methods = {
        cls.__name__
        for cls in leaves(DomainEstimator)
        # A search is no method.
        if not cls.__module__.startswith("skdg.model_selection.")
    }
    assert methods == set(ESTIMATORS)


# It tests hypotheses.
@pytest.mark.parametrize("name", sorted({*ESTIMATORS} - {"InvariantCausalPrediction"}))
def test_notes_of_a_method_say_what_it_minimizes(name):
    cls = getattr(skdg, name)
    _, sections = _parse(cls.__doc__)
    assert "objective" in sections["Notes"]
    assert "[1]_" in sections["Notes"]
    assert sections["References"].startswith(".. [1]")
    if "penalty_anneal_iters" in cls().get_params():
        assert "`penalty_anneal_iters`" in sections["Notes"]


def test_dir_lists_the_public_names_once():
    assert set(skdg.__all__) <= set(dir(skdg))
    assert len(set(skdg.__all__)) == len(skdg.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        skdg.no_such_name  # noqa: B018


def public_objects():
    """Map the dotted names of public classes and functions of skdg to these."""
    found = {}
    for outer in skdg.__all__:
        value = getattr(skdg, outer)
        if isinstance(value, types.ModuleType):
            inner = {name: getattr(value, name) for name in value.__all__}
            found |= {f"skdg.{outer}.{name}": each for name, each in inner.items()}
        else:
            found[f"skdg.{outer}"] = value
    return {
        name: value
        for name, value in sorted(found.items())
        if inspect.isclass(value) or inspect.isfunction(value)
    }


def public_methods():
    """List the dotted names of the methods of public classes."""
    return [
        f"{name}.{method}"
        for name, value in public_objects().items()
        if inspect.isclass(value)
        for method, function in inspect.getmembers(value, inspect.isfunction)
        # What comes from scikit-learn is documented there.
        if not method.startswith("_") and function.__module__.startswith("skdg.")
    ]


def test_public_docstrings_are_complete():
    # These need the object itself, so `numpydoc lint` leaves them to this test.
    checks = parse_config(ROOT)["checks"] | {"GL08", "PR01", "PR02", "RT01", "YD01"}
    # Methods are seen at work in the example of their class.
    wanted = dict.fromkeys(public_methods(), checks)
    wanted |= dict.fromkeys(public_objects(), checks | {"EX01"})
    problems = [
        f"{name}: {code} {text}"
        for name, codes in wanted.items()
        for code, text in validate(name)["errors"]
        if code in codes
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_file_has_the_license_header(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith(HEADER)


def test_a_file_of_a_method_is_short():
    # Parameters, documentation and mathematics on a few screens.
    above = Path(skdg.__file__).parents[1]
    lengths = {
        path.relative_to(above).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for home in set(ESTIMATORS.values())
        for path in (above / home.replace(".", "/")).rglob("*.py")
    }
    assert len(lengths) > len(ESTIMATORS)
    assert not {path: n for path, n in lengths.items() if n >= 150}


@pytest.mark.parametrize("name", ["run", "test"])
def test_readme_has_the_command_that_ci_runs(name):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(
        rf"^<!-- command: {name} -->\n```shell\n(.+)\n```$", readme, re.MULTILINE
    )
    assert len(blocks) == 1
    assert "-c constraints.txt" in blocks[0]


def test_constraints_pin_every_requirement():
    pinned = pins()
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [
        requirement
        for extra in ("study", "plots", "test", "lint")
        for requirement in extras[extra]
    ]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in wanted}
    assert names - {"skdg"} <= set(pinned)


def pins():
    """Read constraints.txt as a mapping from names to versions."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==(\S+)$", text, re.MULTILINE))


def test_pre_commit_and_constraints_agree():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = re.findall(r"repo: https://\S+/([\w-]+)\n +rev: v(\S+)\n", text)
    revisions = {name.removesuffix("-pre-commit"): rev for name, rev in hooks}
    assert revisions == {
        name: pins()[name] for name in ("ruff", "codespell", "numpydoc")
    }


def test_readme_example_prints_what_the_readme_says(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.+?)```", readme, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed
    for line in printed:
        assert f"`{line}`" in readme

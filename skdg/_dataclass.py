# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Estimators as dataclasses: fields, constraints and documentation are inherited.

scikit-learn reads parameters from the signature of ``__init__``. A keyword-only
dataclass writes that signature from the fields along the class tree. The decorator
here lets the two other things that belong to a parameter, its constraint and its
documentation, follow the same path, so that each is written once.
"""

import dataclasses
import inspect
import re
from typing import TypeVar, dataclass_transform

from skdg.base import DomainEstimator

T = TypeVar("T")

# The order that numpydoc asks for.
_SECTIONS = (
    "Parameters",
    "Attributes",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "References",
    "Examples",
)
_HEADING = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)


@dataclass_transform(kw_only_default=True, eq_default=False)
def estimator(cls: type[T]) -> type[T]:
    """Make a class an estimator whose parameters are its annotated fields.

    Parameters
    ----------
    cls : type
        The class. Its fields become keyword-only parameters after those of its bases.
        ``_parameter_constraints`` and the sections of its docstring are completed
        with what its bases say.

    Returns
    -------
    type
        The same class.
    """
    own_doc = cls.__doc__
    cls = dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
    constraints: dict[str, list] = {}
    for base in reversed(cls.__mro__):
        constraints.update(vars(base).get("_parameter_constraints", {}))
    cls._parameter_constraints = constraints  # type: ignore[attr-defined]
    cls._own_doc = own_doc  # type: ignore[attr-defined]
    _put_own_parameters_first(cls)
    if not cls.__name__.startswith("_"):
        cls.__doc__ = _complete_docstring(cls)
    return cls


def _put_own_parameters_first(cls: type) -> None:
    """Show what is particular to a method before what all methods share.

    Nearly all parameters are keyword-only, so their order is a matter of reading alone.
    """
    depth: dict[str, int] = {}
    for level, base in enumerate(cls.__mro__):
        for name in vars(base).get("__annotations__", {}):
            depth.setdefault(name, level)
    init = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(init)
    this, *parameters = signature.parameters.values()
    parameters.sort(key=lambda parameter: (parameter.kind, depth[parameter.name]))
    init.__signature__ = signature.replace(parameters=[this, *parameters])


def _parse(doc: str | None) -> tuple[str, dict[str, str]]:
    """Split a docstring into its opening text and its sections."""
    text = inspect.cleandoc(doc or "")
    parts = _HEADING.split(text)
    sections = {
        title: body.strip("\n")
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return parts[0].strip("\n"), sections


def _entries(section: str) -> dict[str, str]:
    """Split a section of ``name : type`` entries by name."""
    entries = (entry.strip("\n") for entry in _ENTRY.split(section) if entry.strip())
    return {entry.split(" :")[0].strip(): entry for entry in entries}


def _complete_docstring(cls: type) -> str:
    """Return the docstring of `cls` with what its bases document filled in.

    Parameters and attributes are collected entry by entry, in the order of the
    signature and of the class tree. Examples are the class's own, which show it at
    work; every other section is taken from the class that is nearest.
    """
    lineage = [base for base in cls.__mro__ if issubclass(base, DomainEstimator)]
    parsed = [_parse(vars(base).get("_own_doc", base.__doc__)) for base in lineage]
    opening = parsed[0][0]
    parameters: dict[str, str] = {}
    attributes: dict[str, str] = {}
    sections: dict[str, str] = {}
    for _, own in reversed(parsed):
        parameters |= _entries(own.get("Parameters", ""))
        attributes |= _entries(own.get("Attributes", ""))
        sections |= own
    sections["Parameters"] = "\n\n".join(
        parameters[name] for name in inspect.signature(cls).parameters
    )
    sections["Attributes"] = "\n\n".join(attributes.values())
    sections["Examples"] = parsed[0][1].get("Examples", "")
    body = "\n\n".join(
        f"{title}\n{'-' * len(title)}\n{sections[title]}"
        for title in _SECTIONS
        if sections.get(title)
    )
    return f"{opening}\n\n{body}\n"

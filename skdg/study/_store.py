# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The folder of a study: what it is about, and one file for each finished fit."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import skdg

_MANIFEST = "study.json"
# A message shows so many characters of a parameter.
_SHOWN = 60


def write_json(path: Path, content: Any) -> None:
    """Write a file that is either complete or not there, whenever the process dies.

    Parameters
    ----------
    path : Path
        The file.

    content : object
        What json can hold.
    """
    # Its own name for each process, since two may finish the same fit at once.
    temporary = path.with_suffix(f".{os.getpid()}.part")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Return the content of a file; None if it is missing or damaged.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    content : object
        What was written.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def table_hash(values: Any) -> str:
    """Return a fingerprint of an array or a data frame, the same in all processes.

    Parameters
    ----------
    values : array-like or data frame
        What to hash; of a data frame the names and values of columns, not the index.

    Returns
    -------
    fingerprint : str
        The fingerprint.
    """
    if hasattr(values, "columns"):
        columns = [(str(name), np.asarray(values[name])) for name in values.columns]
        return joblib.hash(columns)
    return joblib.hash(values if hasattr(values, "tocsr") else np.asarray(values))


def estimator_print(estimator: Any) -> dict[str, Any]:
    """Return a fingerprint of an estimator that can say what differs.

    Parameters
    ----------
    estimator : estimator instance
        The estimator, not fitted.

    Returns
    -------
    fingerprint : dict
        Its class, and of each parameter a hash and how it prints.
    """
    parameters = {
        name: (joblib.hash(_without_parts(value)), repr(_without_parts(value)))
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.rpartition("__")[2] != "random_state"  # replaced by each fit
    }
    return {
        "class": f"{type(estimator).__module__}.{type(estimator).__qualname__}",
        "parameters": {name: list(pair) for name, pair in parameters.items()},
    }


def _without_parts(value: Any) -> Any:
    """Replace parts that list parameters of their own by the names of their classes."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__qualname__
    if isinstance(value, (list, tuple)):
        return [_without_parts(part) for part in value]
    return value


def open_study(
    folder: Path,
    facts: Mapping[str, str],
    estimators: Mapping[str, Any],
) -> None:
    """Start a study in a folder, or make sure that the one there is the same.

    Parameters
    ----------
    folder : Path
        The folder; it is made if need be.

    facts : mapping of str to str
        What must be the same, in words, with a fingerprint or a value.

    estimators : mapping of str to estimator instance
        The estimators. More of them may come later.

    Raises
    ------
    ValueError
        If the folder holds another study; the message names what differs.
    """
    facts = {**facts, "the version of skdg": skdg.__version__}
    prints = {name: estimator_print(e) for name, e in estimators.items()}
    path = folder / _MANIFEST
    known = read_json(path)
    if known is None:
        if path.exists() or (folder / "fits").exists():
            raise ValueError(
                f"{folder} holds fits, but its {_MANIFEST} is missing or damaged, so "
                f"they cannot be told to belong to this study. Choose another output."
            )
        known = {"facts": facts, "estimators": {}}
    changes = [
        f"{what} ({known['facts'].get(what)} there, {value} here)"
        for what, value in facts.items()
        if known["facts"].get(what) != value
    ]
    # What is the same for several estimators, such as columns, is said once.
    changed: dict[tuple[str, str], list[str]] = {}
    for name in sorted(prints.keys() & known["estimators"].keys()):
        for change in _differences(known["estimators"][name], prints[name]):
            changed.setdefault(change, []).append(repr(name))
    changes += [
        f"{what} {', '.join(names)} {values}"
        for (what, values), names in changed.items()
    ]
    if changes:
        raise ValueError(
            f"{folder} holds the fits of another study, and mixing the two would give "
            f"a wrong table. What differs: {'; '.join(changes)}. Choose another "
            f"output, or give what it was started with."
        )
    # In this order: a folder of fits without a manifest would be an unknown study.
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"facts": facts, "estimators": known["estimators"] | prints})
    (folder / "fits").mkdir(exist_ok=True)
    for part in (folder / "fits").glob("*.part"):  # of a process that was killed
        part.unlink(missing_ok=True)


def _differences(
    there: dict[str, Any], here: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Say what of an estimator differs, and what it is there and here."""
    if there["class"] != here["class"]:
        yield "the estimator", f"({there['class']} there, {here['class']} here)"
        return
    before, after = there["parameters"], here["parameters"]
    for key in sorted(before.keys() | after.keys()):
        old, new = (known.get(key, [None, "nothing"]) for known in (before, after))
        if old[0] != new[0]:
            yield f"the parameter {key} of", _first_difference(old[1], new[1])


def _first_difference(there: str, here: str) -> str:
    """Show two texts, of long ones some of what is from their first difference on."""
    start = 0
    if max(len(there), len(here)) > _SHOWN:
        pairs = enumerate(zip(there, here, strict=False))
        same = next((n for n, (a, b) in pairs if a != b), 0)
        start = max(0, same - _SHOWN // 4)
    there, here = (
        "..." * (start > 0)
        + text[start : start + _SHOWN]
        + "..." * (len(text) > start + _SHOWN)
        for text in (there, here)
    )
    return f"({there} there, {here} here)"

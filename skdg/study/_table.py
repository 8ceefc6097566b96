# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Check that a table can be studied, and sort out its rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skdg.study._columns import (
    clean_domain,
    clean_features,
    clean_target,
    counts_rows,
)
from skdg.study._errors import StudyError, unknown_name
from skdg.study._target import as_target

# A domain needs this many rows: a fifth of them is held out for the in-domain score.
MIN_ROWS = 20


@dataclass
class DomainTable:
    """A table that is ready to be studied.

    Parameters
    ----------
    title : str
        Where it came from.

    features : DataFrame
        The columns to predict from: floats, text or dates.

    kinds : dict of str to {"number", "category", "date"}
        What each of them is.

    target : ndarray of shape (n_rows,)
        Floats, or class labels as text.

    domains : ndarray of shape (n_rows,)
        The domain of each row.

    task : {"classification", "regression"}
        What the target asks for.

    target_name, domain_name : str
        The names of these two columns.

    notices : list of str
        What was left out or assumed on the way, in words.
    """

    title: str
    features: pd.DataFrame
    kinds: dict[str, str]
    target: np.ndarray
    domains: np.ndarray
    task: str
    target_name: str
    domain_name: str
    notices: list[str] = field(default_factory=list)


def prepare_table(
    frame: pd.DataFrame,
    *,
    title: str,
    target: str,
    domain: str,
    task: str | None = None,
    drop: Sequence[str] = (),
    max_domains: int | None = None,
    max_rows: int | None = None,
    seed: int = 0,
    drop_missing: bool = True,
    drop_small: bool = True,
) -> DomainTable:
    """Check a table and sort out its columns and rows.

    Parameters
    ----------
    frame : DataFrame
        The table; it is not modified.

    title : str
        Where it came from.

    target, domain : str
        The column to predict, and the one that says where a row came from.

    task : {"classification", "regression"}, default=None
        What the target asks for; None finds out.

    drop : sequence of str, default=()
        Columns to leave out.

    max_domains : int, default=None
        How many domains to keep: the largest ones.

    max_rows : int, default=None
        How many rows of a domain to keep, drawn at random.

    seed : int, default=0
        Seed of that draw.

    drop_missing, drop_small : bool, default=True
        Whether to leave out rows without a target or domain, and domains of too few
        rows. False refuses such a table.

    Returns
    -------
    DomainTable
        The table that is left.

    Raises
    ------
    StudyError
        If it cannot be studied; the message says why and what to change.
    """
    for what, name in (("target", target), ("domain", domain)):
        if name not in frame.columns:
            raise unknown_name(f"column (for the {what})", name, frame.columns)
    for name in drop:
        if name not in frame.columns:
            raise unknown_name("column to drop", name, frame.columns)
    if target == domain:
        raise StudyError(
            f"target and domain are the same column, {target!r}: the target is what to "
            f"predict, the domain says where a row came from."
        )
    notices: list[str] = []
    frame = frame.drop(columns=[c for c in drop if c not in (target, domain)])
    target_column = clean_target(frame[target], task, notices)
    domain_column = clean_domain(frame[domain], notices)
    counting = [c for c in frame if c not in (target, domain) and counts_rows(frame[c])]
    if counting:
        notices.append(
            f"Columns that only count the rows left out: {', '.join(counting)}."
        )
        frame = frame.drop(columns=counting)
    for name, column in ((target, target_column), (domain, domain_column)):
        missing = column.isna().to_numpy()
        if missing.all():
            raise StudyError(f"column {name!r} holds no values.")
    known = (target_column.notna() & domain_column.notna()).to_numpy()
    if not known.all():
        if not drop_missing:
            raise _missing(frame, target_column, domain_column)
        notices.append(
            f"{(~known).sum()} of {len(known)} rows left out, because {target} or "
            f"{domain} is missing."
        )
    domains = _as_labels(domain_column[known])
    rows = np.flatnonzero(known)
    chosen = _choose_rows(
        domains, domain, max_domains, max_rows, seed, drop_small, notices
    )
    rows, domains = rows[chosen], domains[chosen]

    y, found_task = as_target(target_column.iloc[rows], task, notices)
    features, kinds = clean_features(
        frame.drop(columns=[target, domain]).iloc[rows], notices
    )
    if not kinds:
        raise StudyError("no column is left to predict from.")
    return DomainTable(
        title=title,
        features=features,
        kinds=kinds,
        target=y,
        domains=domains,
        task=found_task,
        target_name=target,
        domain_name=domain,
        notices=notices,
    )


def _missing(frame: pd.DataFrame, *columns: pd.Series) -> StudyError:
    """Return the error for rows without a target or a domain."""
    facts = []
    for column in columns:
        rows = np.flatnonzero(column.isna())
        if len(rows):
            first = frame[column.name].iloc[rows[0]]
            word = f" ({first!r} there)" if isinstance(first, str) else ""
            facts.append(
                f"column {column.name!r} has no value in {len(rows)} of {len(column)} "
                f"rows, first in row {rows[0] + 1}{word}"
            )
    return StudyError(
        f"{'; '.join(facts)}. Fill in what is missing, or leave these rows out with "
        f"--drop-missing."
    )


def _as_labels(column: pd.Series) -> np.ndarray:
    """Return domain labels, with whole numbers as whole numbers, for they are shown."""
    labels = np.asarray(column)
    if labels.dtype.kind == "f" and np.all(labels == np.floor(labels)):
        return labels.astype(np.int64)
    if labels.dtype.kind in "iufb":
        return labels
    return np.array(column.astype(str).tolist())


def _choose_rows(
    domains: np.ndarray,
    name: str,
    max_domains: int | None,
    max_rows: int | None,
    seed: int,
    drop_small: bool,
    notices: list[str],
) -> np.ndarray:
    """Return the rows of the domains that are large enough, few and small enough."""
    labels, codes, sizes = np.unique(domains, return_inverse=True, return_counts=True)
    if len(labels) == 1:
        raise StudyError(
            f"column {name!r} holds the single value {str(labels[0])!r}. A study holds "
            f"one domain out after the other, so it needs two at least."
        )
    kept = np.flatnonzero(sizes >= MIN_ROWS)
    if len(kept) < 2:
        raise StudyError(
            f"column {name!r} has {len(labels)} values, of which {len(kept)} occur in "
            f"{MIN_ROWS} rows or more; the largest domain has {sizes.max()} rows. A "
            f"study needs two domains of {MIN_ROWS} rows. Is it the right column?"
        )
    fewer = max_domains is not None and max_domains < len(kept)
    if len(kept) < len(labels) and not fewer:
        small = [str(label) for label in labels[sizes < MIN_ROWS]]
        shown = ", ".join(small[:3]) + (", ..." if len(small) > 3 else "")
        if not drop_small:
            raise StudyError(
                f"{len(small)} of {len(labels)} domains in column {name!r} have fewer "
                f"than {MIN_ROWS} rows, too few to hold out a part: {shown}. Join them "
                f"with others, or leave them out with --drop-small."
            )
        notices.append(
            f"Domains with fewer than {MIN_ROWS} rows left out ({len(small)}): {shown}."
        )
    if fewer:
        notices.append(
            f"The {max_domains} largest of {len(labels)} domains are used "
            f"(--max-domains changes this)."
        )
        # The sort is stable, so that domains of one size are taken in their order.
        kept = kept[np.argsort(-sizes[kept], kind="stable")[:max_domains]]
    if len(kept) == 2:
        notices.append(
            "With two domains each model trains on a single one, so methods that "
            "compare domains have nothing to compare."
        )
    rng = np.random.default_rng(seed)
    chosen, capped = [], []
    for domain in np.sort(kept):
        rows = np.flatnonzero(codes == domain)
        if max_rows is not None and len(rows) > max_rows:
            rows = np.sort(rng.permutation(rows)[:max_rows])
            capped.append(str(labels[domain]))
        chosen.append(rows)
    if capped:
        notices.append(
            f"{max_rows} rows drawn at random of {', '.join(capped)} "
            f"(--max-rows changes this)."
        )
    return np.sort(np.concatenate(chosen))

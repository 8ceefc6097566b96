# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a study is about: its arguments, checked."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from skdg.base import encode_groups
from skdg.metrics import GroupScorer
from skdg.model_selection import DomainHoldout
from skdg.study._methods import baselines_of, space_of
from skdg.study._names import are_classifiers, name_estimators
from skdg.study._result import RULES
from skdg.study._store import table_hash


class Setup(NamedTuple):
    """What a study is about.

    Parameters
    ----------
    estimators : dict of str to estimator instance
        The estimators by name, baselines last.

    spaces : dict of str to dict or list of dicts
        What candidates of each are drawn from.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    codes : ndarray of shape (n_samples,)
        The domain of each row, as a position among them.

    rules : tuple of str
        The rules of selection.

    scoring : str or callable
        The scorer.

    stratify : bool
        Whether the rows that no fit sees have the classes of each domain in proportion.
    """

    estimators: dict[str, Any]
    spaces: dict[str, Any]
    domains: np.ndarray
    codes: np.ndarray
    rules: tuple[str, ...]
    scoring: Any
    stratify: bool

    @property
    def score_name(self) -> str:
        """The name of the score."""
        if isinstance(self.scoring, str):
            return self.scoring
        return getattr(self.scoring, "__name__", "score")


def set_up(
    estimators: Any,
    y: Any,
    groups: Any,
    *,
    selection: str | Sequence[str],
    scoring: Any,
    param_distributions: Mapping[str, Any],
    test_size: float,
    baselines: bool,
) -> Setup:
    """Check the arguments of :func:`~skdg.study.run_study`.

    Parameters
    ----------
    estimators, y, groups : object
        What to compare, and the targets and the domains of the rows.

    selection, scoring, param_distributions, test_size, baselines : object
        As in :func:`~skdg.study.run_study`.

    Returns
    -------
    setup : Setup
        What the study is about.

    Raises
    ------
    ValueError
        If there is no such study; the message says why.
    """
    if groups is None:
        raise ValueError(
            "A study holds out one domain after the other, but groups is None. Pass "
            "the domain of each row: run_study(estimators, X, y, groups)."
        )
    if isinstance(scoring, GroupScorer):
        raise ValueError(
            f"A study scores each domain by itself, so scoring must be what to compute "
            f"on one domain, not {scoring!r}. Pass scoring={scoring.scoring!r}."
        )
    rules = (selection,) if isinstance(selection, str) else tuple(selection)
    rules = tuple(dict.fromkeys(rules))
    domains, codes = encode_groups(groups, _num_samples(y))
    _check_rules(rules, domains)
    # The table is refused now if some domain is too small to hold out a part of it.
    next(DomainHoldout(test_size=test_size).split(codes, groups=domains[codes]))
    named = name_estimators(estimators)
    if baselines:
        task = "classification" if are_classifiers(named) else "regression"
        added = baselines_of(task).items()
        named |= {name: model for name, model in added if name not in named}
    if scoring is None:
        scoring = (
            "accuracy" if are_classifiers(named) else "neg_root_mean_squared_error"
        )
    # Of a rare class a plain draw may leave out all rows, and some scores with them.
    classes = all(map(is_classifier, named.values()))
    stratify = classes and type_of_target(y) in ("binary", "multiclass")
    spaces = _spaces(named, param_distributions)
    return Setup(named, spaces, domains, codes, rules, scoring, stratify)


def _check_rules(rules: Sequence[str], domains: np.ndarray) -> None:
    for rule in rules:
        if rule not in RULES:
            raise ValueError(
                f"There is no rule {rule!r}; there are {', '.join(RULES)}."
            )
    if not rules:
        raise ValueError(f"selection is empty; choose among {', '.join(RULES)}.")
    needed = 3 if "leave-one-domain-out" in rules else 2
    if len(domains) < needed:
        raise ValueError(
            f"A study with selection={', '.join(rules)} needs {needed} domains at "
            f"least, but groups has {len(domains)}: {', '.join(map(str, domains))}."
        )


def _spaces(named: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what candidates of each estimator are drawn from."""
    unknown = given.keys() - named.keys()
    if unknown:
        raise ValueError(
            f"param_distributions has {sorted(unknown)}, but the estimators are "
            f"{sorted(named)}."
        )
    return {
        name: given[name] if name in given else space_of(estimator)
        for name, estimator in named.items()
    }


def facts_of(setup: Setup, X: Any, y: Any, test_size: float) -> dict[str, str]:
    """Return what must be the same whenever a study is gone on with.

    Parameters
    ----------
    setup : Setup
        What the study is about.

    X, y : array-like
        Its table.

    test_size : float
        Share of each domain that no fit sees.

    Returns
    -------
    facts : dict of str to str
        In words, with a fingerprint or a value.
    """
    scoring = setup.scoring
    return {
        "the table X": table_hash(X),
        "the targets y": table_hash(y),
        "the domains": joblib.hash((setup.domains.tolist(), setup.codes)),
        "scoring": scoring if isinstance(scoring, str) else joblib.hash(scoring),
        "test_size": repr(float(test_size)),
        "the draw of held-out rows": "by class" if setup.stratify else "plain",
    }

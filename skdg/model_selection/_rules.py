# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""DomainBed's rules of selection: which rows candidates are scored on, and how."""

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples

from skdg.metrics import GroupScorer
from skdg.metrics._group_scorer import plain_scorer
from skdg.metrics._group_scores import naming
from skdg.model_selection._domain_holdout import DomainHoldout


def check_test_rows(rule: str, test: Any) -> None:
    """Raise unless there are rows of the test domain for the oracle, and it alone."""
    if rule == "oracle" and test is None:
        raise ValueError(
            "rule='oracle' needs the rows of the test domain: fit(X, y, "
            "groups=domains, test=(X_test, y_test))."
        )
    if rule != "oracle" and test is not None:
        raise ValueError(
            f"rule={rule!r} must not see the test domain, but fit got test. Leave it "
            f"out, or choose rule='oracle'."
        )


def scorer_of(test: Any, scoring: Any) -> GroupScorer:
    """Return the scorer: of domains among the rows, or of the test domain's rows."""
    if test is None:
        return GroupScorer(scoring, reduction="mean")
    X_test, y_test = indexable(*test)
    return _TestDomainScorer(scoring, X_test, y_test)


def splits_of(
    rule: str, test_size: float, X: Any, codes: np.ndarray, rng: np.random.RandomState
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows to fit and to score on."""
    if rule == "training-domain":
        splitter = DomainHoldout(test_size=test_size, random_state=rng)
        return list(splitter.split(X, groups=codes))
    if rule == "leave-one-domain-out":
        if codes.max() == 0:
            raise ValueError(
                "rule='leave-one-domain-out' needs two domains at least, got one. "
                "Pass fit(X, y, groups=domains), or use rule='training-domain'."
            )
        return list(LeaveOneGroupOut().split(X, groups=codes))
    # All rows train; the scorer looks at the test domain instead of this one row.
    return [(np.arange(_num_samples(X)), np.zeros(1, dtype=np.intp))]


class _TestDomainScorer(GroupScorer):
    """A scorer that looks at the test domain, whatever rows it is given."""

    def __init__(self, scoring: Any, X_test: Any, y_test: Any) -> None:
        super().__init__(scoring)
        self.X_test = X_test
        self.y_test = y_test

    def _by_domain(
        self, estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any
    ) -> dict[Hashable, float]:
        # Without groups: to the model the domain is an unknown one.
        scorer = plain_scorer(self.scoring, estimator)
        with naming("test"):
            return {"test": scorer(estimator, self.X_test, self.y_test)}

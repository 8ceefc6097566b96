# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A domain search whose candidates have no score."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skdg.metrics import GroupScorer
from skdg.model_selection import DomainSearchCV


@pytest.fixture
def data():
    """Three domains, and rows of another to test on."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(160, 2)), rng.integers(2, size=160)
    groups = np.repeat(["a", "b", "c", "d"], 40)
    seen = groups != "d"
    return X[seen], y[seen], groups[seen], (X[~seen], y[~seen])


@pytest.mark.parametrize("rule", ["training-domain", "oracle"])
def test_a_scorer_of_domains_is_refused_before_any_fit(data, rule):
    X, y, groups, test = data
    scoring = GroupScorer("roc_auc")
    search = DomainSearchCV(
        LogisticRegression(), {"C": [0.1, 10.0]}, rule=rule, scoring=scoring
    )
    with pytest.raises(ValueError, match=r"Pass what it .*: scoring='roc_auc'"):
        search.fit(X, y, groups=groups, test=test if rule == "oracle" else None)
    assert not hasattr(search, "best_estimator_")


# scikit-learn warns of each score, but not of which domain it is.
@pytest.mark.filterwarnings("ignore:.*(class|test scores|Scoring failed)")
@pytest.mark.filterwarnings("ignore::skdg.exceptions.OracleSelectionWarning")
@pytest.mark.parametrize(
    ("rule", "scoring", "message"),
    [
        ("training-domain", "roc_auc", "not defined on the rows of domain 'b'"),
        ("leave-one-domain-out", "roc_auc", "not defined on the rows of domain 'b'"),
        ("oracle", "roc_auc", "not defined on the rows of domain 'test'"),
        ("leave-one-domain-out", "neg_log_loss", "domain 'b' failed: y_true contains"),
    ],
)
def test_no_score_at_all_is_an_error_that_names_the_domain(
    data, rule, scoring, message
):
    X, y, groups, test = data
    options = {}
    if rule == "oracle":
        options["test"] = (test[0], np.ones_like(test[1]))
    else:
        y = np.where(groups == "b", 1, y)
    search = DomainSearchCV(
        LogisticRegression(),
        {"C": [0.1, 10.0]},
        rule=rule,
        scoring=scoring,
        random_state=0,
    )
    with pytest.raises(ValueError, match=f"every candidate is nan.*{message}"):
        search.fit(X, y, groups=groups, **options)
    assert not hasattr(search, "best_score_")
    if rule != "oracle":
        # The rows of the other domains have scores.
        kept = groups != "b"
        search.fit(X[kept], y[kept], groups=groups[kept])
        assert np.isfinite(search.best_score_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:.*non-finite")
def test_a_split_without_any_fit_is_an_error_that_says_where_to_look(data):
    X, y, groups, _ = data
    # Without the domain "a" there is one class alone to fit to.
    y = np.where(groups == "a", y, 1)
    search = DomainSearchCV(
        LogisticRegression(), {"C": [1.0]}, rule="leave-one-domain-out"
    )
    with pytest.raises(ValueError, match=r"candidate is nan.*error_score='raise'"):
        search.fit(X, y, groups=groups)

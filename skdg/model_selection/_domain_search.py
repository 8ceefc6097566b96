# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Random search under one of DomainBed's rules of selection."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn import config_context
from sklearn.base import _fit_context
from sklearn.metrics import get_scorer_names
from sklearn.utils import indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED

from skdg._random import private_rng
from skdg.base import DomainEstimator
from skdg.exceptions import (
    OracleSelectionWarning,
    OrdinarySearchWarning,
    SingleDomainWarning,
)
from skdg.metrics._group_scorer import plain_scorer
from skdg.model_selection._batched_search import BatchedGridSearchCV
from skdg.model_selection._best_estimator import BestEstimator
from skdg.model_selection._rules import check_test_rows, scorer_of, splits_of
from skdg.model_selection._run_search import run_search
from skdg.model_selection._search_space import draw_candidates

_ORACLE = (
    "DomainSearchCV(rule='oracle') chose hyperparameters by their score on the test "
    "domain. That is cheating: best_score_ and any other score on this domain are no "
    "estimate for a domain that nobody has seen. Report them as an upper bound only, "
    "beside rule='training-domain' or rule='leave-one-domain-out'."
)


class DomainSearchCV(BestEstimator, DomainEstimator):
    """Random search that selects by a rule that has a name.

    How hyperparameters are selected decides what a comparison of methods for unseen
    domains means [1]_. This search applies one of the three rules of DomainBed, refits
    with the best candidate on all training rows, and remembers which rule it was.

    Parameters
    ----------
    estimator : estimator instance
        What to tune. A method of skdg, a pipeline that ends with one, or any estimator
        of scikit-learn. `groups` reach its `fit` if it asks for them, which the methods
        of skdg do; nothing has to be configured.

    param_distributions : dict or list of dicts, default=None
        Names of parameters, with distributions that have a method `rvs` or lists to
        draw from, as in :class:`~sklearn.model_selection.RandomizedSearchCV`.
        None takes those of :func:`search_space`.

    rule : {"training-domain", "leave-one-domain-out", "oracle"}, \
            default="training-domain"
        What candidates are scored on.

        - "training-domain": a share of the rows of every training domain, held out.
        - "leave-one-domain-out": each training domain in turn, left out entirely. It
          asks the question that matters, but costs one fit for each domain and
          candidate, and is noisy if domains are few.
        - "oracle": the test domain. This is cheating, and says so by a
          :class:`~skdg.exceptions.OracleSelectionWarning`; the rows go to
          ``fit(X, y, groups=domains, test=(X_test, y_test))``. No model is ever
          *fitted* to them.

    n_candidates : int, default=20
        Number of candidates, as in DomainBed. The first is the estimator as it is; the
        others are drawn.

    scoring : str or callable, default=None
        Name of a scorer of scikit-learn, or ``scorer(estimator, X, y)``, for the rows
        of one domain. More is better. None is "accuracy" for classifiers and "r2" for
        regressors.

    test_size : float, default=0.2
        Share of each domain to hold out by the rule "training-domain".

    n_jobs : int, default=None
        Number of fits at the same time; None is one, unless a
        :func:`joblib.parallel_config` says otherwise. Networks train side by side
        whatever it is, see :class:`BatchedGridSearchCV`.

    error_score : "raise" or float, default=np.nan
        Score of a candidate whose fit fails; "raise" raises its error instead.

    random_state : int, RandomState instance or None, default=None
        Seed of the candidates and of the rows that are held out. None leaves the
        global generator of numpy alone.

    Attributes
    ----------
    rule_ : str
        The rule by which the hyperparameters were selected.

    selected_with_test_domain_ : bool
        Whether that rule looked at the test domain: True for the oracle only.

    best_estimator_ : estimator instance
        The estimator with the best parameters, fitted to all training rows.

    best_params_ : dict
        The parameters that were set; empty if the estimator as it is came out best.

    best_score_ : float
        Mean over domains of the score of the best candidate.

    best_index_ : int
        Its position in `cv_results_`.

    cv_results_ : dict of str to ndarray
        All candidates, as in :class:`~sklearn.model_selection.GridSearchCV`.

    classes_ : ndarray of shape (n_classes,)
        The classes of a classifier.

    domains_ : ndarray of shape (n_domains,)
        The labels of the domains seen in fit, sorted.

    n_domains_ : int
        Number of domains seen in fit.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit, if they have names.

    See Also
    --------
    search_space : What is drawn from by default.
    DomainHoldout : The split of the rule "training-domain".
    LeaveOneDomainOut : The split of the rule "leave-one-domain-out".

    Notes
    -----
    Under all rules a score is the mean over domains, each with the same weight,
    whatever their numbers of rows. Multi-task models predict held-out rows of training
    domains with `groups`. The methods of the search take none, and use their shared
    model; for predictions by domain call `best_estimator_`. `fit` takes no weights.

    References
    ----------
    .. [1] I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization",
       ICLR 2021.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skdg import AnchorClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.model_selection import DomainSearchCV
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> search = DomainSearchCV(
    ...     AnchorClassifier(),
    ...     {"gamma": loguniform(1, 1000)},
    ...     rule="leave-one-domain-out",
    ...     n_candidates=5,
    ...     random_state=0,
    ... )
    >>> search = search.fit(X, y, groups=groups)
    >>> search.rule_, search.selected_with_test_domain_
    ('leave-one-domain-out', False)
    """

    # The test rows have another length than X; nothing can route them.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True, "test": UNUSED}

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit"])],
        "param_distributions": [dict, list, None],
        "rule": [StrOptions({"training-domain", "leave-one-domain-out", "oracle"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral, None],
        "error_score": [StrOptions({"raise"}), Real],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any = None,
        *,
        rule: str = "training-domain",
        n_candidates: int = 20,
        scoring: str | Callable[..., float] | None = None,
        test_size: float = 0.2,
        n_jobs: int | None = None,
        error_score: str | float = np.nan,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.rule = rule
        self.n_candidates = n_candidates
        self.scoring = scoring
        self.test_size = test_size
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None, *, test: Any = None) -> Self:
        """Try all candidates, and refit with the best on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the training domains.

        y : array-like of shape (n_samples,)
            Their targets.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row. None, with a warning, is one domain for all.

        test : tuple (X_test, y_test), default=None
            Rows of the test domain, for ``rule="oracle"`` and no other.

        Returns
        -------
        self : DomainSearchCV
            The fitted search.

        Raises
        ------
        ValueError
            If `test` is given to a rule that may not see it, or is missing for the
            oracle, or if there are too few domains or rows for the rule, or if no
            candidate has a score that is not nan.

        Warns
        -----
        OracleSelectionWarning
            If the rule is the oracle.
        SingleDomainWarning
            If there is one domain only.
        """
        check_test_rows(self.rule, test)
        plain_scorer(self.scoring, self.estimator)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                f"the target y is None."
            )
        X, y = indexable(X, y)
        with self._unchanged_on_error():
            domains, codes = self._encode_domains(X, groups)
            rng = private_rng(self.random_state)
            candidates = draw_candidates(
                self.estimator, self.param_distributions, self.n_candidates, rng
            )
            search = BatchedGridSearchCV(
                self.estimator,
                [{name: [value] for name, value in p.items()} for p in candidates],
                scoring=scorer_of(test, self.scoring),
                cv=splits_of(self.rule, self.test_size, X, codes, rng),
                n_jobs=self.n_jobs,
                error_score=self.error_score,
            )
            with warnings.catch_warnings():
                # Any estimator is welcome here, side by side or not.
                warnings.simplefilter("ignore", OrdinarySearchWarning)
                if len(domains) == 1:  # told already
                    warnings.simplefilter("ignore", SingleDomainWarning)
                # Only with routing do groups reach the fits and the scorer.
                with config_context(enable_metadata_routing=True):
                    run_search(search, X, y, domains[codes])
            if test is not None:
                warnings.warn(_ORACLE, OracleSelectionWarning, stacklevel=3)
            self.domains_ = domains
            self.n_domains_ = len(domains)
            self.rule_ = self.rule
            self.selected_with_test_domain_ = self.rule == "oracle"
            self.best_estimator_ = search.best_estimator_
            self.best_index_ = int(search.best_index_)
            self.best_score_ = float(search.best_score_)
            self.cv_results_ = search.cv_results_
            self.best_params_ = search.best_params_
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(search.best_estimator_, name):
                    setattr(self, name, getattr(search.best_estimator_, name))
        return self

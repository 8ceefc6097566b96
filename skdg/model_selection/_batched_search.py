# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Grid search and randomized search whose candidates train side by side."""

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skdg.model_selection._batched_evaluation import BatchedSearch


class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Grid search whose candidates train side by side.

    Interface and results are those of :class:`~sklearn.model_selection.GridSearchCV`.

    Parameters
    ----------
    estimator : estimator instance
        What to tune: a method of skdg, or a pipeline that ends with one. All others
        are fitted one by one.

    param_grid : dict or list of dicts
        Names of parameters, with lists of their values; all combinations are tried.

    scoring : str, callable, list, tuple or dict, default=None
        What candidates are scored by; None is the score of the estimator.

    n_jobs : int, default=None
        Number of worker processes for batches, and for fits that are made one by one.
        None is one, unless a :func:`joblib.parallel_config` says otherwise: batches
        then use the threads of torch (``torch.get_num_threads()``), one for each. See
        Notes.

    refit : bool, str or callable, default=True
        Whether to fit the best candidate to all rows; by which score it is the best, if
        there are several.

    cv : int, splitter or iterable, default=None
        How to split the rows. None is five folds.

    verbose : int, default=0
        How much to print of fits that are made one by one.

    pre_dispatch : int or str, default="2*n_jobs"
        How many batches or fits to hand out to the worker processes at once.

    error_score : "raise" or float, default=np.nan
        Score of a fit that fails; "raise" raises its error.

    return_train_score : bool, default=False
        Whether to score on the rows of training, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Scores and times of all candidates. The time of a fit is its share of the time
        of its batch.

    best_estimator_ : estimator instance
        The best candidate, fitted to all rows; only if `refit` is not False.

    best_score_ : float
        Its mean score over folds.

    best_params_ : dict
        Its parameters.

    best_index_ : int
        Its position in `cv_results_`.

    scorer_ : callable or dict
        What scored.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that the fit to all rows took.

    multimetric_ : bool
        Whether there are several scores.

    classes_ : ndarray of shape (n_classes,)
        The classes of a classifier; only if `refit` is not False.

    n_features_in_ : int
        Number of features seen in fit; only if `refit` is not False.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit, if they have names.

    See Also
    --------
    BatchedRandomizedSearchCV : Candidates that are drawn.
    DomainSearchCV : A search by a rule of selection that has a name.

    Notes
    -----
    Small networks are bound by the cost of a call, not by arithmetic: many of them take
    little longer than one. Candidates are trained side by side that differ in numbers
    alone, such as weights, step sizes and seeds. Another value of what changes a shape
    or a kind (`hidden_layer_sizes`, `batch_size`, `optimizer`, ...), or a weight of 0,
    starts another batch; so does another seed for methods that draw at random in their
    steps. If there are few candidates, folds of equal shape share a batch. Steps of a
    pipeline before the last are fitted once per fold for all candidates that have them
    in common.

    Threads need no start, but wait for each other's Python code between the operators,
    and small batches gain nothing from them. Worker processes do not wait, and score
    candidates at the same time as well, but need seconds to start; joblib keeps them
    for the next search.

    One by one are fitted: other estimators than networks of linear layers in which all
    domains share all parameters; those with a `module`, ``warm_start`` or callbacks;
    networks on so many rows in an iteration that one fills the cores. An
    :class:`~skdg.exceptions.OrdinarySearchWarning` names the reason. A fit that fails
    or diverges is made once more by itself, and reported as scikit-learn does.

    Each fit is the same as by itself to rounding, and so are the scores: candidates
    whose scores are exactly equal one by one may rank differently.

    Examples
    --------
    >>> from sklearn import config_context
    >>> from sklearn.model_selection import LeaveOneGroupOut
    >>> from skdg import VRExClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.model_selection import BatchedGridSearchCV
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> search = BatchedGridSearchCV(
    ...     VRExClassifier(hidden_layer_sizes=(), random_state=0),
    ...     {"penalty_weight": [0.1, 1.0, 10.0]},
    ...     cv=LeaveOneGroupOut(),
    ... )
    >>> with config_context(enable_metadata_routing=True):
    ...     search = search.fit(X, y, groups=groups)
    >>> search.cv_results_["mean_test_score"].shape
    (3,)
    """

    def _candidates(self) -> Iterable[Mapping[str, Any]]:
        return ParameterGrid(self.param_grid)


class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Randomized search whose candidates train side by side.

    Interface and results are those of
    :class:`~sklearn.model_selection.RandomizedSearchCV`.

    Parameters
    ----------
    estimator : estimator instance
        What to tune: a method of skdg, or a pipeline that ends with one. All others
        are fitted one by one.

    param_distributions : dict or list of dicts
        Names of parameters, with lists of their values or distributions that have a
        method `rvs`.

    n_iter : int, default=10
        Number of candidates to draw.

    scoring : str, callable, list, tuple or dict, default=None
        What candidates are scored by; None is the score of the estimator.

    n_jobs : int, default=None
        Number of worker processes for batches, and for fits that are made one by one.
        None is one, unless a :func:`joblib.parallel_config` says otherwise: batches
        then use the threads of torch (``torch.get_num_threads()``), one for each. See
        Notes.

    refit : bool, str or callable, default=True
        Whether to fit the best candidate to all rows; by which score it is the best, if
        there are several.

    cv : int, splitter or iterable, default=None
        How to split the rows. None is five folds.

    verbose : int, default=0
        How much to print of fits that are made one by one.

    pre_dispatch : int or str, default="2*n_jobs"
        How many batches or fits to hand out to the worker processes at once.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    error_score : "raise" or float, default=np.nan
        Score of a fit that fails; "raise" raises its error.

    return_train_score : bool, default=False
        Whether to score on the rows of training, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Scores and times of all candidates. The time of a fit is its share of the time
        of its batch.

    best_estimator_ : estimator instance
        The best candidate, fitted to all rows; only if `refit` is not False.

    best_score_ : float
        Its mean score over folds.

    best_params_ : dict
        Its parameters.

    best_index_ : int
        Its position in `cv_results_`.

    scorer_ : callable or dict
        What scored.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that the fit to all rows took.

    multimetric_ : bool
        Whether there are several scores.

    classes_ : ndarray of shape (n_classes,)
        The classes of a classifier; only if `refit` is not False.

    n_features_in_ : int
        Number of features seen in fit; only if `refit` is not False.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit, if they have names.

    See Also
    --------
    BatchedGridSearchCV : All combinations of values; says what trains side by side.
    DomainSearchCV : A search by a rule of selection that has a name.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn import config_context
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdg import ERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.model_selection import BatchedRandomizedSearchCV
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> search = BatchedRandomizedSearchCV(
    ...     make_pipeline(StandardScaler(), ERMClassifier(random_state=0)),
    ...     {"ermclassifier__alpha": loguniform(1e-4, 1.0)},
    ...     n_iter=4,
    ...     random_state=0,
    ... )
    >>> with config_context(enable_metadata_routing=True):
    ...     search = search.fit(X, y, groups=groups)
    >>> search.cv_results_["mean_test_score"].shape
    (4,)
    """

    def _candidates(self) -> Iterable[Mapping[str, Any]]:
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )

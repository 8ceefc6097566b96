# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Run a domain-shift study, or go on with one."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from sklearn.metrics import get_scorer_names
from sklearn.utils import indexable
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)

from skdg.study._fit import Fit
from skdg.study._plan import Piece, list_fits, plan
from skdg.study._result import RULES, StudyResult
from skdg.study._schedule import run_pieces
from skdg.study._setup import facts_of, set_up
from skdg.study._store import open_study, write_json
from skdg.study._work import Protocol


@validate_params(
    {
        "estimators": [dict, list, tuple, HasMethods(["fit"])],
        "selection": [StrOptions(set(RULES)), list, tuple],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "param_distributions": [dict, None],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "baselines": ["boolean"],
        "n_jobs": [Integral, None],
        "callback": [callable, None],
    },
    prefer_skip_nested_validation=True,
)
def run_study(
    estimators: Any,
    X: Any,
    y: Any,
    groups: Any,
    *,
    selection: str | Sequence[str] = "training-domain",
    n_candidates: int = 20,
    n_seeds: int = 3,
    scoring: str | Callable[..., float] | None = None,
    output: str | Path = "study/",
    n_jobs: int | None = None,
    param_distributions: Mapping[str, Any] | None = None,
    test_size: float = 0.2,
    baselines: bool = False,
    callback: Callable[[int, int, Any], object] | None = None,
) -> StudyResult:
    """Hold out each domain in turn, tune on the others, and score on both.

    It follows the protocol of DomainBed [1]_ on any table and with any estimators.
    Nothing is lost when it is interrupted: called again with the same arguments it
    goes on, and ends with the table of a run that was never disturbed.

    Parameters
    ----------
    estimators : dict of str to estimator, or sequence of estimators
        What to compare. In a sequence each goes by the name of its class without
        "Classifier" or "Regressor", or by that of the last step of a pipeline.
        Columns that need encoding or scaling need it in a pipeline; it is then fitted
        on training rows alone.

    X : array-like or data frame of shape (n_samples, n_features)
        The rows.

    y : array-like of shape (n_samples,)
        Their targets.

    groups : array-like of shape (n_samples,)
        The domain of each row.

    selection : {"training-domain", "leave-one-domain-out", "oracle"} or sequence of \
            them, default="training-domain"
        The rules by which candidates are selected, as in
        :class:`~skdg.model_selection.DomainSearchCV`. The oracle selects by the
        test domain, which is cheating, and is marked so in every table. Further rules
        cost nothing, but for "leave-one-domain-out", which adds a fit of each candidate
        for each pair of domains.

    n_candidates : int, default=20
        Number of candidates: the estimator as it is, and random draws. It is one for
        estimators without a search space.

    n_seeds : int, default=3
        Number of repetitions, each with its own held-out rows, candidates and random
        states, which replace those of the estimators.

    scoring : str or callable, default=None
        Name of a scorer of scikit-learn, or ``scorer(estimator, X, y)``, to be computed
        on each domain; more is better. None is "accuracy" for classifiers, and for
        regressors "neg_root_mean_squared_error": R2 would compare with the spread in a
        domain.

    output : str or path, default="study/"
        The folder of the study. Each finished fit is a file there before the next one
        begins; those of candidates that are trained side by side come together.

    n_jobs : int, default=None
        Number of fits, or of blocks of fits side by side, at the same time; None is
        one, unless a :func:`joblib.parallel_config` says otherwise. Each computes in
        one thread, and the table does not depend on it. Estimators with a `device`
        other than "cpu" are exempt: they share one accelerator, one fit after the
        other.

    param_distributions : dict of str to dict, default=None
        For names of estimators what to draw candidates from, instead of
        :func:`~skdg.model_selection.search_space`.

    test_size : float, default=0.2
        Share of each domain that no fit sees, for the in-domain scores. For classifiers
        it has the classes of the domain in proportion.

    baselines : bool, default=False
        Whether to add what knows nothing of domains: the mean or the largest class, a
        linear model on standardized columns, one such model for each domain, whose
        mean predicts other domains, and gradient boosting. They need numbers without
        missing values in X.

    callback : callable, default=None
        Is called as ``callback(n_done, n_fits, row)`` before the first fit, with None
        for the row, and after each fit, with a dict of its "estimator", "held_out",
        "seed", "candidate", "seconds", "error" and scores. An exception in it stops
        the study, which can be resumed.

    Returns
    -------
    result : StudyResult
        The table, its summary, a picture, and a page to show.

    Raises
    ------
    ValueError
        If there are too few domains; if names are not unique; or if `output` holds the
        fits of another study, of other data, estimators, parameters, scoring or version
        of skdg. The message names what differs.

    Warns
    -----
    RuntimeWarning
        If worker processes were lost; their fits run again.

    See Also
    --------
    skdg.model_selection.DomainSearchCV : Selects and refits, for use.

    Notes
    -----
    A fit that fails is a row with its error. A score may be undefined on a domain, such
    as the area under the ROC curve where there is a single class: means over domains
    leave it out, and where it is the domain held out, the fit counts as failed. More
    estimators, rules, candidates or repetitions may be added to a study later: all
    seeds are made of names and numbers, so that no fit depends on which others there
    are.

    Candidates of a network that differ in numbers alone train side by side, as in
    :class:`~skdg.model_selection.BatchedRandomizedSearchCV`. Models that train together
    may differ from those that train alone in their last digits. So that the table is
    the same, bit for bit, whatever else is in the study and however often it was
    interrupted, it is fixed which candidates train together: those of a block from 1 to
    4, 5 to 9, 10 to 19, 20 to 39, 40 to 59 and so on, on the same rows with the same
    seed. A block is always trained whole, so that numbers of candidates at which one
    ends waste nothing. Their seconds are shares of the time of all of them.

    To use several machines, call it within ``joblib.parallel_config("dask")``, or
    another backend of joblib. Workers write to `output` if they see it, else the caller
    does. One study at a time may use a folder.

    The in-domain score of a candidate that was selected by it is somewhat too good.

    References
    ----------
    .. [1] I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization",
       ICLR 2021.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdg import AnchorClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.study import run_study
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run_study(
    ...         [LogisticRegression(), AnchorClassifier()],
    ...         X,
    ...         y,
    ...         groups,
    ...         n_candidates=2,
    ...         n_seeds=1,
    ...         output=folder,
    ...     )
    >>> len(result.frame())
    12
    """
    X, y = indexable(X, y)
    study = set_up(
        estimators,
        y,
        groups,
        selection=selection,
        scoring=scoring,
        param_distributions=param_distributions or {},
        test_size=test_size,
        baselines=baselines,
    )
    folder = Path(output).absolute()
    open_study(folder, facts_of(study, X, y, test_size), study.estimators)
    fits = list(
        list_fits(
            study.estimators,
            study.spaces,
            len(study.domains),
            study.rules,
            n_candidates,
            n_seeds,
        )
    )
    rows, missing = _look_up(plan(fits, study.estimators, study.spaces), folder)
    tell = callback or (lambda n_done, n_fits, row: None)
    tell(len(rows), len(fits), None)
    protocol = Protocol(study.scoring, test_size, study.stratify, folder)
    table = (X, y, study.domains, study.codes, protocol)
    tasks = [(p, study.estimators[p.fits[0].name], *table) for p in missing]
    for fit, row in run_pieces(tasks, n_jobs):
        rows[fit] = row
        if not (folder / "fits" / fit.file).exists():
            write_json(folder / "fits" / fit.file, row)
        tell(len(rows), len(fits), row)
    return StudyResult(
        {fit: rows[fit] for fit in fits},
        study.domains,
        list(study.estimators),
        study.rules,
        study.score_name,
    )


def _look_up(
    pieces: Sequence[Piece], folder: Path
) -> tuple[dict[Fit, dict[str, Any]], list[Piece]]:
    """Return the rows that are there, and what is missing of the pieces."""
    rows = {}
    missing = []
    for piece in pieces:
        left = []
        for fit in piece.fits:
            row = fit.read(folder, piece.trained[fit], piece.fingerprint)
            if row is None:
                left.append(fit)
            else:
                rows[fit] = row
        if left:
            missing.append(piece._replace(fits=tuple(left)))
    return rows, missing

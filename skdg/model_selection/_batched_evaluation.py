# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What both batched searches share: fit side by side, score, refit."""

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Self

from joblib import effective_n_jobs
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import indexable
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, _num_samples

from skdg._callbacks import has_callbacks
from skdg.exceptions import OrdinarySearchWarning
from skdg.model_selection._batched_fits import side_by_side
from skdg.model_selection._batches import Job, Stop, is_worth_a_thread, train_batch

# Rows, targets, and what else their scores depend on.
Part = tuple[Any, Any, Mapping[str, Any]]


class BatchedSearch(BaseSearchCV):
    """A search of scikit-learn with another order of work.

    Batches of fits come first. What cannot be fitted side by side takes scikit-learn's
    way.
    """

    def _candidates(self) -> Iterable[Mapping[str, Any]]:
        """Return the parameters of all candidates."""
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit all candidates to all folds, and the best one to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets.

        **params : dict
            Passed on to the estimator, the splitter and the scorer as in scikit-learn:
            with metadata routing turned on, `groups` reach all that ask for them;
            without it, the splitter alone.

        Returns
        -------
        self : object
            The fitted search.

        Warns
        -----
        OrdinarySearchWarning
            If candidates cannot be trained side by side. The message says why.
        """
        message = f"{type(self).__name__} fits some candidates one by one: "
        if has_callbacks(self):
            message += "it has callbacks, which follow each fit."
            warnings.warn(message, OrdinarySearchWarning, stacklevel=3)
            return super().fit(X, y, **params)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self._checked_cv_orig = cv
        splits = list(cv.split(X, y, **routed.splitter.split))
        self.n_splits_ = len(splits)
        candidates = [dict(parameters) for parameters in self._candidates()]
        out, reasons = self._evaluate(candidates, splits, X, y, routed, scorers)
        if reasons:
            message += "; ".join(reasons) + "."
            warnings.warn(message, OrdinarySearchWarning, stacklevel=3)
        if not out:
            raise ValueError(
                f"{type(self).__name__} has nothing to fit: there are "
                f"{len(candidates)} candidates and {len(splits)} folds."
            )
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)
        results = self._format_results(candidates, self.n_splits_, out)
        self.multimetric_ = isinstance(out[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(out[0]["test_scores"])
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            best = self._select_best_index(self.refit, refit_metric, results)
            self.best_index_ = best
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][best]
            self.best_params_ = results["params"][best]
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_ = results
        return self

    def _evaluate(
        self,
        candidates: Sequence[dict[str, Any]],
        splits: Sequence[tuple[Any, Any]],
        X: Any,
        y: Any,
        routed: Any,
        scorers: Any,
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return what scikit-learn keeps of each fit, by candidate and then by fold.

        And why some fits were made one by one.
        """
        fit_params, score_params = routed.estimator.fit, routed.scorer.score

        def run(batches: list[list[Job]]) -> dict[tuple[int, int], dict[str, Any]]:
            """Train and score batches, each with the rows of its folds."""
            folds = [{job.key[1] for job in batch} for batch in batches]
            parts = {
                split: self._parts(X, y, score_params, *splits[split])
                for split in set().union(*folds)
            }
            stop = Stop()
            try:
                finished = self._workers(batches)(
                    delayed(_train_and_score)(
                        batch,
                        {split: parts[split] for split in own},
                        scorers,
                        self.error_score,
                        stop,
                    )
                    for batch, own in zip(batches, folds, strict=True)
                )
            except BaseException:
                # Threads know nothing of an interrupt.
                stop.wait()
                raise
            return {key: result for own in finished for key, result in own.items()}

        results, reasons = side_by_side(
            self.estimator, candidates, splits, X, y, fit_params, run
        )
        keys = list(product(range(len(candidates)), range(len(splits))))
        alone = [key for key in keys if key not in results]
        ordinary = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(_fit_and_score)(
                clone(self.estimator),
                X,
                y,
                scorer=scorers,
                train=splits[split][0],
                test=splits[split][1],
                verbose=self.verbose,
                parameters=candidates[candidate],
                fit_params=fit_params,
                score_params=score_params,
                return_train_score=self.return_train_score,
                return_n_test_samples=True,
                return_times=True,
                error_score=self.error_score,
                split_progress=(split, len(splits)),
                candidate_progress=(candidate, len(candidates)),
            )
            for candidate, split in alone
        )
        results.update(zip(alone, ordinary, strict=True))
        return [results[key] for key in keys], reasons

    def _parts(
        self, X: Any, y: Any, score_params: Mapping[str, Any], train: Any, test: Any
    ) -> dict[str, Part]:
        """Return what candidates are scored on in a fold."""
        indices = {"test": test} | ({"train": train} if self.return_train_score else {})
        return {
            name: (
                *_safe_split(self.estimator, X, y, rows, train),
                _check_method_params(X, params=score_params, indices=rows),
            )
            for name, rows in indices.items()
        }

    def _workers(self, batches: list[list[Job]]) -> Parallel:
        """Return what runs batches: worker processes if asked for, otherwise threads.

        If the batches are small, threads would wait for each other.
        """
        if effective_n_jobs(self.n_jobs) > 1:
            return Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)
        import torch  # not with the module, which must not load it

        n_threads = torch.get_num_threads()
        if not any(map(is_worth_a_thread, batches)):
            n_threads = 1
        return Parallel(n_jobs=n_threads, backend="threading")

    def _refit(self, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        """Fit the best candidate to all rows."""
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        began = time.time()
        best.fit(X, y, **fit_params) if y is not None else best.fit(X, **fit_params)
        self.refit_time_ = time.time() - began
        self.best_estimator_ = best
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_


def _train_and_score(
    batch: list[Job],
    parts: Mapping[int, dict[str, Part]],
    scorers: Any,
    error: Any,
    stop: Stop,
) -> dict[tuple[int, int], dict[str, Any]]:
    """Train a batch; return what scikit-learn keeps of each fit that succeeded."""
    results = {}
    with stop.at_work():
        trained = train_batch(batch, stop)
    for key, (estimator, fit_time) in trained.items():
        if isinstance(estimator, Exception) or stop():
            continue  # made once more by itself it says what is wrong
        result = {"fit_error": None, "fit_time": fit_time}
        for part, (X, y, own) in parts[key[1]].items():
            began = time.time()
            result[f"{part}_scores"] = _score(estimator, X, y, scorers, own, error)
            if part == "test":
                result["score_time"] = time.time() - began
                result["n_test_samples"] = _num_samples(X)
        results[key] = result
    return results

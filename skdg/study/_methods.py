# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a study compares: all estimators of skdg and the obvious baselines."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from skdg._registry import ESTIMATORS
from skdg.model_selection import search_space
from skdg.study._errors import unknown_name
from skdg.study._per_domain import PerDomainClassifier, PerDomainRegressor

BOOSTING = "HistGradientBoosting"
ERM = "ERM"
# What is compared unless asked: for each thing that domains may share the methods that
# the others come from. All of them take several times as long.
_USUAL = {ERM, "IRM", "IDGM", "Fish", "MultiTaskLinearSVC", "MultiTaskLinearSVR"}

_BASELINES: dict[str, list[type[BaseEstimator]]] = {
    "classification": [
        DummyClassifier,
        LogisticRegression,
        HistGradientBoostingClassifier,
    ],
    "regression": [DummyRegressor, Ridge, HistGradientBoostingRegressor],
}


class Method(NamedTuple):
    """An estimator under a name, and where it takes domains.

    Parameters
    ----------
    name : str
        The name in the table.

    estimator : estimator instance
        The estimator, not fitted.

    is_baseline : bool
        Whether it learns nothing from how domains differ.

    fits_with_groups : bool
        Whether `fit` takes the domains.

    predicts_with_groups : bool
        Whether `predict` has a model for each domain.
    """

    name: str
    estimator: Any
    is_baseline: bool
    fits_with_groups: bool
    predicts_with_groups: bool


def all_methods(task: str, seed: int = 0) -> list[Method]:
    """Return one instance of each estimator for a task, baselines first.

    Parameters
    ----------
    task : {"classification", "regression"}
        The task.

    seed : int, default=0
        Their random state.

    Returns
    -------
    list of Method
        Estimators with their default parameters.
    """
    methods = _baselines(task, seed)
    is_of_task = is_classifier if task == "classification" else is_regressor
    for name, module in ESTIMATORS.items():
        cls = getattr(import_module(module), name)
        if is_of_task(cls()):
            methods.append(_method(_instance(cls, seed), is_baseline=False))
    return methods


def baselines_of(task: str) -> dict[str, Any]:
    """Return what knows nothing of domains, ready for columns of numbers.

    Parameters
    ----------
    task : {"classification", "regression"}
        The task.

    Returns
    -------
    dict of str to estimator
        The baselines by name; linear models standardize their columns first.
    """
    return {
        method.name: method.estimator
        if method.name in ("Dummy", BOOSTING)
        else make_pipeline(StandardScaler(), method.estimator)
        for method in _baselines(task, seed=0)
    }


def space_of(estimator: Any) -> dict[str, Any]:
    """Return what to draw the hyperparameters of an estimator from.

    Parameters
    ----------
    estimator : estimator instance
        What :func:`~skdg.model_selection.search_space` knows, or a baseline.

    Returns
    -------
    dict of str to distribution or list
        Empty if nothing is known of the estimator.
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{key}": value for key, value in space_of(last).items()}
    if isinstance(estimator, (PerDomainClassifier, PerDomainRegressor)):
        inner = search_space(estimator.estimator)
        return {f"estimator__{key}": value for key, value in inner.items()}
    return search_space(estimator)


def usual(methods: Sequence[Method]) -> list[Method]:
    """Return the baselines and the methods that the others come from."""
    return [method for method in methods if method.is_baseline or method.name in _USUAL]


def choose(methods: Sequence[Method], names: Sequence[str]) -> list[Method]:
    """Return the methods of the given names, in the order of `methods`.

    Parameters
    ----------
    methods : sequence of Method
        What there is.

    names : sequence of str
        Names as in the table or of the class, in upper or lower case; "all" for all.

    Returns
    -------
    list of Method
        Those that were asked for.

    Raises
    ------
    StudyError
        If there is no method of some name.
    """
    known = {method.name.lower(): method.name for method in methods}
    wanted = set()
    for name in names:
        if name.lower() == "all":
            return list(methods)
        found = known.get(_short_name(name).lower()) or known.get(name.lower())
        if found is None:
            raise unknown_name("estimator", name, known.values())
        wanted.add(found)
    return [method for method in methods if method.name in wanted]


def _short_name(name: str) -> str:
    """Leave out what the task says already."""
    for ending in ("classifier", "regressor"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _baselines(task: str, seed: int) -> list[Method]:
    dummy, linear, boosting = (
        _method(_instance(cls, seed), is_baseline=True) for cls in _BASELINES[task]
    )
    separate = (PerDomainRegressor if task == "regression" else PerDomainClassifier)(
        linear.estimator
    )
    per_domain = _method(separate, is_baseline=True)
    per_domain = per_domain._replace(name=f"PerDomain{linear.name}")
    return [dummy, linear, per_domain, boosting]


def _instance(cls: type[BaseEstimator], seed: int) -> Any:
    estimator = cls()
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=seed)
    if cls is LogisticRegression:  # its 100 iterations are few for one-hot columns
        estimator.set_params(max_iter=1000)
    return estimator


def _method(estimator: Any, *, is_baseline: bool) -> Method:
    request = get_routing_for_object(estimator)
    fits, predicts = (
        "groups" in request.consumes(name, ["groups"]) for name in ("fit", "predict")
    )
    name = _short_name(type(estimator).__name__)
    # A method whose loss has a scale of its own, such as the tube of a support vector
    # regression, wants targets of about 1. Networks see to that themselves.
    in_units_of_target = not (is_baseline or is_classifier(estimator))
    if in_units_of_target and "normalize_y" not in estimator.get_params():
        estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    return Method(name, estimator, is_baseline, fits, predicts)

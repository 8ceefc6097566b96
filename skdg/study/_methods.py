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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from skdg._registry import ESTIMATORS
from skdg.study._errors import unknown_name

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
        Whether it knows nothing of domains, so that its `fit` takes no groups.

    predicts_with_groups : bool
        Whether `predict` has a model for each domain.
    """

    name: str
    estimator: Any
    is_baseline: bool
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
    methods = [_method(cls, seed, is_baseline=True) for cls in _BASELINES[task]]
    is_of_task = is_classifier if task == "classification" else is_regressor
    for name, module in ESTIMATORS.items():
        cls = getattr(import_module(module), name)
        if is_of_task(cls()):
            methods.append(_method(cls, seed, is_baseline=False))
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
        The baselines by name; the linear model standardises its columns first.
    """
    named = {}
    for cls in _BASELINES[task]:
        method = _method(cls, seed=0, is_baseline=True)
        linear = cls in (LogisticRegression, Ridge)
        named[method.name] = (
            make_pipeline(StandardScaler(), method.estimator)
            if linear
            else method.estimator
        )
    return named


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


def _method(cls: type[BaseEstimator], seed: int, *, is_baseline: bool) -> Method:
    estimator = cls()
    parameters = estimator.get_params()
    if "random_state" in parameters:
        estimator.set_params(random_state=seed)
    if cls is LogisticRegression:  # its 100 iterations are few for one-hot columns
        estimator.set_params(max_iter=1000)
    request = get_routing_for_object(estimator)
    predicts_with_groups = "groups" in request.consumes("predict", ["groups"])
    # A method whose loss has a scale of its own, such as the tube of a support vector
    # regression, wants targets of about 1. Networks see to that themselves.
    in_units_of_target = not (is_baseline or is_classifier(estimator))
    if in_units_of_target and "normalize_y" not in parameters:
        estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    return Method(
        _short_name(cls.__name__), estimator, is_baseline, predicts_with_groups
    )

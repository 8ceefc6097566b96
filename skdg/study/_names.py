# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The names of the estimators of a study, and what they are."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline


def name_estimators(estimators: Any) -> dict[str, Any]:
    """Return the estimators of a study by name.

    Parameters
    ----------
    estimators : dict, sequence of estimators, or estimator
        What the user gave.

    Returns
    -------
    dict of str to estimator
        In a sequence an estimator goes by its class, without what the task says.
    """
    if isinstance(estimators, Mapping):
        if not estimators:
            raise ValueError("There are no estimators to compare.")
        return {str(name): estimator for name, estimator in estimators.items()}
    if hasattr(estimators, "fit"):
        estimators = [estimators]
    named: dict[str, Any] = {}
    for estimator in estimators:
        last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
        name = type(last).__name__
        name = name.removesuffix("Classifier").removesuffix("Regressor")
        if name in named:
            raise ValueError(
                f"Two estimators go by the name {name!r}. Give names of your own: "
                f"estimators={{'one': ..., 'other': ...}}."
            )
        named[name] = estimator
    return name_estimators(named)


def are_classifiers(named: Mapping[str, Any]) -> bool:
    """Tell classifiers from regressors, and refuse a mixture of them."""
    kinds = {
        "classifier"
        if is_classifier(e)
        else "regressor"
        if is_regressor(e)
        else "other"
        for e in named.values()
    }
    if kinds == {"classifier"}:
        return True
    if kinds == {"regressor"}:
        return False
    raise ValueError(
        "The estimators must be classifiers only or regressors only, but there are "
        + ", ".join(f"{name}: {type(e).__name__}" for name, e in named.items())
        + "."
    )

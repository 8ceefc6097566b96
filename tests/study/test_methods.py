# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import inspect

import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor

import skdg
from skdg._registry import ESTIMATORS
from skdg.study._errors import StudyError
from skdg.study._methods import all_methods, choose, usual


def of_task(task):
    kind = is_classifier if task == "classification" else is_regressor
    return {name for name in ESTIMATORS if kind(getattr(skdg, name)())}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_all_estimators_of_the_task_take_part(task):
    methods = all_methods(task, seed=3)
    estimators = {m.name: m.estimator for m in methods if not m.is_baseline}
    classes = {
        type(getattr(estimator, "regressor", estimator)).__name__
        for estimator in estimators.values()
    }
    assert classes == of_task(task)
    assert len({m.name for m in methods}) == len(methods)
    assert [m.name for m in methods if m.is_baseline] == [
        "Dummy",
        "LogisticRegression" if task == "classification" else "Ridge",
        "HistGradientBoosting",
    ]
    for method in methods:
        assert method.estimator.get_params().get("random_state", 3) == 3


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_who_predicts_with_groups_and_whose_targets_are_scaled(task):
    for method in all_methods(task):
        estimator = method.estimator
        if isinstance(estimator, TransformedTargetRegressor):
            # Networks and baselines see to the scale of the target themselves.
            estimator = estimator.regressor
            assert "normalize_y" not in estimator.get_params()
            assert not method.is_baseline
        takes = "groups" in inspect.signature(estimator.predict).parameters
        assert method.predicts_with_groups == takes
        assert takes == method.name.startswith("MultiTask")


def test_the_support_vector_regression_gets_targets_of_about_one():
    (svr,) = choose(all_methods("regression"), ["MultiTaskLinearSVR"])
    assert isinstance(svr.estimator, TransformedTargetRegressor)
    assert svr.predicts_with_groups


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_usual_methods(task):
    svm = "MultiTaskLinearSVC" if task == "classification" else "MultiTaskLinearSVR"
    names = [m.name for m in usual(all_methods(task)) if not m.is_baseline]
    assert names == [svm, "ERM", "IRM", "IDGM", "Fish"]
    assert len([m for m in usual(all_methods(task)) if m.is_baseline]) == 3


def test_choose():
    methods = all_methods("regression")

    def names(*wanted):
        return [method.name for method in choose(methods, wanted)]

    assert names("IRMRegressor", "ridge", "erm") == ["Ridge", "ERM", "IRM"]
    assert names("histgradientboosting") == ["HistGradientBoosting"]
    assert names("all") == [method.name for method in methods]
    with pytest.raises(StudyError, match=r"no estimator 'IRN'. Did you mean 'IRM'"):
        choose(methods, ["ERM", "IRN"])
    with pytest.raises(StudyError, match=r"There are: Dummy, Ridge"):
        choose(methods, ["zzzzz"])

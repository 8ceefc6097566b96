# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import inspect

import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor

import skdg
from skdg._registry import ESTIMATORS
from skdg.model_selection import search_space
from skdg.study._errors import StudyError
from skdg.study._methods import all_methods, baselines_of, choose, space_of, usual


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
    linear = "LogisticRegression" if task == "classification" else "Ridge"
    assert [m.name for m in methods if m.is_baseline] == [
        *("Dummy", linear, f"PerDomain{linear}", "HistGradientBoosting")
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
        assert takes == method.name.startswith(("MultiTask", "PerDomain"))
        fits = "groups" in inspect.signature(estimator.fit).parameters
        assert method.fits_with_groups == fits
        assert fits == (not method.is_baseline or takes)


def test_the_support_vector_regression_gets_targets_of_about_one():
    (svr,) = choose(all_methods("regression"), ["MultiTaskLinearSVR"])
    assert isinstance(svr.estimator, TransformedTargetRegressor)
    assert svr.predicts_with_groups


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_usual_methods(task):
    svm = "MultiTaskLinearSVC" if task == "classification" else "MultiTaskLinearSVR"
    names = [m.name for m in usual(all_methods(task)) if not m.is_baseline]
    assert names == [svm, "ERM", "IRM", "IDGM", "Fish"]
    assert len([m for m in usual(all_methods(task)) if m.is_baseline]) == 4


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_baselines_have_what_candidates_are_drawn_from(task):
    baselines = baselines_of(task)
    dummy, linear, per_domain, boosting = (space_of(e) for e in baselines.values())
    assert dummy == {}
    (name,) = linear
    step, _, parameter = name.partition("__")
    assert step == ("ridge" if task == "regression" else "logisticregression")
    (own,) = per_domain
    assert own == f"perdomain{step_of(task)}__estimator__{parameter}"
    assert set(boosting) == set(search_space(baselines["HistGradientBoosting"]))
    for estimator in baselines.values():
        known = estimator.get_params()
        assert set(space_of(estimator)) <= set(known)


def step_of(task):
    return "regressor" if task == "regression" else "classifier"


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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdg
from skdg._registry import ESTIMATORS
from skdg.model_selection import search_space

LEVELS = np.array([0.05, 0.25, 0.45, 0.75, 0.95])

# DomainBed's registry: 10 ** RandomState.uniform(a, b), or uniform(a, b).
POWERS = {
    ("IRM", "penalty_weight"): (-1, 5),
    ("VREx", "penalty_weight"): (-1, 5),
    ("IBERM", "penalty_weight"): (-1, 5),
    ("IBIRM", "penalty_weight"): (-1, 5),
    ("IBIRM", "bottleneck_weight"): (-1, 5),
    ("GroupDRO", "step_size"): (-3, -1),
    ("SpectralDecoupling", "penalty_weight"): (-5, -1),
    ("IGA", "penalty_weight"): (1, 5),
    ("SANDMask", "sharpness"): (-3, 5),
    ("CORAL", "penalty_weight"): (-1, 1),
    ("MMD", "penalty_weight"): (-1, 1),
    ("CausIRL", "penalty_weight"): (-1, 1),
    ("DANN", "penalty_weight"): (-2, 2),
    ("CDANN", "penalty_weight"): (-2, 2),
    ("Mixup", "concentration"): (-1, 1),
    ("ERM", "alpha"): (-6, -2),
}
UNIFORM = {
    ("EQRM", "quantile"): (0.5, 0.99),
    ("Fishr", "ema"): (0.90, 0.99),
    ("ANDMask", "agreement_threshold"): (0.5, 1),
    ("SANDMask", "agreement_threshold"): (0, 1),
}


def space_of(name, **parameters):
    return search_space(getattr(skdg, f"{name}Classifier")(**parameters))


@pytest.mark.parametrize(("name", "parameter"), POWERS)
def test_published_powers(name, parameter):
    low, high = POWERS[name, parameter]
    quantiles = space_of(name)[parameter].ppf(LEVELS)
    np.testing.assert_allclose(np.log10(quantiles), low + (high - low) * LEVELS)


@pytest.mark.parametrize(("name", "parameter"), UNIFORM)
def test_published_intervals(name, parameter):
    low, high = UNIFORM[name, parameter]
    quantiles = space_of(name)[parameter].ppf(LEVELS)
    np.testing.assert_allclose(quantiles, low + (high - low) * LEVELS)


def test_fish_takes_the_published_values():
    assert space_of("Fish")["meta_learning_rate"] == [0.05, 0.1, 0.5]


def test_the_weight_of_fishr_counts_its_average():
    # v / (1 - ema) squared, at DomainBed's ema of 0.95.
    quantiles = space_of("Fishr")["penalty_weight"].ppf(LEVELS)
    np.testing.assert_allclose(
        np.log10(quantiles / (1 / (1 - 0.95)) ** 2), 1 + 3 * LEVELS
    )


def test_step_sizes_move_with_the_default():
    erm = skdg.ERMClassifier()
    quantiles = search_space(erm)["learning_rate_init"].ppf(LEVELS)
    # DomainBed: 10^U(-4.5, -2.5) around a default of 1e-3.
    factor = erm.learning_rate_init / 1e-3
    np.testing.assert_allclose(np.log10(quantiles / factor), -4.5 + 2 * LEVELS)


@pytest.mark.parametrize("name", ["IRM", "VREx", "IBERM", "IBIRM"])
def test_annealing_is_a_share_of_training(name):
    distribution = space_of(name, max_iter=5001)["penalty_anneal_iters"]
    np.testing.assert_array_equal(
        distribution.ppf(LEVELS), np.floor(10 ** (4 * LEVELS))
    )
    shorter = space_of(name, max_iter=500)["penalty_anneal_iters"]
    np.testing.assert_allclose(
        shorter.ppf(LEVELS), distribution.ppf(LEVELS) / 10, atol=1
    )
    draws = [distribution.rvs(random_state=seed) for seed in range(400)]
    assert {type(draw) for draw in draws} == {int}
    # P(n < 100) = 1/2, with a standard deviation of 1/40.
    assert abs(np.mean(np.array(draws) < 100) - 0.5) < 5 / 40


def test_other_counts_are_shares_of_training_too():
    burn_in = space_of("EQRM", max_iter=5001)["burn_in_iters"].ppf(LEVELS)
    np.testing.assert_array_equal(burn_in, np.floor(10 ** (2.5 + LEVELS)))
    assert space_of("Fishr", max_iter=5001)["penalty_anneal_iters"] == list(range(5001))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_method_has_a_space_that_it_accepts(name):
    estimator = getattr(skdg, name)()
    space = search_space(estimator)
    assert space
    assert space.keys() <= estimator.get_params().keys()
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 2)), np.tile([0, 1], 12)
    groups = np.repeat([0, 1, 2], 8)
    shorter = {"max_iter": 2} if "max_iter" in estimator.get_params() else {}
    for parameters in ParameterSampler(space, 2, random_state=0):
        model = clone(estimator).set_params(**parameters, **shorter)
        model._validate_params()
        if name not in ("IDGMClassifier", "IDGMRegressor"):
            model.fit(X, y, groups=groups)


def test_pipelines_and_transformed_targets_name_the_step():
    inner = search_space(Ridge())
    scaled = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    model = make_pipeline(StandardScaler(), scaled)
    space = search_space(model)
    assert list(space) == ["transformedtargetregressor__regressor__alpha"]
    assert space.keys() <= model.get_params().keys()
    (distribution,), (own,) = space.values(), inner.values()
    np.testing.assert_array_equal(distribution.ppf(LEVELS), own.ppf(LEVELS))


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), HistGradientBoostingRegressor()]
)
def test_spaces_of_baselines_exist_and_are_accepted(estimator):
    for parameters in ParameterSampler(search_space(estimator), 20, random_state=0):
        clone(estimator).set_params(**parameters)._validate_params()


def test_a_name_alone_is_not_enough():
    class ERMClassifier(DummyClassifier):
        pass

    assert search_space(ERMClassifier()) == {}
    assert search_space(DummyClassifier()) == {}


def test_the_caller_may_change_the_space():
    search_space(Ridge()).clear()
    assert search_space(Ridge())

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skdg.datasets import irm_sem_errors, make_irm_sem

# Causal and non-causal error of least squares on all three domains: means over the 200
# repetitions that Arjovsky et al. (2019) published with their code.
PUBLISHED = {
    "FOU": (0.0091, 0.0090),
    "FOS": (0.0092, 0.0090),
    "FEU": (0.821, 0.821),
    "FES": (0.823, 0.822),
    "POU": (0.0190, 0.0179),
    "POS": (0.0203, 0.0182),
    "PEU": (0.774, 0.774),
    "PES": (0.779, 0.774),
}
STDS = (0.2, 2.0, 5.0)


@pytest.mark.parametrize("setting", PUBLISHED)
def test_least_squares_has_the_published_errors(setting, assert_mean):
    rng = np.random.RandomState(0)
    errors = []
    for _ in range(100):
        X, y, _, coef, unscramble = make_irm_sem(
            setting, return_coef=True, random_state=rng
        )
        erm = LinearRegression(fit_intercept=False).fit(X, y)
        errors.append(irm_sem_errors(erm.coef_, coef, unscramble))
    digits = 3 if setting[1] == "E" else 4
    assert_mean(errors, PUBLISHED[setting], 200, rounding=0.5 * 10.0**-digits)


@pytest.mark.parametrize("setting", ["FOU", "FOS", "FEU", "FES"])
def test_least_squares_tends_to_its_closed_form(setting, assert_mean):
    # The effects are v + noise, and v given x has variance s_y^2: the coefficient of an
    # effect is cov(v, z | x) / var(z | x), pooled over the domains.
    square = np.mean(np.square(STDS))
    b = square / (square + 1.0) if setting[1] == "E" else 1.0 / (1.0 + square)
    rng = np.random.RandomState(1)
    estimates = []
    for _ in range(100):
        X, y, _, _, unscramble = make_irm_sem(
            setting, return_coef=True, random_state=rng
        )
        estimates.append(unscramble @ np.linalg.lstsq(X, y)[0])
    assert_mean(estimates, np.repeat([1.0 - b, b], 5))


def test_coefficients_are_optimal_in_every_domain_on_the_causes(assert_mean):
    X, y, groups, coef, unscramble = make_irm_sem(
        "FES", 20000, return_coef=True, random_state=0
    )
    causes = (X @ unscramble.T)[:, :5]
    np.testing.assert_allclose(X @ coef, causes.sum(axis=1), atol=1e-12)
    for std in STDS:
        rows = groups == std
        residual = (y - X @ coef)[rows]
        # v - x = std * noise, summed over five entries, and independent of the causes.
        assert_mean(residual**2, 5 * std**2)
        assert_mean(residual[:, None] * causes[rows], 0.0)


@pytest.mark.parametrize("setting", sorted(PUBLISHED))
def test_second_moments_of_every_domain(setting, assert_mean):
    n_features, half = 4, 2
    rng = np.random.RandomState(2)
    causes, targets, effects = [], [], []
    for _ in range(300):
        X, y, groups, _, unscramble = make_irm_sem(
            setting,
            40,
            n_features=n_features,
            stds=(0.5, 3.0),
            return_coef=True,
            random_state=rng,
        )
        V = X @ unscramble.T
        domains = [groups == 0.5, groups == 3.0]
        causes.append([np.mean(V[d, :half] ** 2) for d in domains])
        effects.append([np.mean(V[d, half:] ** 2) for d in domains])
        targets.append([np.mean(y[d] ** 2) / half for d in domains])
    e2 = np.square([0.5, 3.0])
    # Expectations over the random matrices too: an entry has variance 1 / n_features^2,
    # the product of h with a column w * e^2. Cross terms vanish on average.
    w = half / n_features**2 if setting[0] == "P" else None
    x2 = e2 * (1.0 + (1.0 if w is None else w))
    v2 = x2 + (0.0 if w is None else w) * e2 + (e2 if setting[1] == "E" else 1.0)
    z2 = v2 + (0.0 if w is None else w) * e2 + (1.0 if setting[1] == "E" else e2)
    assert_mean(causes, x2)
    assert_mean(targets, v2)
    assert_mean(effects, z2)


@pytest.mark.parametrize("setting", ["FEU", "PES"])
def test_shapes_order_and_rotation(setting):
    X, y, groups, coef, unscramble = make_irm_sem(
        setting, 7, n_features=6, stds=[3, 1], return_coef=True, random_state=0
    )
    assert X.dtype == y.dtype == groups.dtype == np.float64
    np.testing.assert_array_equal(groups, [3.0] * 7 + [1.0] * 7)
    np.testing.assert_allclose(unscramble @ unscramble.T, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(unscramble @ coef, [1, 1, 1, 0, 0, 0], atol=1e-12)
    if setting[2] == "U":
        np.testing.assert_array_equal(unscramble, np.eye(6))
    for found, kept in zip(
        make_irm_sem(setting, 7, n_features=6, stds=[3, 1], random_state=0),
        (X, y, groups),
        strict=True,
    ):
        np.testing.assert_array_equal(found, kept)


def test_errors_by_hand():
    # A rotation by 90 degrees between one cause and one effect: the coefficient vector
    # (2, 3) of X is (3, -2) on (cause, effect), where the truth is (1, 0).
    unscramble = np.array([[0.0, 1.0], [-1.0, 0.0]])
    coef = unscramble.T @ [1.0, 0.0]
    assert irm_sem_errors([2.0, 3.0], coef, unscramble) == (4.0, 4.0)
    assert irm_sem_errors([[2.0, 3.0]], coef, unscramble) == (4.0, 4.0)
    assert irm_sem_errors(coef, coef, unscramble) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("estimate", "coef", "size"), [(3, 4, 4), (4, 3, 4), (3, 3, 3), (2, 2, 4)]
)
def test_errors_refuse_wrong_shapes(estimate, coef, size):
    with pytest.raises(ValueError, match="unscramble must be square"):
        irm_sem_errors(np.ones(estimate), np.ones(coef), np.eye(size))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"setting": "XEU"}, "'setting' parameter"),
        ({"n_samples": 0}, "'n_samples' parameter"),
        ({"n_features": 5}, "n_features must be even"),
        ({"stds": (1.0, 0.0)}, r"stds must be finite and in \(0, inf\]; got 0"),
        ({"stds": (1.0, np.inf)}, "got inf at position 1"),
        ({"stds": (2.0, 2.0)}, "stds must all be different"),
        ({"stds": ()}, r"one number per domain; got shape \(0,\)"),
        ({"stds": [[1.0]]}, r"got shape \(1, 1\)"),
        ({"stds": ["a"]}, "stds must hold one number per domain"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_irm_sem(**parameters)

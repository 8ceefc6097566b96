# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from dataclasses import astuple

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from skdg.metrics import shift_decomposition

# Three values of X: numbers of rows in source and target, and losses there.
N_SOURCE, N_TARGET = np.array([50, 30, 20, 0]), np.array([10, 20, 40, 30])
LOSS_SOURCE, LOSS_TARGET = np.array([0.1, 0.3, 0.9, 0.0]), np.array([0.2, 0.3, 0.4, 2])


def decompose(n_source, n_target):
    """Give each row the loss at its X and the exact probability."""
    pi = n_target / (n_source + n_target)
    return shift_decomposition(
        np.repeat(LOSS_SOURCE, n_source),
        np.repeat(LOSS_TARGET, n_target),
        source_probability=np.repeat(pi, n_source),
        target_probability=np.repeat(pi, n_target),
    )


def by_definition():
    p, q = N_SOURCE / N_SOURCE.sum(), N_TARGET / N_TARGET.sum()
    s = p * q / (p + q)
    s /= s.sum()
    return (
        p @ LOSS_SOURCE,
        q @ LOSS_TARGET,
        s @ LOSS_SOURCE - p @ LOSS_SOURCE,
        s @ LOSS_TARGET - s @ LOSS_SOURCE,
        q @ LOSS_TARGET - s @ LOSS_TARGET,
    )


@pytest.mark.parametrize(("more_source", "more_target"), [(1, 1), (7, 1), (1, 5)])
def test_parts_by_their_definition_whatever_the_numbers_of_rows(
    more_source, more_target
):
    parts = decompose(N_SOURCE * more_source, N_TARGET * more_target)
    np.testing.assert_allclose(astuple(parts)[:5], by_definition(), rtol=1e-12)
    total = parts.harder + parts.conditional + parts.unfamiliar
    assert total == pytest.approx(parts.target - parts.source, rel=1e-12)


def test_shared_rows_are_those_that_a_game_of_chance_keeps():
    # A row of the source is kept with probability q / (p + q): what is left is s.
    rng = np.random.default_rng(0)
    x_source, x_target = rng.normal(0, 1, 400_000), rng.normal(1, 1.5, 300_000)

    def densities(x):
        return norm.pdf(x), norm.pdf(x, 1, 1.5)

    def pi(x):
        p, q = densities(x)
        return 3 * q / (4 * p + 3 * q)

    loss_source, loss_target = x_source**2, np.abs(x_target)
    parts = shift_decomposition(
        loss_source,
        loss_target,
        source_probability=pi(x_source),
        target_probability=pi(x_target),
    )
    p, q = densities(x_source)
    kept = rng.uniform(size=len(x_source)) < q / (p + q)
    shared = loss_source[kept]
    error = shared.std() / np.sqrt(len(shared))
    assert parts.source + parts.harder == pytest.approx(shared.mean(), abs=5 * error)

    def over_shared(function):
        def weighted(x):
            p, q = densities(x)
            return p * q / (p + q) * function(x)

        return quad(weighted, -12, 12)[0]

    expected = over_shared(lambda x: abs(x) - x**2) / over_shared(lambda x: 1.0)
    assert parts.conditional == pytest.approx(expected, abs=5 * parts.conditional_se)
    assert parts.conditional_se < 0.01


def test_limits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 500))
    # The same X: nothing but Y given X can have changed.
    half = np.full(500, 0.5)
    parts = shift_decomposition(
        x[0], x[1] + 2, source_probability=half, target_probability=half
    )
    assert parts.harder == pytest.approx(0, abs=1e-12)
    assert parts.unfamiliar == pytest.approx(0, abs=1e-12)
    assert parts.conditional == pytest.approx(x[1].mean() + 2 - x[0].mean())
    # The standard error is then that of a difference of means.
    expected = np.hypot(*(x.std(axis=1) / np.sqrt(500)))
    assert parts.conditional_se == pytest.approx(expected)
    assert parts.harder_se == pytest.approx(0, abs=1e-12)


def test_standard_errors_are_those_of_many_samples():
    rng = np.random.default_rng(0)

    def sample():
        x_source, x_target = rng.normal(0, 1, 300), rng.normal(1, 1, 200)
        pi = [
            1 / (1 + 1.5 * np.exp(0.5 - x)) for x in (x_source, x_target)
        ]  # the ratio of the densities is exp(x - 1/2)
        return shift_decomposition(
            x_source**2,
            x_target**2 + rng.normal(size=200),
            source_probability=pi[0],
            target_probability=pi[1],
        )

    parts = np.array([astuple(sample()) for _ in range(2000)])
    spread = parts[:, 2:5].std(axis=0, ddof=1)
    told = np.sqrt((parts[:, 5:8] ** 2).mean(axis=0))
    # The standard deviation of 2000 draws is known to 1/sqrt(4000), 1.6 percent.
    np.testing.assert_allclose(told, spread, rtol=0.08)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"source_probability": [0.5, 1.5]}, "source_probability must lie between"),
        ({"target_probability": [0.5]}, "inconsistent numbers"),
        ({"source_loss": [0.0, np.nan]}, "source_loss contains NaN"),
        (
            {"source_probability": [0.0, 0.0], "target_probability": [1.0, 1.0]},
            "share no X",
        ),
    ],
)
def test_what_is_wrong_is_named(changed, message):
    arguments = {
        "source_loss": [0.0, 1.0],
        "target_loss": [1.0, 1.0],
        "source_probability": [0.5, 0.5],
        "target_probability": [0.5, 0.5],
    } | changed
    losses = arguments.pop("source_loss"), arguments.pop("target_loss")
    with pytest.raises(ValueError, match=message):
        shift_decomposition(*losses, **arguments)

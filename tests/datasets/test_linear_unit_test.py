# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from scipy.stats import kstest, norm
from sklearn.linear_model import LinearRegression

from skdg.datasets import make_linear_unit_test

NAMES = ["Example1", "Example2", "Example3"]


def domains_of(X, y, groups):
    return [(X[groups == e], y[groups == e]) for e in np.unique(groups)]


def noise_std(X, y, n_invariant):
    """Estimate sigma_e of Example1 from the residuals on the invariant block."""
    x = X[:, :n_invariant]
    _, rss, *_ = np.linalg.lstsq(x, y)
    return np.sqrt(rss[0] / (len(x) - n_invariant) / n_invariant)


@pytest.mark.parametrize("name", NAMES)
def test_scrambling_rotates_the_same_rows(name):
    kwargs = {"n_samples": 50, "n_domains": 4, "n_spurious": 3, "random_state": 0}
    X, y, groups = make_linear_unit_test(name, **kwargs)
    X_s, y_s, groups_s = make_linear_unit_test(f"{name}s", **kwargs)
    np.testing.assert_array_equal(y, y_s)
    np.testing.assert_array_equal(groups, groups_s)
    rotation = np.linalg.lstsq(X, X_s)[0]
    np.testing.assert_allclose(X @ rotation, X_s, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(8), atol=1e-10)
    assert np.abs(rotation - np.eye(8)).max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_shuffling_permutes_the_spurious_block_within_domains(name):
    kwargs = {"n_samples": 40, "n_domains": 3, "random_state": 7}
    X, y, groups = make_linear_unit_test(name, **kwargs)
    X_t, y_t, _ = make_linear_unit_test(name, shuffle_spurious=True, **kwargs)
    np.testing.assert_array_equal(X[:, :5], X_t[:, :5])
    np.testing.assert_array_equal(y, y_t)
    for e in range(3):
        z, z_t = X[groups == e, 5:], X_t[groups == e, 5:]
        assert not np.array_equal(z, z_t)
        np.testing.assert_array_equal(z[z[:, 0].argsort()], z_t[z_t[:, 0].argsort()])


def test_samples_are_fresh_rows_of_the_same_problem(assert_mean):
    first, second = (
        make_linear_unit_test("Example3", 4000, sample=s, random_state=1)
        for s in (0, 1)
    )
    assert not np.isin(first[0][:, 0], second[0][:, 0]).any()
    other = make_linear_unit_test("Example3", 4000, random_state=2)
    pairs = zip(domains_of(*first), domains_of(*second), strict=True)
    for (X, y), (X_2, y_2) in pairs:
        t, t_2 = 1.0 - 2.0 * y, 1.0 - 2.0 * y_2
        # The means mu_e agree; the noise of each estimate has variance 0.01 / n.
        assert_mean(
            X[:, 5:] * t[:, None], (X_2[:, 5:] * t_2[:, None]).mean(axis=0), len(X_2)
        )
    X, y = domains_of(*other)[0]
    mean, mean_other = (
        (Z[:, 5:] * (1.0 - 2.0 * u)[:, None]).mean(axis=0)
        for Z, u in (domains_of(*first)[0], (X, y))
    )
    assert np.abs(mean - mean_other).max() > 0.1


def test_example1_noise_of_each_domain():
    n = 20000
    X, y, groups = make_linear_unit_test("Example1", n, n_invariant=4, random_state=0)
    for (X_e, y_e), sigma in zip(
        domains_of(X, y, groups), (0.1, 1.5, 2.0), strict=True
    ):
        # The estimate of a variance from m residuals has relative error sqrt(2 / m).
        ratio = (noise_std(X_e, y_e, 4) / sigma) ** 2
        assert abs(ratio - 1.0) <= 4.0 * np.sqrt(2.0 / (n - 4))


def test_example1_extra_domains_are_log_uniform():
    X, y, groups = make_linear_unit_test("Example1", 60, n_domains=403, random_state=0)
    sigma = [noise_std(X_e, y_e, 5) for X_e, y_e in domains_of(X, y, groups)[3:]]
    # Each is estimated to 7 %, little beside a range of three decades.
    assert kstest(np.log10(sigma), "uniform", (-2.0, 3.0)).pvalue > 0.01


def test_example1_second_moments(assert_mean):
    d_inv, d_spu = 3, 2
    rng = np.random.RandomState(0)
    squares = []
    for _ in range(400):
        X, y, _ = make_linear_unit_test(
            "Example1",
            30,
            n_domains=3,
            n_invariant=d_inv,
            n_spurious=d_spu,
            random_state=rng,
        )
        parts = (X[:, :d_inv], y[:, None], X[:, d_inv:])
        squares.append(
            [np.mean(part[e * 30 : e * 30 + 30] ** 2) for part in parts for e in (1, 2)]
        )
    s2 = np.square([1.5, 2.0])
    v2 = s2 * (1.0 / d_inv + 1.0)
    z2 = v2 * d_inv / d_spu**2 + 1.0
    assert_mean(squares, np.concatenate([s2, v2 * d_inv, z2]))


def test_example1_published_errors(assert_mean):
    errors = {False: [], True: []}
    for seed in range(50):
        X_test, y_test, _ = make_linear_unit_test(
            sample=1, shuffle_spurious=True, random_state=seed
        )
        for oracle, found in errors.items():
            X, y, _ = make_linear_unit_test(
                n_samples=3000, shuffle_spurious=oracle, random_state=seed
            )
            model = LinearRegression().fit(X, y)
            found.append(np.mean((y_test - model.predict(X_test)) ** 2))
    # Aubin et al. (2021), 3 domains: mean over 50 problems.
    assert_mean(errors[False], 13.36, 50)
    assert_mean(errors[True], 10.42, 50)
    # The noise of y: five entries of variance sigma_e^2.
    assert_mean(errors[True], 5.0 * np.mean(np.square([0.1, 1.5, 2.0])), rounding=0.02)


@pytest.mark.parametrize("shuffled", [False, True])
def test_example2_probabilities_and_noise(shuffled, assert_mean):
    X, y, groups = make_linear_unit_test(
        "Example2", 20000, shuffle_spurious=shuffled, random_state=0
    )
    params = [(0.95, 0.3), (0.97, 0.5), (0.99, 0.7)]
    for (X_e, y_e), (p, s) in zip(domains_of(X, y, groups), params, strict=True):
        ground = X_e[:, 5:].sum(axis=1) > 0
        on_grass = s * p + (1.0 - s) * (1.0 - p)
        agree = s * on_grass + (1.0 - s) * (1.0 - on_grass) if shuffled else p
        assert_mean(y_e, s)
        assert_mean(ground, on_grass)
        assert_mean(ground == y_e, agree)
        x = 100.0 * X_e[:, :5] - (2.0 * y_e - 1.0)[:, None]
        z = X_e[:, 5:] - (2.0 * ground - 1.0)[:, None]
        for noise in (x, z):
            assert_mean(noise, 0.0)
            assert_mean(noise**2, 0.1)
        np.testing.assert_array_equal(y_e, X_e[:, :5].sum(axis=1) > 0)


def test_example2_extra_domains_are_uniform():
    n_samples = 3000
    X, y, groups = make_linear_unit_test(
        "Example2", n_samples, n_domains=203, random_state=0
    )
    found = [
        (np.mean((X_e[:, 5:].sum(axis=1) > 0) == y_e), y_e.mean())
        for X_e, y_e in domains_of(X, y, groups)[3:]
    ]
    p, s = np.transpose(found)
    assert kstest(p, "uniform", (0.9, 0.1)).pvalue > 0.01
    assert kstest(s, "uniform", (0.3, 0.4)).pvalue > 0.01
    # Drawn independently of each other.
    assert abs(np.corrcoef(p, s)[0, 1]) <= 4.0 / np.sqrt(len(p))


def test_example3_margins_and_noise(assert_mean):
    X, y, groups = make_linear_unit_test("Example3", 20000, random_state=0)
    wrong = (X[:, :5].sum(axis=1) < 0) != y
    assert_mean(wrong, norm.cdf(-np.sqrt(5.0)))
    for X_e, y_e in domains_of(X, y, groups):
        assert y_e.sum() == 10000
        t = (1.0 - 2.0 * y_e)[:, None]
        assert_mean(X_e[:, :5] * t, 0.1)
        mu = (X_e[:, 5:] * t).mean(axis=0)
        assert_mean((X_e[:, :5] - 0.1 * t) ** 2, 0.01)
        assert_mean((X_e[:, 5:] - mu * t) ** 2, 0.01)


def test_example3_spurious_means_are_standard_normal():
    X, y, groups = make_linear_unit_test(
        "Example3", 200, n_domains=200, n_spurious=2, random_state=0
    )
    t = (1.0 - 2.0 * y)[:, None]
    means = [(X[:, 5:] * t)[groups == e].mean(axis=0) for e in range(200)]
    assert kstest(np.ravel(means), "norm").pvalue > 0.01


def test_example3_odd_number_of_rows():
    _, y, groups = make_linear_unit_test("Example3", 5, n_domains=2, random_state=0)
    assert [y[groups == e].sum() for e in (0, 1)] == [2, 2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_domains", [1, 2])
def test_few_domains_are_the_first_ones(name, n_domains):
    X, _, groups = make_linear_unit_test(
        name, 6, n_domains=n_domains, n_spurious=1, random_state=0
    )
    assert X.shape == (6 * n_domains, 6)
    np.testing.assert_array_equal(groups, np.repeat(np.arange(n_domains), 6))
    if name != "Example3":
        all_three = make_linear_unit_test(name, 6, n_spurious=1, random_state=0)[0]
        np.testing.assert_allclose(X, all_three[: len(X)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"name": "Example4"}, "'name' parameter"),
        ({"n_samples": 0}, "'n_samples' parameter"),
        ({"n_domains": 0}, "'n_domains' parameter"),
        ({"n_invariant": 0}, "'n_invariant' parameter"),
        ({"n_spurious": 1.5}, "'n_spurious' parameter"),
        ({"sample": -1}, "'sample' parameter"),
        ({"shuffle_spurious": "test"}, "'shuffle_spurious' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_linear_unit_test(**parameters)

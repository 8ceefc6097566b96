# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from scipy.stats import norm, ortho_group
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdg.datasets import make_linear_unit_test
from skdg.invariance import InvariantSubspaceRecovery
from skdg.invariance._class_moments import between_domain_scatter


def exact_noise(rng, n, covariance):
    """Rows whose mean and covariance are exactly 0 and the given matrix."""
    noise = rng.normal(size=(n, len(covariance)))
    noise -= noise.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(noise.T, ddof=0)), noise.T).T
    return white @ np.linalg.cholesky(covariance).T


def make_domains(means, covariances, seed=0):
    """Rows of two classes; y = 1 has means of the other sign in dimension 0."""
    rng = np.random.default_rng(seed)
    X, y, groups = [], [], []
    for e, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        for label in (0, 1):
            n = 10 + 3 * e + label
            sign = 1.0 - 2.0 * label
            invariant = sign * np.eye(5)[0]
            X.append(exact_noise(rng, n, covariance) + sign * mean + invariant)
            y.append(np.full(n, label))
            groups.append(np.full(n, e))
    return np.concatenate(X), np.concatenate(y), np.concatenate(groups)


def assert_spans(found, expected):
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-10)
    basis = np.linalg.qr(expected.T)[0].T
    np.testing.assert_allclose(found.T @ found, basis.T @ basis, atol=1e-8)


def make_spurious(n_domains, seed=1):
    """A rotation of five features, the last two of which are spurious."""
    rng = np.random.default_rng(seed)
    means = np.zeros((n_domains, 5))
    means[:, 3:] = rng.normal(size=(n_domains, 2))
    return means, ortho_group.rvs(5, random_state=2)


@pytest.mark.parametrize("n_spurious", ["auto", 2])
def test_spurious_directions_of_the_means_are_found_exactly(n_spurious):
    means, rotation = make_spurious(3)
    X, y, groups = make_domains(means, [np.eye(5)] * 3)
    recovery = InvariantSubspaceRecovery(n_spurious=n_spurious)
    recovery.fit(X @ rotation, y, groups=groups)
    assert_spans(recovery.spurious_components_, rotation[3:])
    assert_spans(recovery.components_, rotation[:3])
    np.testing.assert_allclose(recovery.scatter_[2:], 0.0, atol=1e-12)
    # Both classes have the same deviations of means, with another sign.
    deviations = means[:, 3:] - means[:, 3:].mean(axis=0)
    expected = np.linalg.eigvalsh(2 * deviations.T @ deviations)[::-1]
    np.testing.assert_allclose(recovery.scatter_[:2], expected, rtol=1e-10)
    kept = recovery.transform(X @ rotation)
    assert kept.shape == (len(X), 3)
    np.testing.assert_allclose(kept, X @ rotation @ recovery.components_.T)
    # What is kept has the same class means in all domains.
    for label in (0, 1):
        of_domain = [kept[(y == label) & (groups == e)].mean(axis=0) for e in range(3)]
        np.testing.assert_allclose(of_domain, of_domain[:1] * 3, atol=1e-10)


def test_the_most_variable_direction_comes_first():
    means = np.zeros((4, 5))
    means[:, 3], means[:, 4] = [1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 3.0, -3.0]
    X, y, groups = make_domains(means, [np.eye(5)] * 4)
    recovery = InvariantSubspaceRecovery(n_spurious=2).fit(X, y, groups=groups)
    np.testing.assert_allclose(
        np.abs(recovery.spurious_components_), np.eye(5)[[4, 3]], atol=1e-10
    )
    np.testing.assert_allclose(recovery.scatter_[:2], [36.0, 4.0], rtol=1e-10)


def test_scatter_of_means_by_loops():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    groups = np.repeat([0, 1, 2], [30, 20, 10])
    y[groups == 2] %= 2  # a class that one domain does not have
    expected = np.zeros((3, 3))
    for label in range(3):
        means = []
        for e in range(3):
            part = [
                x for x, a, b in zip(X, y, groups, strict=True) if (a, b) == (label, e)
            ]
            if part:
                means.append(sum(part) / len(part))
        center = sum(means) / len(means)
        for mean in means:
            expected += np.outer(mean - center, mean - center)
    found = between_domain_scatter(X, y, groups, np.ones(len(X)), "mean")
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def make_covariances():
    covariances = []
    for scale in (0.5, 1.0, 3.0):
        covariance = np.eye(5)
        covariance[3:, 3:] = scale * np.array([[2.0, 0.6], [0.6, 1.0]])
        covariance[0, 1] = covariance[1, 0] = 0.4
        covariances.append(covariance)
    return covariances


def test_covariances_tell_what_equal_means_do_not():
    rotation = ortho_group.rvs(5, random_state=4)
    covariances = make_covariances()
    X, y, groups = make_domains(np.zeros((3, 5)), covariances)
    X = X @ rotation
    recovery = InvariantSubspaceRecovery(n_spurious=2, moment="covariance")
    recovery.fit(X, y, groups=groups)
    assert_spans(recovery.spurious_components_, rotation[3:])
    average = sum(covariances) / 3
    squares = sum((c - average) @ (c - average) for c in covariances)
    expected = 2 * rotation.T @ squares @ rotation
    found = between_domain_scatter(X, y, groups, np.ones(len(X)), "covariance")
    np.testing.assert_allclose(found, expected, atol=1e-9)
    by_mean = InvariantSubspaceRecovery(n_spurious=2).fit(X, y, groups=groups)
    np.testing.assert_allclose(by_mean.scatter_, 0.0, atol=1e-12)


def test_covariances_need_only_two_domains():
    covariances = make_covariances()[:2]
    X, y, groups = make_domains(np.zeros((2, 5)), covariances)
    recovery = InvariantSubspaceRecovery(n_spurious=2, moment="covariance")
    recovery.fit(X, y, groups=groups)
    assert_spans(recovery.spurious_components_, np.eye(5)[3:])


def error_of(name, n_domains, recovery):
    # A problem whose five spurious directions all differ clearly between domains.
    options = {"n_domains": n_domains, "random_state": 4}
    X, y, groups = make_linear_unit_test(name, 2000, **options)
    X_test, y_test, _ = make_linear_unit_test(
        name, 2000, shuffle_spurious=True, sample=2, **options
    )
    Z = recovery.fit(X, y, groups=groups).transform(X)
    model = LogisticRegression(C=1e4, max_iter=1000).fit(Z, y)
    return 1.0 - model.score(recovery.transform(X_test), y_test)


@pytest.mark.parametrize("name", ["Example3", "Example3s"])
def test_six_domains_reach_the_error_of_the_oracle(name):
    best = norm.cdf(-np.sqrt(5))
    error = error_of(name, 6, InvariantSubspaceRecovery())
    # Three standard errors of a share in 12 000 rows, and what the fit costs.
    assert abs(error - best) < 3 * np.sqrt(best / 12_000) + 0.003


@pytest.mark.parametrize("name", ["Example3", "Example3s"])
@pytest.mark.parametrize("n_spurious", ["auto", 5])
def test_three_domains_do_not(name, n_spurious):
    assert error_of(name, 3, InvariantSubspaceRecovery(n_spurious=n_spurious)) > 0.1


def test_auto_counts_domains_and_leaves_a_feature():
    means, rotation = make_spurious(3)
    X, y, groups = make_domains(means, [np.eye(5)] * 3)
    X = X @ rotation  # all features vary
    shapes = []
    for columns in (5, 3, 2, 1):
        recovery = InvariantSubspaceRecovery().fit(X[:, :columns], y, groups=groups)
        shapes.append((len(recovery.spurious_components_), len(recovery.components_)))
    assert shapes == [(2, 3), (2, 1), (1, 1), (0, 1)]


def test_auto_leaves_what_does_not_vary():
    # One class is in a single domain, so that means differ along one direction alone.
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 4)), np.arange(60) % 3
    y = (groups != 1).astype(int)
    difference = X[groups == 0].mean(0) - X[groups == 2].mean(0)
    order = rng.permutation(60)
    for rows in (np.arange(60), order):
        recovery = InvariantSubspaceRecovery().fit(
            X[rows], y[rows], groups=groups[rows]
        )
        (direction,) = recovery.spurious_components_
        length = np.linalg.norm(difference)
        np.testing.assert_allclose(abs(direction @ difference), length, rtol=1e-10)
    alike = np.tile(X[:10], (3, 1))
    recovery = InvariantSubspaceRecovery().fit(
        alike, np.tile(y[:10], 3), groups=np.repeat([0, 1, 2], 10)
    )
    assert recovery.components_.shape == (4, 4)


def test_removing_nothing_rotates():
    means, _ = make_spurious(3)
    X, y, groups = make_domains(means, [np.eye(5)] * 3)
    recovery = InvariantSubspaceRecovery(n_spurious=0).fit(X, y, groups=groups)
    Z = recovery.transform(X)
    np.testing.assert_allclose(Z @ Z.T, X @ X.T, atol=1e-10)


@pytest.mark.parametrize("n_spurious", [5, 9])
def test_removing_everything_is_an_error(n_spurious):
    means, _ = make_spurious(3)
    X, y, groups = make_domains(means, [np.eye(5)] * 3)
    recovery = InvariantSubspaceRecovery(n_spurious=n_spurious)
    with pytest.raises(ValueError, match=f"n_spurious={n_spurious} would remove all"):
        recovery.fit(X, y, groups=groups)
    assert not hasattr(recovery, "components_")


def test_names_of_features_and_a_pipeline():
    means, _ = make_spurious(3)
    X, y, groups = make_domains(means, [np.eye(5)] * 3)
    recovery = InvariantSubspaceRecovery().fit(X, y, groups=groups)
    names = [f"invariantsubspacerecovery{k}" for k in range(3)]
    np.testing.assert_array_equal(recovery.get_feature_names_out(), names)
    pipeline = make_pipeline(InvariantSubspaceRecovery(), LogisticRegression())
    pipeline.fit(X, y, invariantsubspacerecovery__groups=groups)
    alone = LogisticRegression().fit(recovery.transform(X), y)
    np.testing.assert_array_equal(
        pipeline.predict_proba(X), alone.predict_proba(recovery.transform(X))
    )

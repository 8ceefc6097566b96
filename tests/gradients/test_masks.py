# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg.gradients import (
    ANDMaskClassifier,
    ANDMaskRegressor,
    SANDMaskClassifier,
    SANDMaskRegressor,
)
from skdg.invariance import ERMClassifier, ERMRegressor

# Three domains; a network of one tensor of four entries and one of two.
GRADIENTS = np.array(
    [
        [1.0, 2.0, -1.0, 0.0, 3.0, 1.0],
        [2.0, -1.0, -2.0, 1.0, 1.0, -1.0],
        [6.0, 5.0, -3.0, 2.0, 2.0, -3.0],
    ]
)
AGREEMENT = np.array([1.0, 1 / 3, 1.0, 2 / 3, 1.0, 1 / 3])
MEAN = np.array([3.0, 2.0, -2.0, 1.0, 2.0, -1.0])


def tensors(flat):
    return [flat[..., :4], flat[..., 4:]]


def direction(model, gradients):
    """Direction that the estimator's step makes of the domains' gradients."""
    combine = model._make_step(np.random.RandomState(0))._combine
    return combine(torch.tensor(gradients), tensors).numpy()


def rescaled(mask):
    mask = np.asarray(mask, dtype=float)
    parts = [part / max(part.mean(), 1e-300) for part in (mask[:4], mask[4:])]
    return MEAN * np.concatenate(parts)


@pytest.mark.parametrize(
    ("threshold", "mask"),
    [
        (1.0, [1, 0, 1, 0, 1, 0]),
        (2 / 3, [1, 0, 1, 1, 1, 0]),
        (0.5, [1, 0, 1, 1, 1, 0]),
        (1 / 3, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_and_mask_keeps_what_agrees_and_rescales_within_tensors(threshold, mask):
    model = ANDMaskClassifier(agreement_threshold=threshold)
    found = direction(model, GRADIENTS)
    np.testing.assert_allclose(found, rescaled(mask), rtol=1e-9)


def test_and_mask_of_a_tensor_without_agreement_is_0():
    gradients = GRADIENTS.copy()
    gradients[:, 4:] = [[1.0, -1.0], [-1.0, 1.0], [5.0, 2.0]]
    found = direction(ANDMaskClassifier(), gradients)
    np.testing.assert_array_equal(found[4:], 0.0)
    np.testing.assert_allclose(found[:4], rescaled([1, 0, 1, 0, 0, 0])[:4], rtol=1e-9)


@pytest.mark.parametrize("n_domains", [3, 6, 7, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_does_not_decide_at_the_threshold(n_domains, dtype):
    # The mean sign of k positive entries among S is (2 k - S) / S.
    # A threshold of 0, which k = S / 2 would ask for, takes the step of ERM.
    for k in (k for k in range(n_domains + 1) if 2 * k != n_domains):
        gradients = np.ones((n_domains, 6), dtype)
        gradients[k:] = -1.0
        gradients[:, 1:] = 1.0
        threshold = abs(2 * k - n_domains) / n_domains
        model = ANDMaskClassifier(agreement_threshold=threshold)
        found = direction(model, gradients)
        np.testing.assert_allclose(found, gradients.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9])
def test_sand_mask_by_numpy(threshold, sharpness):
    excess = AGREEMENT - threshold
    variance = np.var(GRADIENTS, axis=0, ddof=1)
    mask = np.maximum(0.0, np.tanh(sharpness * excess / variance))
    model = SANDMaskClassifier(agreement_threshold=threshold, sharpness=sharpness)
    found = direction(model, GRADIENTS)
    np.testing.assert_allclose(found, rescaled(mask), rtol=1e-7)


@pytest.mark.parametrize("n_domains", [3, 5, 6, 7, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sand_mask_at_the_threshold_is_closed(n_domains, dtype):
    for k in range(n_domains // 2 + 1, n_domains):
        gradients = np.full((n_domains, 6), 1e-7, dtype)
        gradients[k:] = -1e-7
        threshold = (2 * k - n_domains) / n_domains
        model = SANDMaskClassifier(agreement_threshold=threshold)
        np.testing.assert_array_equal(direction(model, gradients), 0.0)


def test_sand_mask_prefers_gradients_of_similar_size():
    gradients = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]] * 3)
    gradients[:, 0] = [0.1, 0.1, 2.8]
    found = direction(SANDMaskClassifier(sharpness=0.5), gradients)
    assert found[0] < 0.2 * found[1]


def test_sand_mask_of_equal_gradients_is_open():
    gradients = np.tile(MEAN, (3, 1))
    found = direction(SANDMaskClassifier(), gradients)
    np.testing.assert_allclose(found, MEAN, rtol=1e-9)


def test_a_threshold_of_1_closes_the_sand_mask():
    # Not offered by the estimator; the step itself is what DomainBed's default does.
    model = SANDMaskClassifier(agreement_threshold=1.0)
    np.testing.assert_array_equal(direction(model, GRADIENTS), 0.0)
    X, y, groups, _ = make_classes()
    with pytest.raises(ValueError, match="agreement_threshold"):
        model.fit(X, y, groups=groups)


def make_classes(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [20, 9, 14])
    X = rng.normal(size=(43, 3))
    y = (X[:, 0] + (groups - 1) * X[:, 1] > 0).astype(int)
    return X, y, groups, rng.uniform(0.2, 3.0, 43)


def assert_same_model(first, second):
    for a, b in zip(first.coefs_, second.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first.intercepts_, second.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


OPTIONS = {"max_iter": 20, "random_state": 0, "hidden_layer_sizes": (6,)}


@pytest.mark.parametrize(
    ("mask", "erm"),
    [(ANDMaskClassifier, ERMClassifier), (ANDMaskRegressor, ERMRegressor)],
)
def test_and_mask_with_threshold_0_is_erm_bit_for_bit(mask, erm):
    X, y, groups, weight = make_classes()
    fits = {"groups": groups, "sample_weight": weight}
    model = mask(agreement_threshold=0.0, **OPTIONS).fit(X, y, **fits)
    assert_same_model(model, erm(**OPTIONS).fit(X, y, **fits))


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
@pytest.mark.parametrize(
    ("mask", "erm"),
    [
        (ANDMaskClassifier, ERMClassifier),
        (ANDMaskRegressor, ERMRegressor),
        (SANDMaskClassifier, ERMClassifier),
        (SANDMaskRegressor, ERMRegressor),
    ],
)
def test_one_domain_is_erm_bit_for_bit(mask, erm):
    X, y, _, weight = make_classes()
    model = mask(**OPTIONS).fit(X, y, sample_weight=weight)
    assert_same_model(model, erm(**OPTIONS).fit(X, y, sample_weight=weight))


@pytest.mark.parametrize("mask", [ANDMaskRegressor, SANDMaskRegressor])
def test_fit_is_masked_descent_by_numpy(mask):
    X, y, groups, weight = make_classes(1)
    y = X @ [1.0, 0.0, -1.0] + groups * X[:, 1]
    model = mask(
        agreement_threshold=0.5,
        hidden_layer_sizes=(),
        normalize_y=False,
        alpha=0.1,
        optimizer="sgd",
        learning_rate="constant",
        learning_rate_init=0.05,
        max_iter=30,
    ).fit(X, y, groups=groups, sample_weight=weight)
    coef, offset = np.zeros(3), 0.0
    for _ in range(30):
        slopes = []
        for e in range(3):
            rows = groups == e
            share = weight[rows] / weight[rows].sum()
            residual = 2 * share * (X[rows] @ coef + offset - y[rows])
            slopes.append(np.append(residual @ X[rows], residual.sum()))
        slopes = np.array(slopes)
        excess = np.abs(np.sign(slopes).mean(axis=0)) - 0.5
        if mask is ANDMaskRegressor:
            values = (excess >= 0).astype(float)
        else:
            ratio = 10.0 * excess / np.var(slopes, axis=0, ddof=1)
            values = np.maximum(0.0, np.tanh(ratio))
        step = slopes.mean(axis=0) * values
        for part in (slice(0, 3), slice(3, 4)):
            step[part] /= values[part].mean() + 1e-10
        # The L2 penalty acts on all entries, after the mask.
        coef, offset = coef - 0.05 * (step[:3] + 0.1 * coef), offset - 0.05 * step[3]
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, offset, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("mask", [ANDMaskRegressor, SANDMaskRegressor])
def test_features_with_opposite_effects_are_not_learned(mask):
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    X, groups = np.tile(corners, (2, 1)), np.repeat([0, 1], 4)
    y = X[:, 0] + np.where(groups == 0, 0.8, -0.5) * X[:, 1]
    options = {"hidden_layer_sizes": (), "alpha": 0.0, "max_iter": 1000}
    model = mask(**options).fit(X, y, groups=groups)
    erm = ERMRegressor(**options).fit(X, y, groups=groups)
    np.testing.assert_allclose(model.coef_, [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(erm.coef_, [1.0, 0.15], atol=1e-6)

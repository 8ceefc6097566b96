# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from sklearn.datasets import load_digits

from skdg.datasets import make_colored_digits


def decode(X):
    """Return the color of each row and its pixels, checking that one channel is off."""
    channels = X.reshape(len(X), 2, 64)
    on = channels.any(axis=2)
    assert np.all(on.sum(axis=1) == 1)
    return on.argmax(axis=1), channels.sum(axis=1)


def digits_of(pixels):
    """Recognize each row among scikit-learn's digits."""
    images, digits = load_digits(return_X_y=True)
    known = dict(zip(map(bytes, images.astype(np.uint8)), digits, strict=True))
    rows = (pixels * 16.0).astype(np.uint8)
    return np.array([known[bytes(row)] for row in rows])


def test_every_digit_is_used_once_and_scaled():
    X, _, _ = make_colored_digits(random_state=0)
    assert X.dtype == np.float64
    _, pixels = decode(X)
    images = load_digits().data / 16.0
    np.testing.assert_array_equal(
        pixels[np.lexsort(pixels.T)], images[np.lexsort(images.T)]
    )
    assert not np.array_equal(pixels, images)


def test_noise_and_colors_have_the_stated_rates():
    rates = np.array([0.1, 0.2, 0.9])
    n_draws = 40
    wrong_label = np.zeros(3)
    wrong_color = np.zeros(3)
    both = np.zeros(3)
    for seed in range(n_draws):
        X, y, groups = make_colored_digits(random_state=seed)
        color, pixels = decode(X)
        flipped = (digits_of(pixels) < 5) != y
        for k, rate in enumerate(rates):
            rows = groups == rate
            wrong_label[k] += flipped[rows].sum()
            wrong_color[k] += (color != y)[rows].sum()
            both[k] += (flipped & (color != y))[rows].sum()
    n = 599 * n_draws
    # The two coins are independent: the share of rows with both is the product.
    for count, p in ((wrong_label, 0.25), (wrong_color, rates), (both, 0.25 * rates)):
        error = np.sqrt(p * (1.0 - p) / n)
        assert np.all(np.abs(count / n - p) <= 4.0 * error)


def test_no_noise_gives_labels_and_colors_without_error():
    X, y, groups = make_colored_digits(flip_rates=[1, 0], label_noise=0, random_state=3)
    color, pixels = decode(X)
    np.testing.assert_array_equal(y, digits_of(pixels) < 5)
    np.testing.assert_array_equal(color, np.where(groups == 1.0, 1 - y, y))


@pytest.mark.parametrize(
    ("rates", "sizes"),
    [
        ((0.1, 0.2, 0.9), (599, 599, 599)),
        ((0.9,), (1797,)),
        ((0.5, 0.1), (899, 898)),
        ((0.4, 0.3, 0.2, 0.1, 0.0), (360, 360, 359, 359, 359)),
    ],
)
def test_domains_share_the_digits(rates, sizes):
    _, _, groups = make_colored_digits(flip_rates=rates, random_state=0)
    np.testing.assert_array_equal(groups, np.repeat(rates, sizes))


def test_gray_is_the_same_data_without_color():
    X, y, groups = make_colored_digits(random_state=5)
    gray, y_gray, groups_gray = make_colored_digits(gray=True, random_state=5)
    np.testing.assert_array_equal(decode(X)[1], gray)
    np.testing.assert_array_equal(y, y_gray)
    np.testing.assert_array_equal(groups, groups_gray)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label_noise": 1.5}, "'label_noise' parameter"),
        ({"gray": "yes"}, "'gray' parameter"),
        ({"flip_rates": 0.1}, "'flip_rates' parameter"),
        ({"flip_rates": (0.1, -0.1)}, r"flip_rates must be finite and in \[0, 1\]"),
        ({"flip_rates": (0.1, np.nan)}, "got nan at position 1"),
        ({"flip_rates": (0.1, 0.1)}, "flip_rates must all be different"),
        ({"flip_rates": np.linspace(0, 1, 1798)}, "at most 1797 entries"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_colored_digits(**parameters)

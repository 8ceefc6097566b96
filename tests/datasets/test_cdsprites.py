# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import time

import numpy as np
import pytest
from scipy import stats

from skdg.datasets import make_cdsprites
from skdg.datasets._cdsprites import draw_shapes


def images(X, size=32):
    return X.reshape(len(X), 3, size, size)


def brightest(X, size=32):
    """The color of each image: that of a pixel inside the shape."""
    flat = images(X, size).reshape(len(X), 3, -1)
    inside = flat.sum(axis=1).argmax(axis=1)
    return flat[np.arange(len(X)), :, inside]


def random_shapes(n=200, size=32, seed=0):
    rng = np.random.default_rng(seed)
    side = size * rng.uniform(0.2, 0.4, n)
    center = size / 2 + rng.uniform(-0.15 * size, 0.15 * size, (n, 2))
    return np.arange(n) % 2 == 1, center, side, rng.uniform(0.0, 2 * np.pi, n)


def test_centers_and_moments_are_those_of_the_shapes():
    # Large enough for the grid of pixels and the smooth edges to matter little.
    ellipse, center, side, angle = random_shapes(size=128)
    cover = draw_shapes(ellipse, center, side, angle, 128).astype(float)
    assert cover.min() == 0.0
    assert cover.max() == 1.0
    area = cover.sum(axis=(1, 2))
    place = np.arange(128) + 0.5
    x = cover.sum(axis=1) @ place / area
    y = cover.sum(axis=2) @ place / area
    np.testing.assert_allclose(np.column_stack([x, y]), center, atol=0.05)
    # Along the axes, a uniform square has the variance side^2 / 12 and an ellipse a
    # quarter of the squared semi-axis.
    a = np.where(ellipse, side * np.sqrt(2.0 / np.pi) / 2.0, side / np.sqrt(12.0))
    b = np.where(ellipse, a / 2.0, a)
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    for axis, semi in ((direction, a), (direction[:, ::-1] * [-1.0, 1.0], b)):
        offset = axis[:, :1, None] * (
            place[None, None, :] - center[:, :1, None]
        ) + axis[:, 1:, None] * (place[None, :, None] - center[:, 1:, None])
        variance = (cover * offset**2).sum(axis=(1, 2)) / area
        np.testing.assert_allclose(variance, semi**2, rtol=0.01)


@pytest.mark.parametrize("side", [6.4, 9.0, 12.8])
def test_areas_are_those_of_the_shapes(side, assert_mean):
    n = 2000
    ellipse, center, _, angle = random_shapes(n)
    cover = draw_shapes(ellipse, center, np.full(n, side), angle, 32)
    area = cover.sum(axis=(1, 2), dtype=float)
    # How an outline lies on the grid of pixels matters to one image, not on average.
    np.testing.assert_allclose(area, side**2, rtol=0.02)
    # Across the two widths of a square a ramp of width 1 adds nothing; across a smooth
    # closed outline it adds pi / 12, by Steiner's formula, and the distance from an
    # ellipse is one to first order.
    assert_mean(area[~ellipse], side**2)
    assert_mean(area[ellipse], side**2 + np.pi / 12.0, rounding=0.08)


@pytest.mark.parametrize("size", [16, 32])
def test_each_pixel_agrees_with_counting_points_inside(size):
    ellipse, center, side, angle = random_shapes(60, size, seed=1)
    cover = draw_shapes(ellipse, center, side, angle, size)
    fine = 16
    place = (np.arange(size * fine) + 0.5) / fine
    for i in range(60):
        x, y = place[None, :] - center[i, 0], place[:, None] - center[i, 1]
        u = np.cos(angle[i]) * x + np.sin(angle[i]) * y
        v = np.cos(angle[i]) * y - np.sin(angle[i]) * x
        if ellipse[i]:
            # Half axes of the ratio 2 whose product, times pi, is the square's area.
            short = side[i] / np.sqrt(2.0 * np.pi)
            inside = (u / (2.0 * short)) ** 2 + (v / short) ** 2 <= 1.0
        else:
            inside = np.maximum(np.abs(u), np.abs(v)) <= side[i] / 2.0
        share = inside.reshape(size, fine, size, fine).mean(axis=(1, 3))
        # A ramp across a slanted edge is not the exact share, at corners less so.
        assert np.abs(cover[i] - share).max() < 0.25
        assert np.abs(cover[i] - share).sum() < 0.03 * share.sum() + 1.0


def test_shapes_stay_inside_the_image_and_come_in_all_sizes_and_places():
    X, y, _ = make_cdsprites(2000, n_domains=1, random_state=0)
    shapes = images(X).max(axis=1)
    area = shapes.sum(axis=(1, 2)) / brightest(X).max(axis=1)
    place = np.arange(32) + 0.5
    x = shapes.sum(axis=1) @ place / shapes.sum(axis=(1, 2))
    # None is cut off at the edge.
    assert area.min() > 6.4**2 - 1.0
    # Neither the size nor the place of a shape tells which one it is.
    for values in (area, x):
        assert stats.ks_2samp(values[y == 0], values[y == 1]).pvalue > 0.001
    # Sides are uniform between 0.2 and 0.4 of the image.
    side = np.sqrt(area)
    assert stats.kstest(side, stats.uniform(6.4, 6.4).cdf).pvalue > 0.001
    # Of the places within the image, all are as likely.
    reach = side * np.sqrt(2.0 / np.pi)
    place = (x - reach) / (32.0 - 2.0 * reach)
    assert stats.kstest(place, stats.uniform().cdf).pvalue > 0.001


def test_colors_are_those_of_the_palette():
    palette = np.random.default_rng(0).uniform(0.3, 1.0, (7, 2, 3))
    X, y, groups = make_cdsprites(50, n_domains=7, palette=palette, random_state=1)
    found = brightest(X)
    for number in range(7):
        rows = groups == f"train_{number + 1}"
        assert rows.sum() == 50
        expected = palette[number, y[rows]]
        np.testing.assert_allclose(found[rows], expected, rtol=1e-6)
        # Every pixel has this color, more or less of it.
        own = images(X)[rows]
        cover = own[:, 0] / expected[:, 0, None, None]
        for channel in (1, 2):
            np.testing.assert_allclose(
                own[:, channel],
                cover * expected[:, channel, None, None],
                rtol=1e-5,
                atol=1e-7,
            )


def test_colors_of_the_test_domain_know_nothing_of_the_shape():
    palette = np.random.default_rng(0).uniform(0.3, 1.0, (4, 2, 3))
    X, y, groups = make_cdsprites(4000, n_domains=4, palette=palette, random_state=2)
    rows = groups == "test"
    distance = np.abs(brightest(X[rows])[:, None] - palette.reshape(8, 3)).sum(axis=2)
    assert distance.min(axis=1).max() < 1e-5
    entry = distance.argmin(axis=1)
    table = np.array([np.bincount(entry[y[rows] == c], minlength=8) for c in (0, 1)])
    assert stats.chi2_contingency(table).pvalue > 0.001
    assert stats.chisquare(table.sum(axis=0)).pvalue > 0.001
    # In a training domain the color gives the class away.
    seen = groups == "train_1"
    nearest = (
        np.abs(brightest(X[seen])[:, None] - palette[0]).sum(axis=2).argmin(axis=1)
    )
    np.testing.assert_array_equal(nearest, y[seen])


def test_the_same_seed_gives_the_same_shapes_in_other_colors():
    gray = np.ones((3, 2, 3))
    X, y, groups = make_cdsprites(20, n_domains=3, random_state=5)
    shapes, y_gray, groups_gray = make_cdsprites(
        20, n_domains=3, palette=gray, random_state=5
    )
    np.testing.assert_array_equal(y, y_gray)
    np.testing.assert_array_equal(groups, groups_gray)
    # The largest of a drawn color's three parts is 1.
    np.testing.assert_allclose(images(X).max(axis=1), images(shapes)[:, 0], atol=1e-6)
    assert np.ptp(images(X), axis=1).max() > 0.3


def test_form_of_what_is_returned():
    X, y, groups = make_cdsprites(5, n_domains=10, image_size=16, random_state=0)
    assert X.shape == (55, 768)
    assert X.dtype == np.float32
    assert X.flags.c_contiguous
    assert 0.0 <= X.min() <= X.max() <= 1.0
    names = [f"train_{number:02}" for number in range(1, 11)]
    np.testing.assert_array_equal(groups, np.repeat([*names, "test"], 5))
    # Sorted, training domains stand in their order.
    assert np.unique(groups)[1:].tolist() == names
    np.testing.assert_array_equal(y.reshape(11, 5).sum(axis=1), 2)


def test_thousands_of_images_in_a_second():
    began = time.process_time()
    X, _, _ = make_cdsprites(100, n_domains=9, image_size=64, random_state=0)
    assert len(X) / (time.process_time() - began) > 1000


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter"),
        ({"n_domains": 0}, "'n_domains' parameter"),
        ({"image_size": 15}, "'image_size' parameter"),
        ({"palette": "red"}, "'palette' parameter"),
        ({"palette": [["red"]]}, "palette must hold numbers"),
        ({"palette": np.ones((2, 3))}, r"\(2, 2, 3\): .* got \(2, 3\)"),
        ({"palette": np.ones((3, 2, 3))}, r"got \(3, 2, 3\)"),
        ({"palette": np.full((2, 2, 3), 1.5)}, r"got 1.5 at position \(0, 0, 0\)"),
        (
            {"palette": [[[0, 0, 0]] * 2, [[0, 0, 0], [1, np.nan, 0]]]},
            r"got nan at position \(1, 1, 1\)",
        ),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_cdsprites(**{"n_domains": 2, **parameters})

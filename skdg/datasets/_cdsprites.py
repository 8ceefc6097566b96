# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Squares and ellipses in colors that say what they are, but in each domain others."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params

from skdg._random import RandomState, private_rng

# The semi-axes of an ellipse that is twice as long as wide, in units of the side of a
# square of the same area.
_SEMI_AXES = np.array([2.0, 1.0]) / np.sqrt(2.0 * np.pi)
# The side of the square, in units of the side of the image.
_SMALLEST, _LARGEST = 0.2, 0.4
# Images that are drawn at once: what they need stays in the processor's cache.
_CHUNK = 64


def draw_shapes(
    is_ellipse: np.ndarray,
    center: np.ndarray,
    side: np.ndarray,
    angle: np.ndarray,
    image_size: int,
) -> np.ndarray:
    """Return the share of each pixel that a shape covers, (n_samples, size, size).

    Lengths are in pixels. An edge is a ramp one pixel wide across the outline, so that
    the sum over pixels is the area.
    """
    place = np.arange(image_size, dtype=np.float32) + np.float32(0.5)
    x = place - center[:, :1].astype(np.float32)
    y = place - center[:, 1:].astype(np.float32)
    cos, sin = (f(angle).astype(np.float32)[:, None] for f in (np.cos, np.sin))
    # Coordinates along the shape's own axes.
    u = (cos * x)[:, None, :] + (sin * y)[:, :, None]
    v = (cos * y)[:, :, None] - (sin * x)[:, None, :]
    cover = np.empty_like(u)
    squares, ellipses = ~is_ellipse, is_ellipse
    half = (0.5 * side[squares]).astype(np.float32)[:, None, None]
    cover[squares] = np.clip(half + 0.5 - np.abs(u[squares]), 0.0, 1.0)
    cover[squares] *= np.clip(half + 0.5 - np.abs(v[squares]), 0.0, 1.0)
    a, b = (_SEMI_AXES[:, None] * side[ellipses]).astype(np.float32)[:, :, None, None]
    u, v = u[ellipses] / a, v[ellipses] / b
    # The distance from the outline, to first order: the value there over its slope.
    value = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2)
    distance = (value - 1.0) * value / np.maximum(slope, 1e-6)
    cover[ellipses] = np.clip(0.5 - distance, 0.0, 1.0)
    return cover


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_domains": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 16, None, closed="left")],
        "palette": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_cdsprites(
    n_samples: int = 200,
    *,
    n_domains: int = 15,
    image_size: int = 32,
    palette: ArrayLike | None = None,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Draw squares and ellipses whose color misleads on the test domain.

    The task is to tell ellipses from squares. In each training domain the two have
    colors of their own, so that in one domain the color says it all; in the next domain
    the colors are others. In the test domain colors are drawn at random.

    Parameters
    ----------
    n_samples : int, default=200
        Number of images in each domain.

    n_domains : int, default=15
        Number of training domains, N of CdSprites-N.

    image_size : int, default=32
        Height and width of an image in pixels. The published images have 64.

    palette : array-like of shape (n_domains, 2, 3), default=None
        Red, green and blue, in [0, 1], of squares and of ellipses in each training
        domain. None draws them at random: uniform, then scaled so that the largest of
        the three is 1, which no black image can be.

    random_state : int, RandomState instance or None, default=None
        Determines shapes and colors. Pass an int for the same output at every call;
        with the same int the shapes are the same whatever the palette. None leaves the
        global generator of numpy alone.

    Returns
    -------
    X : ndarray of shape ((n_domains + 1) * n_samples, 3 * image_size * image_size)
        One image in each row, in [0, 1], in float32: the red channel row by row, then
        the green one, then the blue one. ``X.reshape(-1, 3, image_size, image_size)``,
        or ``torch.nn.Unflatten(1, (3, image_size, image_size))`` as the first layer of
        a `module`, gives images with channels first.

    y : ndarray of shape ((n_domains + 1) * n_samples,)
        1 for an ellipse, 0 for a square. Each domain has as many of both, or one square
        more.

    groups : ndarray of shape ((n_domains + 1) * n_samples,)
        The domain of each row: "train_1" and so on, with as many digits as the last
        one needs, then "test".

    Raises
    ------
    ValueError
        If `palette` does not have the shape above or leaves [0, 1].

    See Also
    --------
    make_colored_digits : Two colors that are shared by all domains.
    make_fish_linear : The same idea with four binary features.

    Notes
    -----
    The color of class c in training domain e is ``palette[e, c]``. In the test domain
    each image has the color of a random entry of the palette, whatever its shape: a
    model of colors is right in half of the cases. The more training domains there are,
    the more colors stand for both classes, and the less a color says; with few domains
    empirical risk minimization fails on the test domain [1]_.

    Squares and ellipses of one scale have the same area, and all positions are as
    likely for both. The side of a square is uniform between 0.2 and 0.4 of the image's,
    the ellipse is twice as long as wide, orientations are uniform, and so are the
    places at which a shape stays within the image. Edges are smooth.

    The original is made from the images of dSprites and from palettes that were
    published as files; here both are drawn. The shapes are alike, not the same.

    References
    ----------
    .. [1] Y. Shi, J. Seely, P. H. S. Torr, N. Siddharth, A. Hannun, N. Usunier and
       G. Synnaeve, "Gradient Matching for Domain Generalization", International
       Conference on Learning Representations, 2022.

    Examples
    --------
    >>> from skdg.datasets import make_cdsprites
    >>> X, y, groups = make_cdsprites(100, n_domains=5, random_state=0)
    >>> X.reshape(-1, 3, 32, 32).shape
    (600, 3, 32, 32)
    >>> print(groups[0], groups[-1])
    train_1 test
    """
    rng = private_rng(random_state)
    n_rows = (n_domains + 1) * n_samples
    y = np.concatenate(
        [rng.permutation(np.arange(n_samples) % 2) for _ in range(n_domains + 1)]
    )
    side = image_size * rng.uniform(_SMALLEST, _LARGEST, n_rows)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_rows)
    # No shape reaches further from its center than half of the ellipse's length.
    reach = _SEMI_AXES[0] * side
    center = rng.random_sample((n_rows, 2)) * (image_size - 2.0 * reach)[:, None]
    center += reach[:, None]
    entry = rng.randint(2 * n_domains, size=n_samples)
    # Drawn last: the shapes do not depend on how the colors come about.
    if palette is None:
        colors = rng.random_sample((n_domains, 2, 3))
        colors /= colors.max(axis=2, keepdims=True)
    else:
        colors = _check_palette(palette, n_domains)

    domain = np.repeat(np.arange(n_domains + 1), n_samples)
    position = 2 * domain + y
    position[domain == n_domains] = entry
    color = colors.reshape(-1, 3)[position].astype(np.float32)
    X = np.empty((n_rows, 3, image_size, image_size), dtype=np.float32)
    for start in range(0, n_rows, _CHUNK):
        rows = slice(start, start + _CHUNK)
        cover = draw_shapes(
            y[rows] == 1, center[rows], side[rows], angle[rows], image_size
        )
        np.multiply(cover[:, None], color[rows, :, None, None], out=X[rows])
    width = len(str(n_domains))
    names = [f"train_{number + 1:0{width}}" for number in range(n_domains)]
    return X.reshape(n_rows, -1), y, np.array([*names, "test"])[domain]


def _check_palette(palette: ArrayLike, n_domains: int) -> np.ndarray:
    try:
        colors = np.asarray(palette, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("palette must hold numbers, three for each color.") from error
    if colors.shape != (n_domains, 2, 3):
        raise ValueError(
            f"palette must have the shape (n_domains, 2, 3) = ({n_domains}, 2, 3): a "
            f"color of squares and one of ellipses for each domain; got {colors.shape}."
        )
    wrong = ~((colors >= 0.0) & (colors <= 1.0))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"palette must lie in [0, 1]; got {colors[where]:g} at position {where}."
        )
    return colors

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Colored MNIST's protocol on the small digits that come with scikit-learn."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import load_digits
from sklearn.utils._param_validation import Interval, validate_params

from skdg._random import RandomState, private_rng
from skdg.datasets._common import check_levels, in_channels, noisy_labels_and_colors


@validate_params(
    {
        "flip_rates": ["array-like"],
        "label_noise": [Interval(Real, 0, 1, closed="both")],
        "gray": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_colored_digits(
    *,
    flip_rates: ArrayLike = (0.1, 0.2, 0.9),
    label_noise: float = 0.25,
    gray: bool = False,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Color scikit-learn's digits so that the color misleads on the last domain.

    The task is to tell digits below 5 from the others. The label is noisy, and each
    digit is drawn in one of two colors. In the training domains the color predicts the
    label better than the shape does, in the test domain it points the wrong way.

    Parameters
    ----------
    flip_rates : array-like of float, default=(0.1, 0.2, 0.9)
        Probability that the color disagrees with the noisy label, one for each domain,
        all different. It is also the name of the domain in `groups`. By convention the
        last domain is the test domain.

    label_noise : float, default=0.25
        Probability that the label of a digit is flipped.

    gray : bool, default=False
        If True, leave out the color: `X` holds the sum of the two channels. A model
        trained on it is an oracle that cannot be misled. With the same int as
        `random_state`, the rows, labels and domains are those of the colored data.

    random_state : int, RandomState instance or None, default=None
        Determines which digit falls into which domain, the label noise and the colors.
        Pass an int for the same output at every call. None leaves the global generator
        of numpy alone.

    Returns
    -------
    X : ndarray of shape (1797, 128), or (1797, 64) if `gray=True`
        Pixels of the two 8 x 8 channels, one after the other, scaled to [0, 1]. One
        channel of each row is zero.

    y : ndarray of shape (1797,)
        The noisy label: 1 stands for a digit below 5, 0 for the others.

    groups : ndarray of shape (1797,)
        The domain of each row: the flip rate with which its color was drawn. Domains
        follow each other in the order of `flip_rates`.

    See Also
    --------
    sklearn.datasets.load_digits : The digits themselves.
    fetch_colored_mnist : The same protocol on MNIST.
    make_irm_sem : Regression with causes and effects of the target.

    Notes
    -----
    With independent coin tosses :math:`u, v` and the flip rate e of the domain,

    .. math::

        y &= 1[\text{digit} < 5] \oplus u, \qquad P(u = 1) = \text{label\_noise}, \\
        c &= y \oplus v, \qquad P(v = 1) = e,

    and channel c holds the digit. All 1797 digits are used once: they are shuffled,
    then cut into as many parts as there are domains. The parts are of equal size, 599
    for three domains; if the division leaves a remainder, each of the first domains
    gets one row more.

    The best predictor that only sees the shape is right with probability
    1 - `label_noise` in every domain; the one that only sees the color, with 1 - e.
    The original [1]_ uses 25 000, 25 000 and 10 000 digits of MNIST, subsampled to 14 x
    14 pixels.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk
       Minimization", arXiv:1907.02893, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.datasets import make_colored_digits
    >>> X, y, groups = make_colored_digits(random_state=0)
    >>> X.shape
    (1797, 128)
    >>> color = X[:, 64:].any(axis=1)
    >>> for domain in np.unique(groups):
    ...     agree = np.mean((color == y)[groups == domain])
    ...     print(f"flip rate {domain}: color agrees in {agree:.0%}")
    flip rate 0.1: color agrees in 90%
    flip rate 0.2: color agrees in 82%
    flip rate 0.9: color agrees in 11%
    """
    rates = check_levels(flip_rates, "flip_rates", low=0.0, high=1.0)
    pixels, digits = load_digits(return_X_y=True)
    n_samples = len(digits)
    if len(rates) > n_samples:
        raise ValueError(
            f"flip_rates must have at most {n_samples} entries, one digit for each "
            f"domain; got {len(rates)}."
        )
    rng = private_rng(random_state)
    order = rng.permutation(n_samples)
    pixels, digits = pixels[order] / 16.0, digits[order]
    sizes = np.full(len(rates), n_samples // len(rates))
    sizes[: n_samples % len(rates)] += 1
    groups = np.repeat(rates, sizes)

    y, color = noisy_labels_and_colors(digits < 5, groups, label_noise, rng)
    return (pixels if gray else in_channels(pixels, color)), y, groups

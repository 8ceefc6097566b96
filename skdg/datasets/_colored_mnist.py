# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Colored MNIST, after the code of invariant risk minimization."""

import os
from numbers import Real
from urllib.error import URLError

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import fetch_openml
from sklearn.utils._param_validation import Interval, validate_params

from skdg._random import RandomState, private_rng
from skdg.datasets._common import check_levels, in_channels, noisy_labels_and_colors

# The digits that MNIST offers for training; those after the first 50 000 are the test
# domain, and MNIST's own test digits are not used.
_N_DIGITS = 60_000
_N_SEEN = 50_000
_SIDE = 28


@validate_params(
    {
        "path": [str, os.PathLike, None],
        "data_home": [str, os.PathLike, None],
        "flip_rates": ["array-like"],
        "label_noise": [Interval(Real, 0, 1, closed="both")],
        "gray": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_colored_mnist(
    *,
    path: str | os.PathLike | None = None,
    data_home: str | os.PathLike | None = None,
    flip_rates: ArrayLike = (0.2, 0.1, 0.9),
    label_noise: float = 0.25,
    gray: bool = False,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Load MNIST, colored so that the color misleads on the last domain.

    The task is to tell digits below 5 from the others. The label is noisy, and each
    digit is drawn in one of two colors. In the training domains the color predicts the
    label better than the shape does, in the test domain it points the wrong way.

    Parameters
    ----------
    path : str or path-like, default=None
        A file of numpy (``.npz``) that holds MNIST's 60 000 training digits: arrays
        ``x_train`` of shape (60000, 28, 28), with values from 0 to 255, and
        ``y_train``. None takes ``mnist_784`` from OpenML, which is downloaded once.

    data_home : str or path-like, default=None
        Where scikit-learn keeps what it downloads, see
        :func:`sklearn.datasets.fetch_openml`. Not used if `path` is given.

    flip_rates : array-like of float, default=(0.2, 0.1, 0.9)
        Probability that the color disagrees with the noisy label, one for each domain,
        all different. It is also the name of the domain in `groups`. The last domain
        is the test domain, and there must be at least one before it.

    label_noise : float, default=0.25
        Probability that the label of a digit is flipped.

    gray : bool, default=False
        If True, leave out the color: `X` holds the sum of the two channels. A model
        trained on it is an oracle that cannot be misled. With the same int as
        `random_state`, the rows, labels and domains are those of the colored data.

    random_state : int, RandomState instance or None, default=None
        Determines which digit falls into which training domain, the label noise and
        the colors. Pass an int for the same output at every call. None leaves the
        global generator of numpy alone.

    Returns
    -------
    X : ndarray of shape (60000, 392), or (60000, 196) if `gray=True`
        Pixels of the two 14 x 14 channels, one after the other, scaled to [0, 1], in
        float32. One channel of each row is zero.

    y : ndarray of shape (60000,)
        The noisy label: 1 stands for a digit below 5, 0 for the others.

    groups : ndarray of shape (60000,)
        The domain of each row: the flip rate with which its color was drawn. Domains
        follow each other in the order of `flip_rates`.

    Raises
    ------
    ValueError
        If the file at `path` does not hold MNIST, or a parameter is out of range.
    ConnectionError
        If it has to be downloaded, but cannot be.

    See Also
    --------
    make_colored_digits : The same protocol on smaller digits, without a download.

    Notes
    -----
    As in the code of [1]_: of MNIST's training digits the first 50 000 are shuffled
    and dealt to the training domains in turn, 25 000 to each of two; the last 10 000
    are the test domain. Every second row and column of pixels is kept. With
    independent coin tosses :math:`u, v` and the flip rate e of the domain,

    .. math::

        y &= 1[\text{digit} < 5] \oplus u, \qquad P(u = 1) = \text{label\_noise}, \\
        c &= y \oplus v, \qquad P(v = 1) = e,

    and channel c holds the digit. By the shape alone 75 % can be got right in every
    domain; by the color alone 80 %, 90 % and 10 %. What is published for this data set
    was selected on the test domain.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk
       Minimization", arXiv:1907.02893, 2019.

    Examples
    --------
    Without `path` the digits are downloaded. Here white squares stand for them:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skdg.datasets import fetch_colored_mnist
    >>> squares = np.full((60_000, 28, 28), 255, dtype=np.uint8)
    >>> digits = np.arange(60_000) % 10
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mnist.npz"
    ...     np.savez(path, x_train=squares, y_train=digits)
    ...     X, y, groups = fetch_colored_mnist(path=path, random_state=0)
    >>> X.shape
    (60000, 392)
    >>> domains, sizes = np.unique(groups, return_counts=True)
    >>> domains.tolist(), sizes.tolist()
    ([0.1, 0.2, 0.9], [25000, 25000, 10000])
    """
    rates = check_levels(flip_rates, "flip_rates", low=0.0, high=1.0)
    if len(rates) < 2:
        raise ValueError(
            "flip_rates must have at least two entries, for a training domain and the "
            f"test domain; got {rates.tolist()}."
        )
    pixels, digits = _from_openml(data_home) if path is None else _from_file(path)
    rng = private_rng(random_state)
    # Dealing shuffled digits in turn, and putting those of one domain together.
    seen = rng.permutation(_N_SEEN)
    n_training = len(rates) - 1
    order = np.concatenate([seen[k::n_training] for k in range(n_training)])
    order = np.concatenate([order, np.arange(_N_SEEN, _N_DIGITS)])
    sizes = [len(seen[k::n_training]) for k in range(n_training)]
    groups = np.repeat(rates, [*sizes, _N_DIGITS - _N_SEEN])

    images = pixels[order, ::2, ::2].reshape(_N_DIGITS, -1)
    images = images.astype(np.float32) / np.float32(255.0)
    y, color = noisy_labels_and_colors(digits[order] < 5, groups, label_noise, rng)
    return (images if gray else in_channels(images, color)), y, groups


def _from_openml(data_home: str | os.PathLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Return images and digits; the training digits are the first of the table."""
    try:
        pixels, digits = fetch_openml(
            "mnist_784",
            version=1,
            data_home=data_home,
            return_X_y=True,
            as_frame=False,
            parser="liac-arff",
        )
    except (URLError, ConnectionError, TimeoutError) as error:
        raise ConnectionError(
            f"mnist_784 could not be downloaded from OpenML: {error}. Without a "
            f"network pass path=, a file mnist.npz with arrays x_train and y_train, or "
            f"data_home=, a folder in which scikit-learn has kept it before."
        ) from error
    images = pixels[:_N_DIGITS].reshape(_N_DIGITS, _SIDE, _SIDE)
    return images, digits[:_N_DIGITS].astype(np.int64)


def _from_file(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Return images and digits of a file that the user names."""
    with np.load(path) as file:
        missing = {"x_train", "y_train"} - set(file.files)
        if missing:
            raise ValueError(
                f"{os.fspath(path)} must hold the arrays x_train and y_train; "
                f"{' and '.join(sorted(missing))} not found among {file.files}."
            )
        pixels, digits = file["x_train"], file["y_train"]
    wanted = (_N_DIGITS, _SIDE, _SIDE)
    if pixels.shape != wanted or digits.shape != wanted[:1]:
        raise ValueError(
            f"{os.fspath(path)} must hold x_train of shape {wanted} and y_train of "
            f"shape {wanted[:1]}; got {pixels.shape} and {digits.shape}."
        )
    return pixels, digits

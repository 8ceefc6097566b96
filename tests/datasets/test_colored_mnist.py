# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from urllib.error import URLError

import numpy as np
import pytest

from skdg.datasets import _colored_mnist, fetch_colored_mnist

N = 60_000


@pytest.fixture(scope="module")
def digits():
    """Images that say what they are: digit and number of the row are in the pixels."""
    numbers = np.arange(N)
    labels = numbers * 7 % 10
    images = np.zeros((N, 28, 28), np.uint8)
    images[:, 0, 0] = labels + 1
    images[:, 0, 2] = numbers // 250
    images[:, 26, 26] = numbers % 250
    # What is not kept: every second row and column.
    images[:, 1, :] = 255
    images[:, :, 27] = 255
    return images, labels


@pytest.fixture(scope="module")
def path(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    np.savez(path, x_train=digits[0], y_train=digits[1])
    return path


def decode(X):
    """Return color, digit and number of each row."""
    channels = X.reshape(len(X), 2, 14, 14)
    on = channels.any(axis=(2, 3))
    assert np.all(on.sum(axis=1) == 1)
    gray = np.rint(255.0 * channels.sum(axis=1)).astype(int)
    return on.argmax(axis=1), gray[:, 0, 0] - 1, 250 * gray[:, 0, 1] + gray[:, 13, 13]


def test_domains_are_those_of_the_protocol(path):
    X, _, groups = fetch_colored_mnist(path=path, random_state=0)
    assert X.dtype == np.float32
    assert X.shape == (N, 392)
    np.testing.assert_array_equal(
        groups, np.repeat([0.2, 0.1, 0.9], [25000] * 2 + [N - 50000])
    )
    _, digit, number = decode(X)
    np.testing.assert_array_equal(digit, number * 7 % 10)
    # The last 10 000 in their order; the others once each, in another order.
    np.testing.assert_array_equal(number[50000:], np.arange(50000, N))
    np.testing.assert_array_equal(np.sort(number[:50000]), np.arange(50000))
    assert np.corrcoef(number[:50000], np.arange(50000))[0, 1] < 0.05


def test_noise_and_colors_have_the_stated_rates(path):
    X, y, groups = fetch_colored_mnist(path=path, random_state=1)
    color, digit, _ = decode(X)
    flipped, off = (digit < 5) != y, color != y
    for rate in (0.2, 0.1, 0.9):
        rows = groups == rate
        for coin, p in ((flipped, 0.25), (off, rate), (flipped & off, 0.25 * rate)):
            error = np.sqrt(p * (1.0 - p) / rows.sum())
            assert abs(coin[rows].mean() - p) <= 4.0 * error


def test_gray_is_the_same_data_without_color(path):
    X, y, groups = fetch_colored_mnist(path=path, random_state=5)
    gray, y_gray, groups_gray = fetch_colored_mnist(
        path=path, gray=True, random_state=5
    )
    np.testing.assert_array_equal(X.reshape(N, 2, 196).sum(1), gray)
    np.testing.assert_array_equal(y, y_gray)
    np.testing.assert_array_equal(groups, groups_gray)


def test_openml_gives_the_same(path, digits, monkeypatch):
    images, labels = digits

    def fetch_openml(name, *, version, data_home, return_X_y, as_frame, parser):
        assert (name, version, data_home) == ("mnist_784", 1, "here")
        assert return_X_y
        assert not as_frame
        # 10 000 more digits follow, and labels are strings.
        table = np.concatenate([images, images[:10000]]).reshape(-1, 784)
        return table, np.concatenate([labels, labels[:10000]]).astype(str).astype(
            object
        )

    monkeypatch.setattr(_colored_mnist, "fetch_openml", fetch_openml)
    expected = fetch_colored_mnist(path=path, random_state=3)
    for ours, theirs in zip(
        fetch_colored_mnist(data_home="here", random_state=3), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "cause", [URLError("no host"), ConnectionResetError("no host")]
)
def test_without_a_network_the_error_says_what_to_pass(cause, monkeypatch):
    def fetch_openml(*_, **__):
        raise cause

    monkeypatch.setattr(_colored_mnist, "fetch_openml", fetch_openml)
    said = r"mnist_784 .*no host.* path=, .*x_train and y_train.* data_home="
    with pytest.raises(ConnectionError, match=said):
        fetch_colored_mnist()


@pytest.mark.parametrize("n_training", [1, 3])
def test_digits_are_dealt_to_any_number_of_domains(path, n_training):
    rates = np.linspace(0.1, 0.9, n_training + 1)
    _, _, groups = fetch_colored_mnist(path=path, flip_rates=rates, random_state=0)
    counts = [np.sum(groups == rate) for rate in rates]
    assert counts[-1] == 10000
    assert sum(counts) == N
    assert max(counts[:-1]) - min(counts[:-1]) <= 1


def test_bad_parameters(path):
    with pytest.raises(ValueError, match="at least two entries"):
        fetch_colored_mnist(path=path, flip_rates=[0.1])
    with pytest.raises(ValueError, match="flip_rates must all be different"):
        fetch_colored_mnist(path=path, flip_rates=[0.1, 0.1])
    with pytest.raises(ValueError, match="'label_noise' parameter"):
        fetch_colored_mnist(path=path, label_noise=-0.1)


def test_a_file_that_is_not_mnist_is_named(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, x_train=np.zeros((3, 28, 28)))
    with pytest.raises(ValueError, match=r"other.npz must hold.*y_train not found"):
        fetch_colored_mnist(path=path)
    np.savez(path, x_train=np.zeros((3, 28, 28)), y_train=np.zeros(3))
    with pytest.raises(ValueError, match=r"got \(3, 28, 28\) and \(3,\)"):
        fetch_colored_mnist(path=path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fetch_colored_mnist(path=tmp_path / "nowhere.npz")

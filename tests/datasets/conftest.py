# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest


@pytest.fixture
def assert_mean():
    """Compare a mean with its expectation, or with a published mean of n_expected.

    The tolerance is four standard errors of the difference, so it follows from the
    data; rounding is what the published number may be off by for its digits.
    """

    def compare(values, expected, n_expected=np.inf, rounding=0.0):
        values = np.asarray(values)
        variance = values.var(axis=0, ddof=1)
        error = np.sqrt(variance / len(values) + variance / n_expected)
        excess = np.abs(values.mean(axis=0) - expected) - 4.0 * error - rounding
        assert np.all(excess <= 0.0), (values.mean(axis=0), expected, error)

    return compare

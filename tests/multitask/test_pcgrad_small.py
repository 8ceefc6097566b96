# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of which the square is 0 in the precision of training."""

import numpy as np
import pytest
import torch

from skdg.multitask._combinations import combine_shared


def direction_of(gradients, rule="pcgrad"):
    """Combine gradients whose last two numbers belong to heads."""
    padded = torch.cat([gradients, torch.zeros(len(gradients), 2)], 1)

    def tensors(flat):
        n = flat.shape[-1]
        return list(torch.split(flat, [n - 2, 1, 1], -1))

    found = combine_shared(padded, tensors, rule, np.random.RandomState(0))
    return found[:-2].numpy()


@pytest.mark.parametrize("size", [1.0, 1e-10, 1e-22, 3e-23, 2e-23, 1e-30, 1e-37])
def test_the_length_of_a_gradient_that_is_met_does_not_matter(size):
    # (1, 1) without its part along (-1, 0) is (0, 1), and (-s, 0) vanishes beside it.
    found = direction_of(torch.tensor([[1.0, 1.0], [-size, 0.0]]))
    # The other way round (-s, 0) less its part along (1, 1) is (-s, s) / 2.
    expected = [-size / 4, 0.5 + size / 4]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rule", ["pcgrad", "cagrad", "mgda"])
def test_a_gradient_of_zeros_is_met(rule):
    found = direction_of(torch.tensor([[1.0, 1.0], [0.0, 0.0]]), rule)
    assert np.isfinite(found).all()
    if rule == "pcgrad":
        np.testing.assert_allclose(found, [0.5, 0.5])

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import pytest
import torch


@pytest.fixture
def two_threads():
    """Let torch have two of them, wherever this is."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)

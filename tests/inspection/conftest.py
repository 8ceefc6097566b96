# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from itertools import pairwise

import pytest


def _readable(display):
    """Draw, and check that labels lie within the figure and not on each other."""
    figure, ax = display.figure_, display.ax_
    figure.canvas.draw()
    whole = figure.bbox
    labels = []
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        own = [
            label
            for place, label in zip(
                axis.get_ticklocs(), axis.get_ticklabels(), strict=True
            )
            if low <= place <= high
        ]
        boxes = [label.get_window_extent() for label in [*own, axis.label]]
        for box in boxes:
            assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
            assert whole.y0 <= box.y0 <= box.y1 <= whole.y1
        for one, other in pairwise(boxes[:-1]):
            assert not one.overlaps(other)
        labels += own
    return labels


@pytest.fixture
def assert_readable():
    return _readable

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What displays share: packages that they need, axes, labels that do not overlap."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import (
    check_matplotlib_support,
    check_pandas_support,
)

_LINE_LENGTH = 24
# Of labels, in points: their size where there is room, the least that can be read, and
# the height of a line in multiples of the size.
_FONT_SIZE, _SMALLEST_FONT, _LINE_HEIGHT = 10.0, 5.0, 1.25


def get_axes(
    caller: str,
    ax: Any,
    figsize: tuple[float, float] | None = None,
    layout: str = "constrained",
) -> tuple[Any, bool]:
    """Return `ax` and False, or new axes and True if it is None."""
    check_matplotlib_support(caller)
    if ax is not None:
        return ax, False
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout=layout)[1], True


def wrap_labels(labels: Sequence[Any]) -> list[str]:
    """Return labels as text, in several lines if they are long."""
    return [textwrap.fill(label_text(label), _LINE_LENGTH) for label in labels]


def label_text(label: Any) -> str:
    """Return a label as text, times of numpy in no finer unit than they need."""
    if isinstance(label, np.datetime64):
        return str(np.datetime_as_string(label, unit="auto"))
    return str(label.item() if isinstance(label, np.timedelta64) else label)


def n_lines(texts: Sequence[str]) -> int:
    """Return the number of lines of the text that has most."""
    return max(text.count("\n") + 1 for text in texts)


def label_places(axes: Sequence[Any], texts: Sequence[str]) -> None:
    """Label the places 0, 1, ... of one axis or two, as large as there is room.

    Where not even small labels have room, some are left out at equal distances.
    """
    places = np.arange(len(texts))
    for axis in axes:
        axis.set_ticks(places, texts, fontsize=_SMALLEST_FONT)
        if axis.axis_name == "x":
            axis.set_tick_params(rotation=90)
    figure = axes[0].axes.figure.figure
    # How much room there is, depends on what stands around it.
    figure.draw_without_rendering()
    height = _LINE_HEIGHT * n_lines(texts)
    for axis in axes:
        bounds = axis.axes.get_window_extent()
        length = bounds.height if axis.axis_name == "y" else bounds.width
        room = length / figure.dpi * 72.0 / len(texts)
        size = float(np.clip(room / height, _SMALLEST_FONT, _FONT_SIZE))
        step = int(np.ceil(size * height / room - 1e-6))
        axis.set_ticks(places[::step], texts[::step], fontsize=size)


def add_legend(ax: Any, *, outside: bool) -> None:
    """Say what the curves or points are, beside new axes and within given ones.

    Beside given axes there may be others.
    """
    handles, names = ax.get_legend_handles_labels()
    beside: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (1.01, 1.0),
        "borderaxespad": 0.0,
    }
    ax.legend(handles, wrap_labels(names), **(beside if outside else {"loc": "best"}))


def make_frame(caller: str, columns: dict[str, Any]) -> Any:
    """Return a pandas DataFrame of the columns."""
    return check_pandas_support(caller).DataFrame(columns)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The optional packages that displays draw and tabulate with."""

from typing import Any

from sklearn.utils._optional_dependencies import (
    check_matplotlib_support,
    check_pandas_support,
)


def get_axes(caller: str, ax: Any) -> Any:
    """Return `ax`, or new axes if it is None; matplotlib is imported here only."""
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax


def make_frame(caller: str, columns: dict[str, Any]) -> Any:
    """Return a pandas DataFrame of the columns."""
    return check_pandas_support(caller).DataFrame(columns)

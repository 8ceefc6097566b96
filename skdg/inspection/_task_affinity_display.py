# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A picture of which tasks are related."""

from typing import Any, Self

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skdg.inspection._plotting import (
    get_axes,
    label_places,
    make_frame,
    n_lines,
    wrap_labels,
)
from skdg.inspection._task_affinity import task_affinity

_MEASURES = {
    "coefficient": "cosine between coefficients",
    "gradient": "cosine between gradients",
    "lookahead": "relative gain from a step",
    "transfer": "gain in score",
}


class TaskAffinityDisplay:
    """Heat map of the affinity of tasks, related ones side by side.

    Best made by `from_estimator`.

    Parameters
    ----------
    affinity : ndarray of shape (n_domains, n_domains)
        Affinity from the task of the row to that of the column.

    domains : array-like of shape (n_domains,)
        The labels of the tasks.

    affinity_name : str, default="affinity"
        What the numbers are.

    Attributes
    ----------
    order_ : ndarray of shape (n_domains,)
        The tasks in the order in which they are drawn, from a hierarchical clustering
        (average linkage) of the symmetric part.

    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure that holds it.

    See Also
    --------
    task_affinity : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.inspection import TaskAffinityDisplay
    >>> affinity = np.array([[1.0, -0.5, 0.9], [-0.5, 1.0, -0.4], [0.9, -0.4, 1.0]])
    >>> TaskAffinityDisplay(affinity, ["a", "b", "c"]).frame().shape
    (3, 3)
    """

    def __init__(
        self, affinity: np.ndarray, domains: Any, *, affinity_name: str = "affinity"
    ) -> None:
        self.affinity = affinity
        self.domains = domains
        self.affinity_name = affinity_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any,
        method: str = "gradient",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Measure the affinity of tasks and draw it.

        Parameters
        ----------
        estimator : estimator
            See `task_affinity`.

        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            The targets.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        method : str, default="gradient"
            The measure.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        **kwargs : dict
            Further arguments of `task_affinity`.

        Returns
        -------
        TaskAffinityDisplay
            The display, drawn.
        """
        check_matplotlib_support("TaskAffinityDisplay.from_estimator")
        result = task_affinity(estimator, X, y, groups, method=method, **kwargs)
        name = _MEASURES[method]
        return cls(result.affinity, result.domains, affinity_name=name).plot(ax)

    def frame(self) -> Any:
        """Return the affinities as a table.

        Returns
        -------
        pandas.DataFrame
            A row and a column for each task.
        """
        frame = make_frame(
            "TaskAffinityDisplay.frame",
            dict(zip(self.domains, np.asarray(self.affinity).T, strict=True)),
        )
        return frame.set_index([list(self.domains)])

    def plot(self, ax: Any = None, *, cmap: str = "RdBu_r") -> Self:
        """Draw the heat map. Numbers that are not finite are gray.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        cmap : str, default="RdBu_r"
            Color map; its middle stands for an affinity of 0.

        Returns
        -------
        TaskAffinityDisplay
            The display itself.
        """
        affinity = np.asarray(self.affinity, dtype=float)
        affinity = np.where(np.isfinite(affinity), affinity, np.nan)
        symmetric = (affinity + affinity.T) / 2.0
        self.order_ = np.arange(len(affinity))
        if len(affinity) > 2:
            # A diagonal may mean something else, or nothing.
            # What is not known is taken for the least related.
            values = symmetric[np.isfinite(symmetric)]
            lowest, highest = (
                (values.min(), values.max()) if len(values) else (0.0, 0.0)
            )
            distance = highest - np.nan_to_num(symmetric, nan=lowest)
            np.fill_diagonal(distance, 0.0)
            tree = linkage(squareform(distance, checks=False), "average")
            self.order_ = leaves_list(tree)
        texts = wrap_labels([self.domains[index] for index in self.order_])
        # A square of cells that have room for their labels, between labels and colors.
        side = float(np.clip(0.18 * n_lines(texts) * len(texts), 3.5, 15.0))
        beside = 0.08 * max(len(line) for text in texts for line in text.split("\n"))
        figsize = (side + beside + 1.8, side + beside + 0.6)
        ax, _ = get_axes("TaskAffinityDisplay.plot", ax, figsize, "compressed")
        limit = np.nan_to_num(np.abs(affinity)).max() or 1.0
        shown = affinity[np.ix_(self.order_, self.order_)]
        image = ax.imshow(shown, cmap=cmap, vmin=-limit, vmax=limit)
        ax.set_facecolor("0.7")
        ax.figure.colorbar(image, ax=ax, label=self.affinity_name)
        ax.set(xlabel="to task", ylabel="from task")
        label_places([ax.xaxis, ax.yaxis], texts)
        self.ax_, self.figure_ = ax, ax.figure
        return self

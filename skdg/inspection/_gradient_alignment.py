# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Agreement of the domains' gradients while a model is trained."""

from numbers import Integral
from typing import Any, Self

from sklearn.base import clone
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import _num_samples

from skdg.base import encode_groups
from skdg.inspection._cosines import mean_cosine
from skdg.inspection._models import last_step_hint, models_by_name
from skdg.inspection._plotting import add_legend, get_axes, make_frame

_LINE_STYLES = ("-", "--", "-.", ":")


def _check_trains_a_network(estimator: Any) -> None:
    if not hasattr(estimator, "_training_gradients"):
        raise TypeError(
            f"GradientAlignmentMonitor watches estimators of skdg that train a "
            f"network; {type(estimator).__name__} is none.{last_step_hint(estimator)}"
        )


class GradientAlignmentMonitor:
    """Callback that records how far the domains' gradients agree during a fit.

    After every `every`-th iteration it computes the gradient of each domain's risk over
    all training rows, at the cost of one more forward and backward pass (with a
    `module`, a backward pass per domain), and records the mean cosine over pairs of
    domains.

    Parameters
    ----------
    every : int, default=10
        Number of iterations from one record to the next.

    Attributes
    ----------
    iterations_ : list of int
        When the records were taken, as the number of iterations done.

    cosines_ : list of float
        The records.

    See Also
    --------
    GradientAlignmentDisplay : A picture of such records.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.inspection import GradientAlignmentMonitor
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> monitor = GradientAlignmentMonitor(every=50)
    >>> model = ERMClassifier(max_iter=100, random_state=0).set_callbacks(monitor)
    >>> _ = model.fit(X, y, groups=groups)
    >>> monitor.iterations_
    [50, 100]
    """

    def __init__(self, every: int = 10) -> None:
        if not isinstance(every, Integral) or every < 1:
            raise ValueError(f"every must be an integer of at least 1, got {every!r}.")
        self.every: int = every

    def setup(self, estimator: Any, context: Any) -> None:
        """Start new records.

        Parameters
        ----------
        estimator : estimator
            What is about to be fitted.

        context : CallbackContext
            The fit.
        """
        _check_trains_a_network(estimator)
        self.iterations_: list[int] = []
        self.cosines_: list[float] = []

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing at the end of a fit.

        Parameters
        ----------
        estimator : estimator
            What was fitted.

        context : CallbackContext
            The fit.
        """

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing at the beginning of an iteration.

        Parameters
        ----------
        estimator : estimator
            What is fitted.

        context : CallbackContext
            The iteration, or the fit.
        """

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Record the agreement of gradients, if it is time.

        Parameters
        ----------
        estimator : estimator
            What is fitted.

        context : CallbackContext
            The iteration, or the fit.
        """
        done = context.task_id + 1
        if context.task_name == "iteration" and done % self.every == 0:
            self.iterations_.append(done)
            self.cosines_.append(mean_cosine(estimator._training_gradients()))


class GradientAlignmentDisplay:
    """Agreement of the domains' gradients in the course of training.

    Best made by `from_estimator`.

    Parameters
    ----------
    iterations : dict of str to list of int
        For each model when its gradients were compared.

    cosines : dict of str to list of float
        For each model the mean cosine over pairs of domains at these iterations: 1 if
        all gradients point the same way, 0 if they are unrelated, negative if they are
        in conflict.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure that holds it.

    See Also
    --------
    GradientAlignmentMonitor : The callback that takes the records.

    Notes
    -----
    The picture is that by which [1]_ compares Fish with ERM: normalized inner products
    of gradients during training.

    References
    ----------
    .. [1] Y. Shi et al., "Gradient matching for domain generalization", ICLR 2022.

    Examples
    --------
    >>> from skdg import ERMClassifier, FishClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.inspection import GradientAlignmentDisplay
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> models = {
    ...     "ERM": ERMClassifier(max_iter=50),
    ...     "Fish": FishClassifier(max_iter=50),
    ... }
    >>> display = GradientAlignmentDisplay.from_estimator(models, X, y, groups=groups)
    >>> display.iterations["Fish"]
    [10, 20, 30, 40, 50]
    """

    def __init__(
        self, iterations: dict[str, list[int]], cosines: dict[str, list[float]]
    ) -> None:
        self.iterations = iterations
        self.cosines = cosines

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any,
        every: int = 10,
        ax: Any = None,
    ) -> Self:
        """Fit clones of models, record their gradients and draw them.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            One model that trains a network, or several by name. They are cloned, and
            the clones are fitted; fitted models cannot tell how they came about.

        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            The targets.

        groups : array-like of shape (n_samples,)
            The domain of each row.

        every : int, default=10
            Number of iterations from one record to the next.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        GradientAlignmentDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If a model does not train a network.
        ValueError
            If there is one domain alone, or a model is done before the first record.
        """
        check_matplotlib_support("GradientAlignmentDisplay.from_estimator")
        domains, _ = encode_groups(groups, _num_samples(X))
        if len(domains) == 1:
            raise ValueError(
                f"Gradients agree between domains, of which groups must hold at least "
                f"two; it holds the label {domains.tolist()[0]!r} alone."
            )
        models = models_by_name(estimator)
        for model in models.values():
            _check_trains_a_network(model)
        iterations, cosines = {}, {}
        for name, model in models.items():
            monitor = GradientAlignmentMonitor(every)
            fitted = clone(model).set_callbacks(monitor).fit(X, y, groups=groups)
            if not monitor.iterations_:
                raise ValueError(
                    f"every={every} is more than the {fitted.n_iter_} iterations of "
                    f"{name!r}, so that there is no record; lower it."
                )
            iterations[name], cosines[name] = monitor.iterations_, monitor.cosines_
        return cls(iterations, cosines).plot(ax)

    def frame(self) -> Any:
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            Columns "estimator", "iteration" and "cosine".
        """
        columns = {
            "estimator": [
                name for name, values in self.cosines.items() for _ in values
            ],
            "iteration": [i for values in self.iterations.values() for i in values],
            "cosine": [value for values in self.cosines.values() for value in values],
        }
        return make_frame("GradientAlignmentDisplay.frame", columns)

    def plot(self, ax: Any = None) -> Self:
        """Draw a curve per model.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        GradientAlignmentDisplay
            The display itself.
        """
        ax, is_new = get_axes("GradientAlignmentDisplay.plot", ax)
        for index, (name, values) in enumerate(self.cosines.items()):
            # Curves may coincide: what is below shows in the gaps.
            style = _LINE_STYLES[index % len(_LINE_STYLES)]
            ax.plot(
                self.iterations[name], values, style, label=name, marker="o", ms=2.5
            )
        ax.axhline(0.0, color="0.5", lw=0.8)
        ax.set(xlabel="iteration", ylabel="mean cosine between domains' gradients")
        add_legend(ax, outside=is_new)
        self.ax_, self.figure_ = ax, ax.figure
        return self

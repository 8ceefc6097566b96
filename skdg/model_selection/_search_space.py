# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What to draw hyperparameters from, by default."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.pipeline import Pipeline

from skdg._registry import ESTIMATORS

# DomainBed trains this many steps; what it counts in steps is a share of them here.
_PUBLISHED_STEPS = 5001
# What max_iter="auto" comes to on small tables.
_AUTO_STEPS = 160


@dataclass(frozen=True)
class LogUniformInteger:
    """The whole part of a log-uniform number, as DomainBed draws counts.

    Parameters
    ----------
    low, high : float
        The bounds before rounding down.
    """

    low: float
    high: float

    def rvs(self, random_state: Any = None) -> int:
        """Draw a number.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.

        Returns
        -------
        number : int
            The number.
        """
        draw = loguniform(self.low, self.high).rvs(random_state=random_state)
        return int(draw)

    def ppf(self, q: Any) -> Any:
        """Return quantiles.

        Parameters
        ----------
        q : array-like
            Probabilities.

        Returns
        -------
        quantiles : ndarray
            The numbers, rounded down.
        """
        return np.floor(loguniform(self.low, self.high).ppf(q))


def _powers(low: float, high: float) -> Any:
    return loguniform(10.0**low, 10.0**high)


# The default step size is ten times that of DomainBed, which trains thirty times as
# long; its range 10^U(-4.5, -2.5) moves along, with the default at the same quantile.
_RATE = _powers(-3.5, -1.5)
_NETWORK = {"learning_rate_init": _RATE, "alpha": _powers(-6, -2)}
_PENALTY = {"penalty_weight": _powers(-1, 5)}
_DISTANCE = {"penalty_weight": _powers(-1, 1)}
_ADVERSARY = {"penalty_weight": _powers(-2, 2), "discriminator_learning_rate": _RATE}
_COUPLING = {"lambda_task": _powers(-2, 2), "lambda_shared": _powers(-4, 0)}

# Beside each that is not DomainBed's, why.
_SPACES: dict[str, dict[str, Any]] = {
    "ERM": _NETWORK,
    "IRM": _NETWORK | _PENALTY,
    "VREx": _NETWORK | _PENALTY,
    "IBERM": _NETWORK | _PENALTY,
    "IBIRM": _NETWORK | _PENALTY | {"bottleneck_weight": _powers(-1, 5)},
    "GroupDRO": _NETWORK | {"step_size": _powers(-3, -1)},
    "EQRM": _NETWORK | {"quantile": uniform(0.5, 0.49)},
    "SpectralDecoupling": _NETWORK | {"penalty_weight": _powers(-5, -1)},
    # Unpublished: two decades to either side of the default. Above 1 it runs away.
    "IDGM": _NETWORK | {"gamma": _powers(-4, 0)},
    "Fish": _NETWORK | {"meta_learning_rate": [0.05, 0.1, 0.5]},
    # DomainBed's average lacks a factor (1 - ema), so that its weights count 1 / (1 -
    # ema)^2 times here, 400 at its default 0.95: 10^U(1, 4) becomes 10^U(3.6, 6.6).
    "Fishr": _NETWORK
    | {
        "penalty_weight": loguniform(400 * 10.0, 400 * 10.0**4),
        "ema": uniform(0.9, 0.09),
    },
    "IGA": _NETWORK | {"penalty_weight": _powers(1, 5)},
    "ANDMask": _NETWORK | {"agreement_threshold": uniform(0.5, 0.5)},
    "SANDMask": _NETWORK
    | {"agreement_threshold": uniform(0.0, 1.0), "sharpness": _powers(-3, 5)},
    "CORAL": _NETWORK | _DISTANCE,
    "MMD": _NETWORK | _DISTANCE,
    "CausIRL": _NETWORK | _DISTANCE,
    "DANN": _NETWORK | _ADVERSARY,
    "CDANN": _NETWORK | _ADVERSARY,
    "Mixup": _NETWORK | {"concentration": _powers(-1, 1)},
    # Unpublished: two decades to either side of the defaults.
    "MultiTaskLinearSVC": _COUPLING,
    "MultiTaskLinearSVR": _COUPLING,
    "MultiTaskLinear": _COUPLING,
    "MultiTaskNetwork": _NETWORK
    | {"sharing": ["hard", "soft"], "sharing_weight": _powers(-3, 1)},
    "Anchor": {"gamma": _powers(-1, 3), "alpha": _powers(-6, 0)},
    "AnchorRegression": {"gamma": _powers(-1, 3), "alpha": _powers(-6, 0)},
    "DomainRobust": {"step_size": _powers(-2, 1), "n_rounds": [5, 10, 20]},
    "InvariantSubspaceRecovery": {"moment": ["mean", "covariance"]},
    "InvariantCausalPrediction": {"alpha": [0.01, 0.05, 0.1]},
    # Baselines of scikit-learn.
    "LogisticRegression": {"C": _powers(-4, 4)},
    "Ridge": {"alpha": _powers(-4, 4)},
    "HistGradientBoosting": {
        "learning_rate": _powers(-2, 0),
        "max_leaf_nodes": LogUniformInteger(4, 256),
        "min_samples_leaf": LogUniformInteger(2, 128),
        "l2_regularization": _powers(-6, 2),
    },
}
_FROM_SCIKIT_LEARN = ("LogisticRegression", "Ridge", "HistGradientBoosting")


def search_space(estimator: Any) -> dict[str, Any]:
    """Return what to draw the hyperparameters of an estimator from.

    Parameters
    ----------
    estimator : estimator instance
        A method of skdg; logistic or ridge regression or histogram gradient boosting of
        scikit-learn; or a pipeline that ends with one of them, whose other steps are
        left alone, or one of them within a
        :class:`~sklearn.compose.TransformedTargetRegressor`.

    Returns
    -------
    space : dict of str to distribution or list
        Names of parameters, and distributions of `scipy.stats` or lists to draw from,
        for :class:`DomainSearchCV` or
        :class:`~sklearn.model_selection.RandomizedSearchCV`. It is empty for an
        estimator for which there is none.

    See Also
    --------
    DomainSearchCV : Draws from it by default.

    Notes
    -----
    For methods of DomainBed [1]_ these are its ranges, with 10^U(a, b) as log-uniform
    distributions, but for what depends on the length of training. It trains 5001 steps;
    what it counts in steps, annealing and burn-in, is here the same share of
    `max_iter`. Step sizes are ten times larger, as the default of skdg is. Annealing
    may end after training does, as there: then nothing is penalized, or only at the
    weight before annealing. Weights of Fishr count the average that skdg normalizes.
    Batch sizes, Adam's beta1 and the discriminator's architecture, which DomainBed
    draws as well, are left as they are.

    Methods that DomainBed lacks, and baselines, have ranges around their defaults. A
    range is wide on purpose, since a range that is narrower for one method than for
    another favors one of them.

    References
    ----------
    .. [1] I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization",
       ICLR 2021.

    Examples
    --------
    >>> from skdg import VRExClassifier
    >>> from skdg.model_selection import search_space
    >>> space = search_space(VRExClassifier())
    >>> sorted(space)
    ['alpha', 'learning_rate_init', 'penalty_anneal_iters', 'penalty_weight']
    >>> low, high = space["penalty_weight"].support()
    >>> round(float(low), 3), round(float(high))
    (0.1, 100000)
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{key}": value for key, value in search_space(last).items()}
    if isinstance(estimator, TransformedTargetRegressor):
        inner = search_space(estimator.regressor)
        return {f"regressor__{key}": value for key, value in inner.items()}
    name = type(estimator).__name__
    short = name.removesuffix("Classifier").removesuffix("Regressor")
    module = type(estimator).__module__
    known = name in ESTIMATORS and module.startswith("skdg.")
    known |= short in _FROM_SCIKIT_LEARN and module.startswith("sklearn.")
    if not known:
        return {}
    space = dict(_SPACES[short])
    if short in ("IRM", "VREx", "IBERM", "IBIRM", "EQRM", "Fishr"):
        space |= _counts(short, estimator.max_iter)
    return space


def draw_candidates(
    estimator: Any, space: Any, n_candidates: int, random_state: np.random.RandomState
) -> list[dict[str, Any]]:
    """Return the parameters of candidates: none for the first, then random ones.

    Parameters
    ----------
    estimator : estimator instance
        What is tuned.

    space : dict, list of dicts or None
        Names of parameters, with distributions or lists to draw from; None is that of
        :func:`search_space`.

    n_candidates : int
        Number of candidates. There are fewer if all is lists and these have fewer
        points.

    random_state : RandomState
        Source of the draws.

    Returns
    -------
    list of dict
        What to set in each candidate.
    """
    if space is None:
        space = search_space(estimator)
    n_drawn = n_candidates - 1
    parts = [space] if isinstance(space, dict) else space
    if not any(hasattr(values, "rvs") for part in parts for values in part.values()):
        n_drawn = min(n_drawn, len(ParameterGrid(space)) if space else 0)
    if n_drawn == 0:
        return [{}]
    return [{}, *ParameterSampler(space, n_drawn, random_state=random_state)]


def _counts(short: str, max_iter: int | str) -> dict[str, Any]:
    """Return what is counted in steps, as DomainBed's share of all steps."""
    steps = max_iter if isinstance(max_iter, int) else _AUTO_STEPS
    share = steps / _PUBLISHED_STEPS
    if short == "EQRM":
        low, high = (share * 10.0**power for power in (2.5, 3.5))
        return {"burn_in_iters": LogUniformInteger(low, high)}
    if short == "Fishr":
        return {"penalty_anneal_iters": list(range(round(share * 5000) + 1))}
    return {"penalty_anneal_iters": LogUniformInteger(share, share * 10.0**4)}

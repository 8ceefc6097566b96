# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The one training loop. It knows no method by name."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.protocols import TOLERATED_GROWTH, Network, Record, Step
from skdg._training.recorded_step import recorded
from skdg._training.rows import DomainRows
from skdg._training.state import to_numpy
from skdg.exceptions import DivergenceError

# Numbers are looked at this often: each look makes the host wait for the device.
_CHECK_EVERY = 50
_ADVICE = (
    "Lower learning_rate_init{penalty}, and standardize X (for example with "
    "sklearn.preprocessing.StandardScaler) if its columns are of very different sizes."
)


class Outcome(NamedTuple):
    """What a training that did not diverge came to.

    Parameters
    ----------
    history : dict of ndarray
        "risk" of shape (n_iter, n_domains), and each penalty by its name, of shape
        (n_iter,).

    risk : float
        The mean risk at the end, on the rows it is judged on.

    risk_of_zero : float
        The same of predicting 0 for every row.
    """

    history: dict[str, np.ndarray]
    risk: float
    risk_of_zero: float


def train(*arguments: Any, **options: Any) -> Outcome:
    """Train one network in place, and return the outcome; see `train_models`."""
    (outcome,) = train_models(*arguments, **options)
    if isinstance(outcome, DivergenceError):
        raise outcome
    return outcome


def train_models(
    network: Network,
    batches: Iterator[DomainRows],
    loss: Loss,
    step: Step,
    optimizer: Optimizer,
    *,
    max_iter: int,
    judged_on: Sequence[DomainRows],
    first_iter: int = 0,
    iteration_ends: Callable[[], bool] = lambda: False,
) -> list[Outcome | DivergenceError]:
    """Train a network, or several side by side, in place.

    Parameters
    ----------
    network : Network
        What is trained.

    batches : iterator of DomainRows
        Gives the rows of each iteration.

    loss : Loss
        The loss of a row.

    step : Step
        The method.

    optimizer : Optimizer
        Applies gradients to the network's parameters.

    max_iter : int
        Number of iterations.

    judged_on : sequence of DomainRows
        Rows on which the network must not end far worse than it began. Risks of the
        iterations do not tell: they are of other rows each time, and some methods
        take them after steps of other domains.

    first_iter : int, default=0
        Number of iterations that the network has behind it.

    iteration_ends : callable, default=None
        Called after each iteration; training stops when it returns True.

    Returns
    -------
    list
        For each model its outcome, or the error if its training diverged: if a risk, a
        penalty or a parameter is not finite, or the training ends with a risk far above
        the one it began with. Training ends when no model is left.
    """
    recent: list[Record] = []
    chunks: list[np.ndarray] = []
    names = ["risk", *step.penalty_names]
    began_at = _mean_risk(network, judged_on, loss)
    advance = recorded(step, network).advance
    for iteration in range(first_iter, first_iter + max_iter):
        rows = next(batches)
        optimizer.set_progress((iteration - first_iter) / max_iter)
        recent.append(advance(network, rows, loss, optimizer, iteration))
        stop = iteration_ends()
        last = stop or iteration == first_iter + max_iter - 1
        if len(recent) == _CHECK_EVERY or last:
            chunks.append(_stack(recent))
            recent = []
            broken = ~np.isfinite(chunks[-1]).all(axis=(0, 2))
            if stop or broken.all():
                break
    history = np.concatenate(chunks)
    finite = np.atleast_1d(to_numpy(torch.isfinite(network.parameters).all(-1)))
    judged = zip(
        began_at,
        _mean_risk(network, judged_on, loss) if finite.any() else began_at,
        np.broadcast_to(_risk_of_zero(judged_on, loss), began_at.shape),
        strict=True,
    )
    outcomes: list[Outcome | DivergenceError] = []
    for own, is_finite, risks in zip(
        history.swapaxes(0, 1), finite, judged, strict=True
    ):
        _, *ended = map(float, risks)
        problem = (
            _not_finite(own, names, first_iter)
            or ("" if is_finite else _infinite_step(first_iter + len(own) - 1))
            or _grown(step.tolerated_growth, len(own), *risks)
        )
        if problem:
            penalty = " or the weight of the penalty" if len(names) > 1 else ""
            advice = _ADVICE.format(penalty=penalty)
            outcomes.append(DivergenceError(f"Training diverged{problem}. {advice}"))
            continue
        n_domains = own.shape[1] - len(step.penalty_names)
        columns = own[:, n_domains:].T
        named = dict(zip(step.penalty_names, columns, strict=True))
        outcomes.append(Outcome({"risk": own[:, :n_domains], **named}, *ended))
    return outcomes


def _stack(records: list[Record]) -> np.ndarray:
    """Return records as an array of shape (n_iter, n_models, n_columns)."""
    risks = torch.stack([record.risks for record in records])
    if records[0].penalties:
        by_penalty = zip(*(record.penalties for record in records), strict=True)
        penalties = [torch.stack(own) for own in by_penalty]
        risks = torch.cat([risks, torch.stack(penalties, -1)], -1)
    array = to_numpy(risks)
    return array if array.ndim == 3 else array[:, None]


def _not_finite(history: np.ndarray, names: list[str], start: int) -> str:
    finite = np.isfinite(history)
    if finite.all():
        return ""
    row, column = np.argwhere(~finite)[0]
    # Columns are the risks of all domains, then one per penalty.
    n_domains = history.shape[1] - len(names) + 1
    term = "risk" if column < n_domains else names[column - n_domains + 1]
    return f" in iteration {start + row}: the {term} is {history[row, column]}"


def _infinite_step(iteration: int) -> str:
    return f": the step of iteration {iteration} made a parameter infinite or NaN"


def _grown(
    tolerated: float, n_iter: int, began_at: float, ended_at: float, of_zero: float
) -> str:
    # Where all targets are 0, errors of 1 are the measure. False for NaN as well.
    if ended_at <= tolerated * max(began_at, of_zero or 1.0):
        return ""
    return (
        f": after {n_iter} iterations the mean risk is {ended_at:.3g}; it began at "
        f"{began_at:.3g}, and predicting 0 for every row has {of_zero:.3g}"
    )


def warn_if_useless(estimator: Any, outcome: Outcome, stacklevel: int = 5) -> None:
    """Warn, at the line that called `fit`, of a model far worse than a constant.

    Not every such training has diverged: it may have begun far worse still.

    Parameters
    ----------
    estimator : NetworkEstimator
        What was trained.

    outcome : Outcome
        What its training came to.

    stacklevel : int, default=5
        How far up that line is.
    """
    _, risk, of_zero = outcome
    if risk > TOLERATED_GROWTH * (of_zero or 1.0):
        message = (
            f"{type(estimator).__name__} is worse than a constant: its mean risk is "
            f"{risk:.3g}, and a constant prediction has {of_zero:.3g}. "
        )
        advice = _ADVICE.format(penalty="")
        warnings.warn(message + advice, ConvergenceWarning, stacklevel=stacklevel)


def _mean_risk(
    network: Network, batches: Sequence[DomainRows], loss: Loss
) -> np.ndarray:
    """Return the risk over domains and batches, shape (n_models,)."""
    with network.looked_at():
        risks = [network.forward(rows, loss).risks.mean(-1) for rows in batches]
    return np.atleast_1d(to_numpy(torch.stack(risks).mean(0)))


def _risk_of_zero(batches: Sequence[DomainRows], loss: Loss) -> np.ndarray:
    """Return the risk of predicting 0 for every row, alike or for each model."""
    risks = []
    for rows in batches:
        own = rows if rows.targets.ndim == 3 else rows.of_one
        losses = loss.value(torch.zeros_like(own.targets), own.targets)
        risks.append(own.mean(losses).mean(-1))
    return to_numpy(torch.stack(risks).mean(0))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The one training loop. It knows no method by name."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.state import to_numpy
from skdg._training.steps import Network, Record, Step
from skdg.exceptions import DivergenceError

# Numbers are looked at this often: each look makes the host wait for the device.
_CHECK_EVERY = 50
_ADVICE = (
    "Lower learning_rate_init{penalty}, and standardise X (for example with "
    "sklearn.preprocessing.StandardScaler) if its columns are of very different sizes."
)


def train(
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
) -> dict[str, np.ndarray]:
    """Train a network in place.

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
    dict of ndarray
        The history: "risk" of shape (n_iter, n_domains), and each penalty by its name,
        of shape (n_iter,).

    Raises
    ------
    DivergenceError
        If a risk, a penalty or a parameter is not finite, or the training ends with a
        risk far above the one it began with.
    """
    recent: list[Record] = []
    chunks: list[np.ndarray] = []
    names = ["risk", *step.penalty_names]
    began_at = _mean_risk(network, judged_on, loss)
    for iteration in range(first_iter, first_iter + max_iter):
        rows = next(batches)
        optimizer.set_progress((iteration - first_iter) / max_iter)
        recent.append(step.advance(network, rows, loss, optimizer, iteration))
        stop = iteration_ends()
        last = stop or iteration == first_iter + max_iter - 1
        if len(recent) == _CHECK_EVERY or last:
            chunks.append(_stack(recent))
            start = iteration + 1 - len(recent)
            _check_finite(chunks[-1], names, start)
            recent = []
        if stop:
            break
    history = np.concatenate(chunks)
    if not bool(torch.isfinite(network.parameters).all()):
        raise DivergenceError(
            f"Training diverged: the step of iteration {iteration} made a parameter "
            f"infinite or NaN. {_advice(names)}"
        )
    ended_at = _mean_risk(network, judged_on, loss)
    of_zero = _risk_of_zero(judged_on, loss)
    # Where all targets are 0, errors of 1 are the measure. False for NaN as well.
    if not ended_at <= step.tolerated_growth * max(began_at, of_zero or 1.0):
        raise DivergenceError(
            f"Training diverged: after {len(history)} iterations the mean risk is "
            f"{ended_at:.3g}; it began at {began_at:.3g}, and predicting 0 for every "
            f"row has {of_zero:.3g}. {_advice(names)}"
        )
    n_domains = history.shape[1] - len(step.penalty_names)
    columns = history[:, n_domains:].T
    named = dict(zip(step.penalty_names, columns, strict=True))
    return {"risk": history[:, :n_domains], **named}


def _stack(records: list[Record]) -> np.ndarray:
    """Return records as an array with a row per iteration."""
    risks = torch.stack([record.risks for record in records])
    penalties = [
        torch.stack(record.penalties) for record in records if record.penalties
    ]
    if penalties:
        risks = torch.cat([risks, torch.stack(penalties)], 1)
    return to_numpy(risks)


def _advice(names: list[str]) -> str:
    penalty = " or the weight of the penalty" if len(names) > 1 else ""
    return _ADVICE.format(penalty=penalty)


def _check_finite(history: np.ndarray, names: list[str], start: int) -> None:
    finite = np.isfinite(history)
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    # Columns are the risks of all domains, then one per penalty.
    n_domains = history.shape[1] - len(names) + 1
    term = "risk" if column < n_domains else names[column - n_domains + 1]
    raise DivergenceError(
        f"Training diverged in iteration {start + row}: the {term} is "
        f"{history[row, column]}. {_advice(names)}"
    )


def _mean_risk(network: Network, batches: Sequence[DomainRows], loss: Loss) -> float:
    """Return the risk over domains and batches."""
    with network.looked_at():
        risks = [network.forward(rows, loss).risks.mean() for rows in batches]
    return float(torch.stack(risks).mean())


def _risk_of_zero(batches: Sequence[DomainRows], loss: Loss) -> float:
    """Return the risk of predicting 0 for every row."""
    risks = [
        rows.mean(loss.value(torch.zeros_like(rows.targets), rows.targets)).mean()
        for rows in batches
    ]
    return float(torch.stack(risks).mean())

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The one training loop. It knows no method by name."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

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
    n_domains = history.shape[1] - len(step.penalty_names)
    risk = history[:, :n_domains]
    _check_not_worse_than_nothing(risk, _risk_of_zero(rows, loss), step, names)
    columns = history[:, n_domains:].T
    return {"risk": risk, **dict(zip(step.penalty_names, columns, strict=True))}


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


def _risk_of_zero(rows: DomainRows, loss: Loss) -> float:
    """Return the mean risk of predicting 0 for every row."""
    zeros: Tensor = torch.zeros_like(rows.targets)
    return float(rows.mean(loss.value(zeros, rows.targets)).mean())


def _check_not_worse_than_nothing(
    risk: np.ndarray, risk_of_zero: float, step: Step, names: list[str]
) -> None:
    """Raise if training ended, with finite numbers, far above where it began."""
    mean_risk = risk.mean(axis=1)
    end = mean_risk[-1]
    reference = max(mean_risk[0], risk_of_zero)
    if end > step.tolerated_growth * reference:
        raise DivergenceError(
            f"Training diverged: after {len(risk)} iterations the mean risk is "
            f"{end:.3g}; it began at {mean_risk[0]:.3g}, and predicting 0 for every "
            f"row has {risk_of_zero:.3g}. {_advice(names)}"
        )

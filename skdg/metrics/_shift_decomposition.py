# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How much of a drop in performance is a change of X, and how much of Y given X."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length


@dataclass(frozen=True)
class ShiftDecomposition:
    """The parts of the difference of two mean losses.

    Parameters
    ----------
    source, target : float
        Mean loss of the source and of the target.

    harder : float
        Part of the difference due to rows whose X occurs in both, but more often in the
        target: a change of X.

    conditional : float
        Part due to other losses at the same X: a change of Y given X.

    unfamiliar : float
        Part due to rows whose X hardly occurs in the source: a change of X.

    harder_se, conditional_se, unfamiliar_se : float
        Standard errors of these parts, with the probabilities taken as given.

    See Also
    --------
    shift_decomposition : Makes it from losses and probabilities.

    Examples
    --------
    >>> from skdg.metrics import shift_decomposition
    >>> even = {"source_probability": [0.5, 0.5], "target_probability": [0.5, 0.5]}
    >>> parts = shift_decomposition([0, 1], [1, 1], **even)
    >>> parts.source, parts.target, parts.conditional
    (0.5, 1.0, 0.5)
    """

    source: float
    target: float
    harder: float
    conditional: float
    unfamiliar: float
    harder_se: float
    conditional_se: float
    unfamiliar_se: float


def shift_decomposition(
    source_loss: Any,
    target_loss: Any,
    *,
    source_probability: Any,
    target_probability: Any,
) -> ShiftDecomposition:
    """Decompose the difference of two mean losses, as DISDE does.

    Parameters
    ----------
    source_loss : array-like of shape (n_source,)
        Loss of each row of the source, such as the domains that a model has seen. The
        rows themselves should be such that the model was not fitted to them.

    target_loss : array-like of shape (n_target,)
        Loss of each row of the target, such as an unseen domain.

    source_probability : array-like of shape (n_source,)
        For each row of the source the probability, given its X, that a row comes from
        the target, among all these rows taken together; best by a classifier that was
        fitted to other rows.

    target_probability : array-like of shape (n_target,)
        The same for each row of the target.

    Returns
    -------
    parts : ShiftDecomposition
        The three parts; they sum to the difference of the mean losses.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, a probability is not one, or source
        and target share no X at all.

    See Also
    --------
    skdg.inspection.ShiftDecompositionDisplay : Fits the probabilities, and draws.

    Notes
    -----
    Let X have density p in the source and q in the target. The parts go by way of the
    shared distribution s, proportional to p q / (p + q), which has what both have [1]_:
    with R_p(x) and R_q(x) the mean losses at x,

    - harder = E_s R_p - E_p R_p,
    - conditional = E_s R_q - E_s R_p,
    - unfamiliar = E_q R_q - E_s R_q.

    Means over s are means over source and target with weights q / (p + q) and
    p / (p + q), divided by their sums. The weights follow from the probabilities pi(x)
    and the share a of rows that are the target's: q / (p + q) = (1 - a) pi / ((1 - a)
    pi + a (1 - pi)). Where X is all there is to tell source from target, s has few
    rows, and standard errors are large.

    References
    ----------
    .. [1] T. Cai, H. Namkoong and S. Yadlowsky, "Diagnosing model performance under
       distribution shift", arXiv:2303.02011, 2023.

    Examples
    --------
    Losses change, but X is the same, so no row tells where it comes from:

    >>> from skdg.metrics import shift_decomposition
    >>> parts = shift_decomposition(
    ...     [0, 0, 1, 0],
    ...     [1, 1, 0, 1],
    ...     source_probability=[0.5] * 4,
    ...     target_probability=[0.5] * 4,
    ... )
    >>> parts.harder, parts.conditional, parts.unfamiliar
    (0.0, 0.5, 0.0)
    """
    source, target = (
        _column(loss, f"{name}_loss")
        for name, loss in (("source", source_loss), ("target", target_loss))
    )
    pi_source = _column(source_probability, "source_probability")
    pi_target = _column(target_probability, "target_probability")
    check_consistent_length(source, pi_source)
    check_consistent_length(target, pi_target)
    for name, pi in (("source", pi_source), ("target", pi_target)):
        if pi.min() < 0 or pi.max() > 1:
            raise ValueError(
                f"{name}_probability must lie between 0 and 1, but it goes from "
                f"{pi.min():g} to {pi.max():g}."
            )
    share = len(target) / (len(source) + len(target))
    to_target = _share_of_target(pi_source, share)
    to_source = 1.0 - _share_of_target(pi_target, share)
    if not to_target.any() or not to_source.any():
        raise ValueError(
            "Source and target share no X: by the probabilities every row is certain "
            "to come from where it does, so losses at the same X cannot be compared."
        )
    shared_source, own_source = _influence(source, to_target)
    shared_target, own_target = _influence(target, to_source)
    return ShiftDecomposition(
        source=float(source.mean()),
        target=float(target.mean()),
        harder=float(shared_source - source.mean()),
        conditional=float(shared_target - shared_source),
        unfamiliar=float(target.mean() - shared_target),
        harder_se=_error(own_source - (source - source.mean())),
        conditional_se=float(np.hypot(_error(own_source), _error(own_target))),
        unfamiliar_se=_error(own_target - (target - target.mean())),
    )


def _column(values: Any, name: str) -> np.ndarray:
    return check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)


def _share_of_target(pi: np.ndarray, share: float) -> np.ndarray:
    """Return q / (p + q) from the probabilities among rows of which a share is q's."""
    to_target = (1.0 - share) * pi
    return to_target / (to_target + share * (1.0 - pi))


def _influence(loss: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the weighted mean, and how much each row moves it, times their number."""
    mean = float(weight @ loss / weight.sum())
    return mean, weight / weight.mean() * (loss - mean)


def _error(influence: np.ndarray) -> float:
    return float(np.sqrt(np.mean(influence**2) / len(influence)))

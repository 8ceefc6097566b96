# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""torch's optimizers over a network's flat vector of parameters."""

import math
from typing import Any

import torch
from torch import Tensor

OPTIMIZERS = ("adam", "sgd")


class Optimizer:
    """Apply gradients to a parameter vector in place, with weight decay in the loss.

    Parameters
    ----------
    parameters : Tensor of shape (n_parameters,)
        The vector to change.

    kind : {"adam", "sgd"}
        The rule.

    learning_rate : float
        Its step size.

    decay : Tensor of shape (n_parameters,) or None
        Gradient of the L2 penalty is ``decay * parameters``; None for no penalty.

    declining : bool
        Whether the step size falls to 0 along half a cosine, see `set_progress`.
    """

    def __init__(
        self,
        parameters: Tensor,
        kind: str,
        learning_rate: float,
        *,
        decay: Tensor | None = None,
        declining: bool = False,
    ) -> None:
        self._vector = parameters
        self._decay = decay
        self._parameter = torch.nn.Parameter(parameters)
        rule = torch.optim.Adam if kind == "adam" else torch.optim.SGD
        self._rule = rule([self._parameter], lr=learning_rate, fused=True)
        self._learning_rate = learning_rate
        self._declining = declining

    def apply(self, gradient: Tensor, scale: float = 1.0) -> None:
        """Take one step along `gradient`, of an objective multiplied by `scale`.

        The gradient may be overwritten. The scale concerns only the L2 penalty, which
        is a part of the objective.
        """
        if self._decay is not None:
            gradient.addcmul_(self._decay, self._vector, value=scale)
        self._parameter.grad = gradient
        self._rule.step()

    def set_progress(self, share: float) -> None:
        """Say what share of training is done, for a declining step size."""
        if self._declining:
            rate = self._learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
            self._rule.param_groups[0]["lr"] = rate

    def restart(self) -> None:
        """Forget all moments, as if no step had been taken."""
        self._rule.state.clear()

    def get_state(self) -> dict[str, Any]:
        """Return the moments as numpy arrays."""
        state = self._rule.state.get(self._parameter, {})
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from moments that `get_state` returned."""
        self._rule.state[self._parameter] = {
            # The step count stays in float32, as torch keeps it.
            name: torch.tensor(value, device=self._vector.device)
            for name, value in state.items()
        }

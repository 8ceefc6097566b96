# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""torch's optimizers over a network's flat vector of parameters."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdg._training.models import per_model

OPTIMIZERS = ("adam", "sgd")


class Optimizer:
    """Apply gradients to a parameter vector in place, with weight decay in the loss.

    Parameters
    ----------
    parameters : Tensor of shape (n_parameters,) or (n_models, n_parameters)
        The vector to change.

    kind : {"adam", "sgd"}
        The rule.

    learning_rate : float or ndarray of shape (n_models,)
        Its step size, which may differ from model to model.

    decay : Tensor of the shape of `parameters` or None
        Gradient of the L2 penalty is ``decay * parameters``; None for no penalty.

    declining : bool
        Whether the step size falls to 0 along half a cosine, see `set_progress`.
    """

    def __init__(
        self,
        parameters: Tensor,
        kind: str,
        learning_rate: float | np.ndarray,
        *,
        decay: Tensor | None = None,
        declining: bool = False,
    ) -> None:
        self._vector = parameters
        self._decay = decay
        self._parameter = torch.nn.Parameter(parameters)
        # torch knows one step size: with several it steps from 0 with a step size of 1,
        # and the steps are multiplied.
        self._rates: Tensor | None = None
        self._learning_rate = 1.0
        if isinstance(learning_rate, np.ndarray):
            self._rates = per_model(learning_rate, parameters)
            self._parameter = torch.nn.Parameter(torch.zeros_like(parameters))
        else:
            self._learning_rate = learning_rate
        rule = torch.optim.Adam if kind == "adam" else torch.optim.SGD
        self._rule = rule([self._parameter], lr=self._learning_rate, fused=True)
        self._declining = declining

    def apply(self, gradient: Tensor, scale: float | np.ndarray = 1.0) -> None:
        """Take one step along `gradient`, of an objective multiplied by `scale`.

        The gradient may be overwritten. The scale concerns only the L2 penalty, which
        is a part of the objective, and may differ from model to model.
        """
        if self._decay is not None:
            decay = self._decay
            if isinstance(scale, np.ndarray):
                decay, scale = decay * per_model(scale, decay), 1.0
            gradient.addcmul_(decay, self._vector, value=scale)
        self._parameter.grad = gradient
        if self._rates is None:
            self._rule.step()
        else:
            step = self._parameter.data.zero_()
            self._rule.step()
            self._vector.addcmul_(self._rates, step)

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

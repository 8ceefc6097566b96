# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""torch's optimizers over a network's flat vector of parameters."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdg._training.models import per_model
from skdg._training.recording import recorder_for
from skdg._training.state import to_numpy

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
        self._is_adam = kind == "adam"
        self._declining = declining
        # Operators know one step size, a number on the host. With several, or one that
        # changes while they are replayed, they step from 0 with a step size of 1, and
        # the steps are multiplied.
        self._rates: Tensor | None = None
        self._moved = parameters
        changes_in_replays = declining and recorder_for(parameters.device) is not None
        if isinstance(learning_rate, np.ndarray) or changes_in_replays:
            self._initial_rates = per_model(np.array(learning_rate), parameters)
            self._rates = self._initial_rates.clone()
            self._moved = torch.zeros_like(parameters)
            learning_rate = 1.0
        self._initial_rate = self._rate = learning_rate
        self.moments: dict[str, Tensor] = {}
        if self._is_adam:
            self.moments = {
                # The count is in single precision, as torch keeps it.
                "step": torch.zeros((), device=parameters.device),
                "exp_avg": torch.zeros_like(parameters),
                "exp_avg_sq": torch.zeros_like(parameters),
            }

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
        if self._rates is not None:
            self._moved.zero_()
        if self._is_adam:
            self._step_of_adam(gradient)
        else:
            self._moved.add_(gradient, alpha=-self._rate)
        if self._rates is not None:
            self._vector.addcmul_(self._rates, self._moved)

    def _step_of_adam(self, gradient: Tensor) -> None:
        # What torch.optim.Adam comes to, without its bookkeeping, which shows in the
        # time of a small network's step.
        count, mean, square = self.moments.values()
        count += 1.0
        torch._fused_adam_(
            *([self._moved], [gradient], [mean], [square], [], [count]),
            lr=self._rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def set_progress(self, share: float) -> None:
        """Say what share of training is done, for a declining step size."""
        if not self._declining:
            return
        factor = 0.5 * (1.0 + math.cos(math.pi * share))
        if self._rates is None:
            self._rate = self._initial_rate * factor
        else:
            torch.mul(self._initial_rates, factor, out=self._rates)

    def restart(self) -> None:
        """Forget all moments, as if no step had been taken."""
        for value in self.moments.values():
            value.zero_()

    def get_state(self) -> dict[str, np.ndarray]:
        """Return the moments as numpy arrays."""
        return {name: to_numpy(value) for name, value in self.moments.items()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from the moments of another optimizer, if there are any."""
        for name in self.moments.keys() & state.keys():
            self.moments[name].copy_(torch.as_tensor(state[name]))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates in which networks that are pulled together train as easily as one.

A stiff pull makes a plain optimizer stall: it spends its steps on keeping the tasks
together. So what it changes is a common vector m and vectors u_t with

    theta_t = (lambda m + u_t) / (1 + lambda),

where m takes the mean over tasks of the gradients F_t of the objective in the theta_t,
and u_t takes F_t. That is the gradient times a fixed positive definite matrix, which is
the identity in directions that all tasks share and 1 / (1 + lambda) in all others:
without a pull each task is trained by itself, and with a large one a single network is.
"""

import torch
from torch import Tensor


class PulledCoordinates:
    r"""The vectors m and u_t of networks with parameters theta_t.

    Parameters
    ----------
    start : Tensor of shape (n_tasks, n_parameters)
        The first theta_t.

    pull : Tensor of shape (n_parameters,)
        The weight lambda of each parameter's pull, in the objective
        :math:`\sum_t (F_t(\theta_t) + \lambda \|\theta_t - \bar\theta\|^2)`.
    """

    def __init__(self, start: Tensor, pull: Tensor) -> None:
        self._own_share = 1.0 / (1.0 + pull)
        self._common_share = pull * self._own_share
        common = start.mean(0, keepdim=True)
        own = start + pull * (start - common)
        self.parameters = torch.cat([common, own]).flatten()
        # A view: optimizers change the parameters in place.
        self._vectors = self.parameters.unflatten(0, (1 + len(own), -1))

    def networks(self) -> Tensor:
        """Return the theta_t, of shape (n_tasks, n_parameters)."""
        return (
            self._common_share * self._vectors[0] + self._own_share * self._vectors[1:]
        )

    def direction(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the direction of descent, and the mean squared distance to the mean.

        Parameters
        ----------
        gradients : Tensor of shape (n_tasks, n_parameters)
            Gradients in the theta_t without those of the pull, which are added here.

        Returns
        -------
        direction : Tensor
            The mean of the F_t, and then every F_t, as one vector.

        distance : Tensor of shape ()
            Mean over tasks of the squared distance to the mean network.
        """
        # The deviations from the mean network have sum 0, also with a large weight.
        common = gradients.mean(0, keepdim=True)
        own = self._vectors[1:]
        spread = own - own.mean(0)
        gradients.addcmul_(self._common_share, spread, value=2.0)
        distance = (self._own_share * spread).square().sum(1).mean()
        return torch.cat([common, gradients]).flatten(), distance

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A penalty on the distance of features."""

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg._training.derivatives import Derivatives


def no_distance(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return a distance of 0, of each model, and its gradient."""
    return features.new_zeros(features.shape[:-2]), torch.zeros_like(features)


class FeatureDistance:
    """A distance that is found together with its gradient."""

    def distance(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Return the distance, of each model, and its gradient in the features."""
        raise NotImplementedError

    def __call__(self, batch: DomainBatch) -> Tensor:
        """Return the distance, of each model, and remember the gradient."""
        value, self._gradient = self.distance(batch)
        return value

    def derivative(self, batch: DomainBatch) -> Derivatives:
        """Return the derivative of the last distance, that of the batch."""
        if batch.features is batch.rows.all_inputs:
            return Derivatives()
        return Derivatives(features=self._gradient)

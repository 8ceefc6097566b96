# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The distance of features between two parts of a batch."""

import torch
from torch import Tensor

from skdg._training.batch import DomainBatch
from skdg.alignment._coral_distance import about_their_mean, coral_distance
from skdg.alignment._feature_distance import no_distance
from skdg.alignment._mmd_distance import mmd_distance


def split_distance(
    batch: DomainBatch, first: Tensor, distance: str
) -> tuple[Tensor, Tensor]:
    """Return the distance of features between the rows in `first` and the others.

    With its gradient in the features. 0 if either part has fewer than two rows.
    """
    features = batch.features
    masks = torch.stack([first, ~first])  # on the host, which can count them
    if masks.sum(1).min() < 2:
        return no_distance(features)
    weights = masks.to(features) * batch.rows.sample_weight[..., None, :]
    mass = weights.sum(-1, keepdim=True)
    shares = weights / mass
    if distance == "mmd":
        return mmd_distance(features, shares.mT, "mean")
    means = shares @ features
    centered = features[..., None, :, :] - means[..., None, :]
    freedom = (mass - 1.0).clamp(min=1.0)[..., None]
    weighted = weights[..., None] * centered / freedom
    moments = about_their_mean(means, weighted.mT @ centered)
    # That of centered features in their mean is 0.
    share = 4.0 / features.shape[-1]
    gradient = shares.mT @ (moments[0] * share)
    gradient += (weighted @ (moments[1] * (2.0 * share / features.shape[-1]))).sum(-3)
    return coral_distance(*moments), gradient

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Batches of several models as one."""

import torch

from skdg._training.batch import DomainBatch
from skdg._training.rows import DomainRows


def side_by_side(batches):
    """Join batches of models that share their rows, or have rows of their own."""
    rows, loss = batches[0].rows, batches[0].loss
    tensors = rows.tensors
    if any(batch.rows is not rows for batch in batches):
        own = zip(*(batch.rows.tensors for batch in batches), strict=True)
        tensors = tuple(map(torch.stack, own))
    rows = DomainRows(*tensors, rows.sizes, n_models=len(batches))
    features = torch.stack([batch.features for batch in batches])
    head = torch.stack([batch.head for batch in batches])
    return DomainBatch.from_outputs(rows, features @ head, features, head, loss)

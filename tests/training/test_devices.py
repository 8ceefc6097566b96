# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps on a device that is not the CPU, as far as that shows without one.

Torch's device "meta" has shapes and no values. An operator on it and on a tensor of the
host is an error, as on a GPU, and so is the question for a value.
"""

import pytest
import torch

from skdg._training import estimators, together
from tests.quick_fits import NETWORKS, make, make_data


class TrainingEndedError(Exception):
    """All steps were taken."""


def take_steps(network, batches, loss, step, optimizer, *, max_iter, **options):
    """Train as the loop does, without a look at the values."""
    for iteration in range(max_iter):
        rows = next(batches)
        optimizer.set_progress(iteration / max_iter)
        record = step.advance(network, rows, loss, optimizer, iteration)
        for value in (record.risks, *record.penalties):
            assert value.device.type == "meta"
    raise TrainingEndedError


@pytest.fixture(autouse=True)
def meta(monkeypatch):
    """Train there, whatever an estimator says."""
    monkeypatch.setattr(
        estimators, "resolve_device", lambda device: torch.device("meta")
    )
    monkeypatch.setattr(estimators, "train", take_steps)
    monkeypatch.setattr(together, "train_models", take_steps)


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_needs_no_tensor_of_the_host(name, batch_size):
    X, y, groups = make_data(name, n_samples=31)  # domains of 11, 10 and 10 rows
    model = make(name, batch_size=batch_size, penalty_anneal_iters=1, burn_in_iters=1)
    with pytest.raises(TrainingEndedError):
        model.fit(X, y, groups=groups)
    if together.why_alone(model):
        return
    models = [
        make(name, batch_size=batch_size, penalty_anneal_iters=1, alpha=alpha)
        for alpha in (0.1, 0.2)
    ]
    data = model._validate(X, y, None, *model._encode_domains(X, groups))
    with pytest.raises(TrainingEndedError):
        together.fit_models(models, [data] * 2)

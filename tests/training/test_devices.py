# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps on a device that is not the CPU, as far as that shows without one.

Torch's device "meta" has shapes and no values. An operator on it and on a tensor of the
host is an error, as on a GPU, and so is the question for a value.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skdg._training import estimators, optimizer, recorded_step, together
from tests.quick_fits import NETWORKS, make, make_data


class TrainingEndedError(Exception):
    """All steps were taken."""


class NothingOfTheHost(TorchDispatchMode):
    """Refuse what a recording cannot hold: tensors that come from the host.

    A tensor without axes may be a number that a function is written with.
    """

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        outcome = operator(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, outcome)):
            if isinstance(value, torch.Tensor):
                assert value.device.type == "meta" or value.ndim == 0, operator
        return outcome


class Recorder:
    """Stands for `record_cuda_graph`."""

    n_recorded = 0

    def __call__(self, program):
        self.n_recorded += 1
        with NothingOfTheHost():
            return program(), lambda: None


def take_steps(network, batches, loss, step, rule, *, max_iter, **options):
    """Train as the loop does, without a look at the values."""
    step = recorded_step.recorded(step, network)
    for iteration in range(max_iter):
        rows = next(batches)
        rule.set_progress(iteration / max_iter)
        record = step.advance(network, rows, loss, rule, iteration)
        for value in (record.risks, *record.penalties):
            assert value.device.type == "meta"
    raise TrainingEndedError


@pytest.fixture(autouse=True)
def recorder(monkeypatch):
    """Train there, whatever an estimator says, with steps that are recorded."""
    recorder = Recorder()
    monkeypatch.setattr(
        estimators, "resolve_device", lambda device: torch.device("meta")
    )
    monkeypatch.setattr(recorded_step, "recorder_for", lambda device: recorder)
    monkeypatch.setattr(optimizer, "recorder_for", lambda device: recorder)
    monkeypatch.setattr(estimators, "train", take_steps)
    monkeypatch.setattr(together, "train_models", take_steps)
    return recorder


VARIANTS = [
    *((name, {}) for name in NETWORKS),
    *((name, {"hidden_layer_sizes": ()}) for name in NETWORKS if "Class" in name),
    *(
        (f"IRM{kind}", {"dummy": dummy, "penalty_estimate": estimate})
        for kind in ("Classifier", "Regressor")
        for dummy in ("scalar", "vector", "affine")
        for estimate in ("squared", "unbiased")
    ),
]


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_step_needs_no_tensor_of_the_host(name, variant, batch_size, recorder):
    X, y, groups = make_data(name, n_samples=31)  # domains of 11, 10 and 10 rows
    own = {"batch_size": batch_size, "max_iter": 5, "penalty_anneal_iters": 2}
    own |= variant
    model = make(name, burn_in_iters=2, **own)
    with pytest.raises(TrainingEndedError):
        model.fit(X, y, groups=groups)
    assert (recorder.n_recorded > 0) == (not name.startswith("CausIRL"))
    if together.why_alone(model):
        return
    models = [make(name, alpha=alpha, **own) for alpha in (0.1, 0.2)]
    data = model._validate(X, y, None, *model._encode_domains(X, groups))
    with pytest.raises(TrainingEndedError):
        together.fit_models(models, [data] * 2)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
from dataclasses import replace

import numpy as np
import pytest
import torch

import skdg
from skdg._training import losses
from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.derivatives import Derivatives, differentiate

METHODS = {
    "VREx": {},
    "IRM": {},
    "SpectralDecoupling": {},
    "IBERM": {},
    "IBERM of outputs": {"bottleneck": "outputs"},
    "IBIRM": {},
    "CORAL": {},
    "Fishr": {},
    "Fishr on average": {"ema": 0.9},
}
BATCHES = {"one": None, "three": 3}


def penalties_of(method):
    model = getattr(skdg, f"{method.split()[0]}Classifier")(**METHODS.get(method, {}))
    return model._make_step(np.random.RandomState(0))._penalties


@pytest.fixture(params=BATCHES.values(), ids=BATCHES)
def n_models(request):
    return request.param


@pytest.fixture(params=[(6, 6, 6), (5, 1, 7), (4,)], ids=["equal", "ragged", "alone"])
def make_batch(request, make_rows, tasks, n_models):
    """Return a function that runs a network, or several, with a hidden layer."""

    def make(task):
        loss, n_outputs = tasks[task]
        rows = replace(make_rows(task, request.param), n_models=n_models)
        layers = (3, 4, n_outputs)
        shape = () if n_models is None else (n_models,)
        rng = np.random.default_rng(1)
        flat = torch.tensor(rng.normal(size=(*shape, 16 + 5 * n_outputs)))
        return DenseNetwork(layers, "tanh", flat).forward(rows, loss)

    return make


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if one is None or other is None:
            # Automatic differentiation may return zeros where nothing depends.
            assert one is other or not (one if other is None else other).any()
        else:
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("task", ["binary", "classes", "regression", "targets"])
@pytest.mark.parametrize("method", METHODS)
def test_closed_forms_are_what_autograd_finds(method, task, make_batch, n_models):
    rng, batch = np.random.default_rng(2), make_batch(task)
    weights = [
        rng.uniform(0.1, 3.0, n_models and (n_models,)) for _ in penalties_of(method)
    ]
    penalties = penalties_of(method)
    assert all(penalty.derivative is not None for penalty in penalties)
    values, found = differentiate(penalties, weights, batch)
    by_hand = [replace(penalty, derivative=None) for penalty in penalties]
    expected_values, expected = differentiate(by_hand, weights, batch)
    assert_same(values, expected_values)
    assert_same(found, expected)
    if batch.rows.n_domains > 1:
        assert max(float(v.abs().max()) for v in found if v is not None) > 1e-4


def test_one_by_hand_and_one_by_autograd_add_up(make_batch):
    batch = make_batch("binary")
    first, second = penalties_of("IBIRM")
    mixed = [replace(first, derivative=None), second]
    assert_same(
        differentiate(mixed, [0.5, 2.0], batch)[1],
        differentiate([first, second], [0.5, 2.0], batch)[1],
    )


def test_weight_0_has_a_value_and_no_derivative(make_batch):
    batch = make_batch("binary")
    (penalty,) = penalties_of("VREx")
    for penalties in ([penalty], [replace(penalty, derivative=None)]):
        values, found = differentiate(penalties, [0.0], batch)
        assert values[0].isfinite().all()
        assert found == Derivatives()


@pytest.mark.parametrize("most", [3, 11])
def test_slopes_in_pieces_are_those_of_the_whole(most, make_batch, monkeypatch):
    whole = make_batch("classes")
    shares = whole.rows.column
    expected = whole.slopes, whole.slope_gradient(shares)
    # The slope of a domain is the derivative of its risk where outputs are multiplied.
    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        risks = DomainBatch.from_outputs(
            *(whole.rows, factor * whole.outputs, whole.features, whole.head),
            whole.loss,
        ).risks
        by_autograd = [
            torch.autograd.grad(risk, factor, retain_graph=True)[0]
            for risk in risks.flatten()
        ]
    assert_same([whole.slopes.flatten()], [torch.stack(by_autograd)])
    monkeypatch.setattr(losses, "_PIECE", most)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    pieces = make_batch("classes")
    assert_same((pieces.slopes, pieces.slope_gradient(shares)), expected)
    assert pieces.memory is not None
    assert whole.memory is None

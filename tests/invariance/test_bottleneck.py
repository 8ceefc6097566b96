# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import dataclasses

import numpy as np
import pytest
import torch

from skdg._training.batch import DomainBatch
from skdg._training.dense import DenseNetwork
from skdg._training.losses import CROSS_ENTROPY
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg.datasets import make_fish_linear
from skdg.invariance import IBERMClassifier, IBIRMClassifier, IRMClassifier
from skdg.invariance._bottleneck import within_domain_variance

SIZES = (6, 3, 8)
LAYERS = (3, 5, 3)


def make_rows(seed=0):
    rng = np.random.default_rng(seed)
    n = sum(SIZES)
    X, y = rng.normal(size=(n, LAYERS[0])), np.eye(3)[rng.integers(0, 3, n)]
    arrays = (X, y, rng.uniform(0.2, 3.0, n))
    return DomainRows(*map(torch.tensor, arrays), SIZES)


def make_batch(rows, seed=1):
    rng = np.random.default_rng(seed)
    n = len(rows.inputs)
    features, outputs, head = (
        torch.tensor(rng.normal(size=shape)) for shape in [(n, 5), (n, 3), (5, 3)]
    )
    return DomainBatch.from_outputs(rows, outputs, features, head, CROSS_ENTROPY)


def variance_by_loops(values, weight, sizes):
    values, weight = np.asarray(values), np.asarray(weight)
    total, start = 0.0, 0
    for size in sizes:
        w = weight[start : start + size] / weight[start : start + size].sum()
        for column in range(values.shape[1]):
            own = values[start : start + size, column]
            mean = sum(a * v for a, v in zip(w, own, strict=True))
            total += sum(a * (v - mean) ** 2 for a, v in zip(w, own, strict=True))
        start += size
    return total / (len(sizes) * values.shape[1])


@pytest.mark.parametrize("bottleneck", ["features", "outputs"])
def test_variance_is_that_within_domains(bottleneck):
    rows = make_rows()
    batch = make_batch(rows)
    expected = variance_by_loops(
        getattr(batch, bottleneck), rows.sample_weight, rows.sizes
    )
    found = within_domain_variance(batch, bottleneck)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_differences_between_domains_cost_nothing():
    rows = make_rows()
    shift = torch.tensor([0.0, 100.0, -30.0], dtype=torch.float64)[rows.domain]
    plain = make_batch(rows)
    moved = DomainBatch.from_outputs(
        rows, plain.outputs, plain.features + shift[:, None], plain.head, CROSS_ENTROPY
    )
    np.testing.assert_allclose(
        within_domain_variance(moved), within_domain_variance(plain), rtol=1e-10
    )


def test_weights_count_repetitions_of_rows():
    rows = make_rows()
    counts = torch.tensor(np.random.default_rng(5).integers(1, 4, len(rows.inputs)))
    batch = make_batch(rows)
    index = torch.arange(len(counts)).repeat_interleave(counts)
    weighted = DomainRows(rows.inputs, rows.targets, counts.double(), SIZES)
    sizes = tuple(int(part.sum()) for part in counts.split(SIZES))
    ones = torch.ones(len(index), dtype=torch.float64)
    repeated = DomainRows(rows.inputs[index], rows.targets[index], ones, sizes)
    rest = (batch.head, CROSS_ENTROPY)
    first = DomainBatch.from_outputs(weighted, batch.outputs, batch.features, *rest)
    second = DomainBatch.from_outputs(
        repeated, batch.outputs[index], batch.features[index], *rest
    )
    np.testing.assert_allclose(
        within_domain_variance(first), within_domain_variance(second), rtol=1e-12
    )


def own_terms(flat, rows, bottleneck):
    """Mean risk, penalty of IRM and variance, written for autograd."""
    first, offsets, last, offset = flat.split([15, 5, 15, 3])
    hidden = torch.tanh(rows.inputs @ first.reshape(3, 5) + offsets)
    outputs = hidden @ last.reshape(5, 3) + offset
    dummy = torch.ones((), dtype=torch.float64, requires_grad=True)
    risks, slopes, variances = [], [], []
    for f, z, y, w in zip(
        *(
            values.split(rows.sizes)
            for values in (outputs, hidden, rows.targets, rows.sample_weight)
        ),
        strict=True,
    ):
        share = w / w.sum()
        risk = -(share * (torch.log_softmax(dummy * f, 1) * y).sum(1)).sum()
        (slope,) = torch.autograd.grad(risk, dummy, create_graph=True)
        values = z if bottleneck == "features" else f
        mean = share @ values
        risks.append(risk)
        slopes.append(slope**2)
        variances.append((share @ (values - mean) ** 2).mean())
    return [torch.stack(terms).mean() for terms in (risks, slopes, variances)]


def step_gradient(model, rows, flat, iteration=0):
    network = DenseNetwork(LAYERS, "tanh", flat.clone())
    optimizer = Optimizer(network.parameters, "sgd", 1.0)
    step = model._make_step(np.random.RandomState(0))
    record = step.advance(network, rows, CROSS_ENTROPY, optimizer, iteration)
    return flat - network.parameters, record


@pytest.mark.parametrize("bottleneck", ["features", "outputs"])
def test_ib_erm_follows_the_gradient_of_its_objective(bottleneck):
    rows = make_rows()
    flat = torch.tensor(np.random.default_rng(2).normal(size=38), requires_grad=True)
    risk, _, variance = own_terms(flat, rows, bottleneck)
    # No division by the weight, however large.
    (expected,) = torch.autograd.grad(risk + 7.0 * variance, flat)
    model = IBERMClassifier(penalty_weight=7.0, bottleneck=bottleneck)
    found, record = step_gradient(model, rows, flat.detach())
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(record.penalties[0], variance.detach(), rtol=1e-12)


@pytest.mark.parametrize("bottleneck", ["features", "outputs"])
@pytest.mark.parametrize(("irm", "iteration"), [(0.5, 3), (20.0, 3), (20.0, 2)])
def test_ib_irm_follows_the_gradient_of_its_objective(bottleneck, irm, iteration):
    rows = make_rows()
    flat = torch.tensor(np.random.default_rng(3).normal(size=38), requires_grad=True)
    risk, penalty, variance = own_terms(flat, rows, bottleneck)
    weights = (irm, 4.0) if iteration >= 3 else (1.0, 0.0)
    objective = risk + weights[0] * penalty + weights[1] * variance
    (expected,) = torch.autograd.grad(objective / max(1.0, weights[0]), flat)
    model = IBIRMClassifier(
        penalty_weight=irm,
        bottleneck_weight=4.0,
        bottleneck=bottleneck,
        penalty_anneal_iters=3,
    )
    found, record = step_gradient(model, rows, flat.detach(), iteration)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        record.penalties, [float(penalty.detach()), float(variance.detach())]
    )


def test_each_weight_of_ib_irm_leaves_the_other_method():
    X, y, groups = make_fish_linear(random_state=0)
    options = {"max_iter": 20, "random_state": 0}
    fits = {"groups": groups}
    irm = IRMClassifier(penalty_weight=3.0, **options).fit(X, y, **fits)
    ib = IBERMClassifier(penalty_weight=3.0, **options).fit(X, y, **fits)
    no_ib = IBIRMClassifier(penalty_weight=3.0, bottleneck_weight=0.0, **options)
    no_irm = IBIRMClassifier(penalty_weight=0.0, bottleneck_weight=3.0, **options)
    np.testing.assert_array_equal(
        no_ib.fit(X, y, **fits).predict_proba(X), irm.predict_proba(X)
    )
    np.testing.assert_array_equal(
        no_irm.fit(X, y, **fits).predict_proba(X), ib.predict_proba(X)
    )
    assert sorted(no_ib.history_) == ["penalty", "risk"]
    assert sorted(no_irm.history_) == ["bottleneck", "risk"]
    assert np.abs(irm.predict_proba(X) - ib.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("bottleneck", ["features", "outputs"])
def test_derivative_of_the_variance_agrees_with_finite_differences(bottleneck):
    rows = make_rows()
    batch = make_batch(rows)

    def variance(values):
        seen = dataclasses.replace(batch, **{bottleneck: values})
        return within_domain_variance(seen, bottleneck)

    values = getattr(batch, bottleneck).clone().requires_grad_()
    assert torch.autograd.gradcheck(variance, (values,))

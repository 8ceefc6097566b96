# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
import torch

from skdg._training.dense import DenseNetwork
from skdg._training.steps import (
    DirectionStep,
    GradientStep,
    Penalty,
    RiskStep,
    one,
)

# Penalties of the one thing and of the other, in the terms of a `DomainBatch`, and once
# more as functions of plain tensors.
PENALTIES = {
    "outputs": (
        lambda batch: batch.rows.mean((batch.outputs * batch.residuals).sum(1)).std(),
        lambda p: torch.stack([(w @ (f * r).sum(1)) for f, _, r, w in p.parts]).std(),
    ),
    "features": (
        lambda batch: batch.rows.mean(batch.features).var(0).sum(),
        lambda p: torch.stack([w @ z for _, z, _, w in p.parts]).var(0).sum(),
    ),
    "head": (
        lambda batch: batch.head.abs().sum() ** 2,
        lambda p: p.head.abs().sum() ** 2,
    ),
    "risks": (lambda batch: batch.risks.var(), lambda p: p.risks.var()),
    "all": (
        lambda batch: (
            (batch.features @ batch.head).square().sum() * batch.risks.max()
            + (batch.residuals @ batch.head.T).square().sum()
        ),
        lambda p: (
            sum((z @ p.head).square().sum() for _, z, _, _ in p.parts) * p.risks.max()
            + sum((r @ p.head.T).square().sum() for _, _, r, _ in p.parts)
        ),
    ),
}


class PlainBatch:
    """What `DomainBatch` holds, as functions of the parameters, for autograd."""

    def __init__(self, plain, flat, rows):
        self.risks = plain.risks(flat, rows)
        self.parts, start = [], 0
        for size in rows.sizes:
            own = slice(start, start + size)
            outputs, features, self.head = plain(flat, rows.inputs[own])
            targets = rows.targets[own]
            if plain.task == "binary":
                residuals = torch.sigmoid(outputs) - targets
            elif plain.task == "classes":
                residuals = torch.softmax(outputs, 1) - targets
            else:
                residuals = 2.0 * (outputs - targets) / targets.shape[1]
            weight = rows.sample_weight[own]
            self.parts.append((outputs, features, residuals, weight / weight.sum()))
            start += size


class Setting:
    def __init__(self, plain_network, rows, task, loss, layers, activation):
        self.rows, self.loss = rows, loss
        self.plain = plain_network(layers, activation, task)
        self.flat = (0.7 * self.plain.random_parameters()).requires_grad_()
        self.network = DenseNetwork(layers, activation, self.flat.detach().clone())

    def gradient_of(self, objective):
        """Differentiate ``objective(PlainBatch)`` by autograd alone."""
        value = objective(PlainBatch(self.plain, self.flat, self.rows))
        value = value + 0.0 * self.flat.sum()  # some depend on no parameter
        return value.detach(), torch.autograd.grad(value, self.flat)[0]

    def advance(self, step, optimizer, iteration=0):
        return step.advance(self.network, self.rows, self.loss, optimizer, iteration)


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.fixture(params=[(6, 6), (5, 1, 7)], ids=["equal", "ragged"])
def sizes(request):
    return request.param


@pytest.fixture
def make_setting(plain_network, make_rows, tasks, sizes):
    def make(task="binary", hidden=(4,), activation="tanh"):
        loss, n_outputs = tasks[task]
        layers = (3, *hidden, n_outputs)
        rows = make_rows(task, sizes)
        return Setting(plain_network, rows, task, loss, layers, activation)

    return make


@pytest.mark.parametrize("task", ["binary", "classes", "regression", "targets"])
def test_erm_descends_on_the_mean_risk(make_setting, recorder, task):
    setting = make_setting(task)
    record = setting.advance(RiskStep(), recorder)
    _, expected = setting.gradient_of(lambda p: p.risks.mean())
    assert_equal(recorder.gradients[0], expected)
    assert recorder.scales == [1.0]
    assert_equal(record.risks, setting.plain.risks(setting.flat, setting.rows).detach())
    assert record.penalties == ()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("task", ["binary", "classes", "targets"])
@pytest.mark.parametrize("hidden", [(), (4,), (4, 5)], ids=len)
def test_gradient_is_that_of_the_whole_objective(
    make_setting, recorder, task, hidden, name
):
    setting = make_setting(task, hidden)
    function, own = PENALTIES[name]
    record = setting.advance(RiskStep(Penalty(0.3, function=function)), recorder)
    value, _ = setting.gradient_of(own)
    _, expected = setting.gradient_of(lambda p: p.risks.mean() + 0.3 * own(p))
    assert_equal(recorder.gradients[0], expected)
    assert_equal(record.penalties, (value,))


@pytest.mark.parametrize("activation", ["identity", "relu", "logistic"])
def test_gradient_with_other_activations(make_setting, recorder, activation):
    setting = make_setting("classes", (4, 5), activation)
    function, own = PENALTIES["all"]
    setting.advance(RiskStep(Penalty(0.3, function=function)), recorder)
    _, expected = setting.gradient_of(lambda p: p.risks.mean() + 0.3 * own(p))
    assert_equal(recorder.gradients[0], expected)


def test_several_penalties_and_weights_of_risks(make_setting, recorder):
    setting = make_setting()
    step = RiskStep(
        Penalty(0.3, function=PENALTIES["features"][0], name="first"),
        Penalty(0.0, function=PENALTIES["head"][0], name="none"),
        Penalty(0.2, function=PENALTIES["outputs"][0], name="second"),
        # The derivative of log-sum-exp.
        weigh=lambda risks: torch.softmax(3 * risks, 0),
    )
    assert step.penalty_names == ["first", "second"]
    record = setting.advance(step, recorder)

    def objective(p):
        return (
            torch.logsumexp(3 * p.risks, 0) / 3
            + 0.3 * PENALTIES["features"][1](p)
            + 0.2 * PENALTIES["outputs"][1](p)
        )

    _, expected = setting.gradient_of(objective)
    assert_equal(recorder.gradients[0], expected)
    assert len(record.penalties) == 2
    for value, name in zip(record.penalties, ["features", "outputs"], strict=True):
        assert_equal(value, setting.gradient_of(PENALTIES[name][1])[0])


def test_weights_of_risks_alone(make_setting, recorder):
    setting = make_setting()
    step = RiskStep(weigh=lambda risks: (risks == risks.max()).to(risks), weigh_from=2)
    for iteration in (1, 2):
        setting.advance(step, recorder, iteration=iteration)
    before, after = recorder.gradients
    assert_equal(before, setting.gradient_of(lambda p: p.risks.mean())[1])
    assert_equal(after, setting.gradient_of(lambda p: p.risks.max())[1])


@pytest.mark.parametrize("make_step", [RiskStep, GradientStep])
def test_weight_0_is_erm_bit_for_bit_and_is_not_evaluated(
    make_setting, recorder, make_step
):
    def must_not_be_called(batch):
        raise AssertionError

    setting = make_setting()
    step = make_step(Penalty(0.0, function=must_not_be_called))
    assert step.penalty_names == []
    record = setting.advance(step, recorder)
    assert record.penalties == ()
    setting.advance(RiskStep(), recorder)
    assert torch.equal(*recorder.gradients)


def test_annealing(make_setting, recorder):
    setting = make_setting()
    function, own = PENALTIES["features"]
    step = RiskStep(
        Penalty(5.0, 3, weight_before=0.5, reset_optimizer=True, function=function)
    )
    for iteration in range(6):
        setting.advance(step, recorder, iteration)
    for iteration, found in enumerate(recorder.gradients):
        weight = 0.5 if iteration < 3 else 5.0
        _, expected = setting.gradient_of(
            lambda p, w=weight: p.risks.mean() + w * own(p)
        )
        assert_equal(found, expected)
    # Before the fourth step, the first with the new weight.
    assert recorder.restarts == [3]
    assert recorder.scales == [1.0] * 6


def test_weight_0_before_annealing_is_erm_with_a_history(make_setting, recorder):
    setting = make_setting()
    function, own = PENALTIES["features"]
    step = RiskStep(Penalty(5.0, function=function, anneal_iters=1))
    record = setting.advance(step, recorder, 0)
    value, _ = setting.gradient_of(own)
    _, expected = setting.gradient_of(lambda p: p.risks.mean())
    assert_equal(recorder.gradients[0], expected)
    assert_equal(record.penalties, (value,))


@pytest.mark.parametrize(
    ("anneal_iters", "reset", "expected"),
    [(0, True, []), (4, True, [4]), (4, False, []), (1, True, [1]), (9, True, [])],
)
@pytest.mark.parametrize("make_step", [RiskStep, GradientStep])
def test_optimizer_restarts_once_where_the_weight_changes(
    make_setting, recorder, make_step, anneal_iters, reset, expected
):
    setting = make_setting()
    penalty = Penalty(
        0.1,
        anneal_iters,
        reset_optimizer=reset,
        function=lambda values: (
            values.square().sum()
            if isinstance(values, torch.Tensor)
            else values.risks.sum()
        ),
    )
    step = make_step(penalty)
    for iteration in range(8):
        setting.advance(step, recorder, iteration)
    assert recorder.restarts == expected


@pytest.mark.parametrize(
    ("weights", "limits", "scale"),
    [
        ((0.3, 0.2), (1, 1), 1.0),
        ((8.0, 0.2), (1, 1), 1 / 8),
        ((8.0, 0.2), (np.inf, 1), 1.0),
        ((8.0, 4.0), (1, 1), 1 / 8),
        ((8.0, 4.0), (np.inf, 1), 1 / 4),
        ((8.0, 4.0), (4, 1), 1 / 4),
        ((8.0, 4.0), (4, 0.5), 1 / 8),
        ((8.0, 4.0), (9, 5), 1.0),
    ],
)
def test_large_weights_divide_the_objective(
    make_setting, recorder, weights, limits, scale
):
    setting = make_setting()
    names = ["features", "outputs"]
    penalties = [
        Penalty(
            weight,
            function=PENALTIES[name][0],
            divided_above=lambda batch, at=limit: at,
        )
        for name, weight, limit in zip(names, weights, limits, strict=True)
    ]
    record = setting.advance(RiskStep(*penalties), recorder)
    own = [PENALTIES[name][1] for name in names]
    _, expected = setting.gradient_of(
        lambda p: (
            scale * (p.risks.mean() + weights[0] * own[0](p) + weights[1] * own[1](p))
        )
    )
    assert_equal(recorder.gradients[0], expected)
    # The L2 penalty is a part of the objective, and is divided as well.
    assert recorder.scales == [scale]
    # What is recorded is not.
    values = tuple(setting.gradient_of(function)[0] for function in own)
    assert_equal(record.penalties, values)


def test_division_follows_the_weight_of_the_iteration(make_setting, recorder):
    setting = make_setting()
    function = PENALTIES["features"][0]
    step = RiskStep(Penalty(10.0, 2, 1.0, function=function, divided_above=one))
    for iteration in range(4):
        setting.advance(step, recorder, iteration)
    assert recorder.scales == [1.0, 1.0, 0.1, 0.1]


# Penalties on the domains' gradients, as functions of shape (n_domains, n_parameters).
GRADIENT_PENALTIES = {
    "products": lambda g: g.sum(0).square().sum() - g.square().sum(),
    "spread": lambda g: (g - g.mean(0)).square().sum(),
    "cosine": lambda g: (g[0] @ g[1]) / (g[0].norm() * g[1].norm()),
    "constant": lambda g: g.sum() * 0.0,
}


@pytest.mark.parametrize("name", GRADIENT_PENALTIES)
@pytest.mark.parametrize("task", ["binary", "classes", "targets"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (4, 5)], ids=len)
def test_gradient_step_is_exact(make_setting, recorder, task, activation, hidden, name):
    setting = make_setting(task, hidden, activation)
    penalty = GRADIENT_PENALTIES[name]
    record = setting.advance(GradientStep(Penalty(0.4, function=penalty)), recorder)
    # Double backward through the gradients.
    gradients = setting.plain.gradients(setting.flat, setting.rows, create_graph=True)
    value = penalty(gradients)
    risks = setting.plain.risks(setting.flat, setting.rows)
    objective = risks.mean() + 0.4 * value
    (expected,) = torch.autograd.grad(objective, setting.flat)
    assert_equal(recorder.gradients[0], expected)
    assert_equal(record.risks, risks.detach())
    assert_equal(record.penalties, (value.detach(),))


def test_gradient_step_follows_its_schedule(make_setting, recorder):
    setting = make_setting()
    penalty = GRADIENT_PENALTIES["spread"]
    step = GradientStep(Penalty(4.0, 1, 0.5, function=penalty, divided_above=one))
    gradients = setting.plain.gradients(setting.flat, setting.rows, create_graph=True)
    risks = setting.plain.risks(setting.flat, setting.rows)
    for iteration, (weight, scale) in enumerate([(0.5, 1.0), (4.0, 0.25)]):
        setting.advance(step, recorder, iteration)
        objective = scale * (risks.mean() + weight * penalty(gradients))
        (expected,) = torch.autograd.grad(objective, setting.flat, retain_graph=True)
        assert_equal(recorder.gradients[iteration], expected)
        assert recorder.scales[iteration] == scale


def test_direction_step_hands_over_the_gradients(make_setting, recorder):
    setting = make_setting("classes")
    shapes = []

    def combine(gradients, tensors):
        shapes.extend(tuple(tensor.shape) for tensor in tensors(gradients))
        return gradients[0] - 2.0 * gradients[-1]

    step = DirectionStep(combine)
    record = setting.advance(step, recorder)
    gradients = setting.plain.gradients(setting.flat, setting.rows)
    assert_equal(recorder.gradients[0], gradients[0] - 2.0 * gradients[-1])
    n = setting.rows.n_domains
    assert shapes == [(n, 3, 4), (n, 4), (n, 4, 3), (n, 3)]
    assert step.penalty_names == []
    assert record.penalties == ()
    assert_equal(record.risks, setting.plain.risks(setting.flat, setting.rows).detach())


def test_steps_leave_the_parameters_to_the_optimizer(make_setting, recorder):
    setting = make_setting()
    before = setting.network.parameters.clone()
    penalty = Penalty(0.3, function=PENALTIES["all"][0])
    setting.advance(RiskStep(penalty), recorder)
    spread = Penalty(1.0, function=GRADIENT_PENALTIES["spread"])
    setting.advance(GradientStep(spread), recorder)
    assert torch.equal(setting.network.parameters, before)
    assert torch.isfinite(torch.stack(recorder.gradients)).all()

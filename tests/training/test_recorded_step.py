# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps that are recorded and replayed against the same steps run one by one."""

import numpy as np
import pytest
import torch

import skdg
from skdg._training import optimizer, recorded_step
from skdg._training.losses import SQUARED_ERROR
from skdg._training.optimizer import Optimizer
from skdg._training.recorded_step import RecordedStep
from skdg._training.steps import DirectionStep, Penalty, RiskStep, Step
from skdg._training.together import fit_models
from tests.quick_fits import NETWORKS, make, make_data
from tests.training.operator_tape import TapeRecorder

# Splits of rows and weights of gradients come from the host.
ON_HOST = {"CausIRLClassifier", "CausIRLRegressor"}
# Schedules, running averages and what else changes as training goes on.
SETTINGS = {
    "IRM": {"penalty_anneal_iters": 4, "reset_optimizer": True, "penalty_weight": 5.0},
    "VREx": {"penalty_anneal_iters": 4},
    "Fishr": {"penalty_anneal_iters": 5, "ema": 0.5},
    "EQRM": {"burn_in_iters": 5},
    "GroupDRO": {"step_size": 0.5},
    "MultiTaskNetwork": {"sharing": "soft"},
}


@pytest.fixture
def tape(monkeypatch):
    """Let the CPU record as a GPU does."""
    recorder = TapeRecorder()
    for module in (recorded_step, optimizer):
        monkeypatch.setattr(module, "recorder_for", lambda device: recorder)
    return recorder


def settings_of(name):
    method = name.removesuffix("Classifier").removesuffix("Regressor")
    return SETTINGS.get(method, {})


def assert_same(model, expected):
    assert model.history_.keys() == expected.history_.keys()
    for key, values in expected.history_.items():
        np.testing.assert_allclose(model.history_[key], values, rtol=1e-9, atol=1e-12)
    for found, wanted in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_fit_is_the_same(name, batch_size, request):
    X, y, groups = make_data(name, n_samples=31)  # domains of 11, 10 and 10 rows
    options = {"max_iter": 12, "batch_size": batch_size} | settings_of(name)
    expected = make(name, **options).fit(X, y, groups=groups)
    tape = request.getfixturevalue("tape")
    model = make(name, **options).fit(X, y, groups=groups)
    assert_same(model, expected)
    assert (tape.n_replayed > 0) == (name not in ON_HOST)


@pytest.mark.parametrize("estimate", ["squared", "unbiased"])
@pytest.mark.parametrize("dummy", ["vector", "affine"])
@pytest.mark.parametrize("name", ["IRMClassifier", "IRMRegressor"])
def test_other_penalties_of_irm_are_the_same(name, dummy, estimate, request):
    X, y, groups = make_data(name)
    options = {"max_iter": 12, "batch_size": 5} | settings_of(name)
    options |= {"dummy": dummy, "penalty_estimate": estimate}
    expected = make(name, **options).fit(X, y, groups=groups)
    tape = request.getfixturevalue("tape")
    assert_same(make(name, **options).fit(X, y, groups=groups), expected)
    assert tape.n_replayed > 0


@pytest.mark.parametrize("name", ["IRMClassifier", "IDGMRegressor", "FishrClassifier"])
def test_side_by_side_is_the_same(name, request):
    X, y, groups = make_data(name)
    (weight,) = {"penalty_weight", "gamma"} & make(name).get_params().keys()
    options = {"max_iter": 12, "batch_size": 5} | settings_of(name)
    options.pop("reset_optimizer", None)

    def models():
        made = [
            make(
                name, **options | {weight: rate, "alpha": a, "learning_rate_init": rate}
            )
            for rate, a in ((0.01, 0.1), (0.02, 0.2), (0.03, 0.01))
        ]
        if "penalty_anneal_iters" in options:
            for number, model in enumerate(made):
                model.set_params(penalty_anneal_iters=2 + 3 * number)
        return made

    def fitted():
        made = models()
        data = made[0]._validate(X, y, None, *made[0]._encode_domains(X, groups))
        assert fit_models(made, [data] * 3) == [None] * 3
        return made

    expected = fitted()
    tape = request.getfixturevalue("tape")
    for model, wanted in zip(fitted(), expected, strict=True):
        assert_same(model, wanted)
    assert tape.n_replayed > 0


@pytest.mark.parametrize("rule", ["pcgrad", "cagrad", "mgda"])
def test_directions_from_the_host_are_not_recorded(rule, tape):
    X, y, groups = make_data("MultiTaskNetworkRegressor")
    model = skdg.MultiTaskNetworkRegressor(
        gradient_combination=rule, hidden_layer_sizes=(4,), max_iter=5, random_state=0
    )
    model.fit(X, y, groups=groups)
    assert tape.n_recorded == 0


def test_a_module_is_not_recorded(tape):
    X, y, groups = make_data("ERMRegressor")
    model = skdg.ERMRegressor(
        module=lambda n: torch.nn.Linear(n, 4), max_iter=5, random_state=0
    )
    model.fit(X, y, groups=groups)
    assert tape.n_recorded == 0


def test_a_recording_for_each_phase_and_shape(tape):
    X, y, groups = make_data("FishClassifier", n_samples=31)
    make("FishClassifier", max_iter=6).fit(X, y, groups=groups)
    assert tape.n_recorded == 2  # domains of 11 and of 10 rows
    assert tape.n_replayed == 5 + 11  # of 6 and 12 inner steps
    tape.n_recorded = tape.n_replayed = 0
    model = make("IRMClassifier", max_iter=10, penalty_anneal_iters=4)
    model.set_params(reset_optimizer=True).fit(X, y, groups=groups)
    # Iterations 0 and 5 run as they are, and 4, which forgets moments.
    assert (tape.n_recorded, tape.n_replayed) == (2, 3 + 4)


def test_rows_of_every_batch_are_read(tape):
    X, y, groups = make_data("ERMRegressor")
    model = make("ERMRegressor", max_iter=20, batch_size=2)
    risks = model.fit(X, y, groups=groups).history_["risk"]
    assert tape.n_replayed == 19
    assert len(np.unique(risks, axis=0)) == 20


class Forgetful(Step):
    """Remembers in a new tensor, which a replay does not see."""

    def __init__(self):
        self.penalty_names, self._total = [], None
        self._erm = RiskStep(weigh=self._weigh)

    def _weigh(self, risks):
        self._total = risks if self._total is None else self._total + risks
        return torch.softmax(self._total, 0)

    def advance(self, *arguments):
        return self._erm.advance(*arguments)


def run(step, make_rows, plain_network, n_iter=6):
    rows = make_rows("regression", (6, 6))
    start = plain_network((3, 4, 1), "tanh", "regression").random_parameters()
    network = skdg._training.dense.DenseNetwork((3, 4, 1), "tanh", start.clone())
    moves = Optimizer(network.parameters, "adam", 0.01)
    for iteration in range(n_iter):
        step.advance(network, rows, SQUARED_ERROR, moves, iteration)
    return network.parameters


def test_the_tape_forgets_what_a_graph_forgets(make_rows, plain_network):
    expected = run(Forgetful(), make_rows, plain_network)
    found = run(RecordedStep(Forgetful(), TapeRecorder()), make_rows, plain_network)
    assert (found - expected).abs().max() > 1e-4


@pytest.mark.parametrize(
    "step",
    [
        RiskStep(
            Penalty(
                1.0,
                function=lambda batch: (
                    batch.risks.sum() * batch.risks.detach().max().item()
                ),
            )
        ),
        DirectionStep(lambda gradients, tensors: gradients[gradients[:, 0] > 0].sum(0)),
    ],
    ids=["value", "selection"],
)
def test_a_step_that_looks_at_values_cannot_be_recorded(step, make_rows, plain_network):
    with pytest.raises(RuntimeError, match="not permitted while recording"):
        run(RecordedStep(step, TapeRecorder()), make_rows, plain_network)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from skdg import DivergenceError
from skdg._training.loop import train
from skdg._training.losses import SQUARED_ERROR
from skdg._training.steps import Record
from skdg.invariance import ERMClassifier, ERMRegressor, IRMClassifier

N_DOMAINS = 3


class Script:
    """A step that does and records what it is told, iteration by iteration."""

    tolerated_growth = 10.0

    def __init__(self, risks=None, penalties=(), parameters=None):
        self.penalty_names = [name for name, _ in penalties]
        self._risks = risks or (lambda iteration: [1.0] * N_DOMAINS)
        self._penalties = [values for _, values in penalties]
        self._parameters = parameters or (lambda iteration: 0.0)
        self.iterations, self.progress = [], []

    def advance(self, network, rows, loss, optimizer, iteration):
        self.iterations.append(iteration)
        network.parameters.fill_(self._parameters(iteration))
        return Record(
            torch.tensor(self._risks(iteration), dtype=torch.float64),
            tuple(
                torch.tensor(f(iteration), dtype=torch.float64) for f in self._penalties
            ),
        )


@pytest.fixture
def run(make_rows):
    def run(step, judged=(1.0, 1.0), **kw):
        rows = make_rows("regression", (4,) * N_DOMAINS)
        judged = iter(judged)  # the mean risk before training and after it

        def forward(rows, loss):
            return SimpleNamespace(risks=torch.tensor([next(judged)]))

        network = SimpleNamespace(
            parameters=torch.zeros(2), looked_at=nullcontext, forward=forward
        )
        batches = itertools.repeat(rows)
        optimizer = SimpleNamespace(set_progress=step.progress.append)
        return train(
            network, batches, SQUARED_ERROR, step, optimizer, judged_on=[rows], **kw
        )

    return run


@pytest.mark.parametrize("max_iter", [1, 49, 50, 51, 130])
@pytest.mark.parametrize("first_iter", [0, 17])
def test_history_has_a_row_per_iteration(run, max_iter, first_iter):
    step = Script(
        risks=lambda i: [1.0 + i / 1e3, 2.0, 3.0 - i / 1e3],
        penalties=[("penalty", lambda i: float(i)), ("other", lambda i: -float(i))],
    )
    history = run(step, max_iter=max_iter, first_iter=first_iter).history
    numbers = np.arange(first_iter, first_iter + max_iter)
    assert step.iterations == numbers.tolist()
    np.testing.assert_allclose(step.progress, np.arange(max_iter) / max_iter)
    assert set(history) == {"risk", "penalty", "other"}
    expected = np.stack([1.0 + numbers / 1e3, 0 * numbers + 2, 3.0 - numbers / 1e3], 1)
    np.testing.assert_allclose(history["risk"], expected, rtol=1e-15)
    np.testing.assert_array_equal(history["penalty"], numbers)
    np.testing.assert_array_equal(history["other"], -numbers)


def test_history_without_penalties(run):
    history = run(Script(), max_iter=3).history
    assert set(history) == {"risk"}
    assert history["risk"].shape == (3, N_DOMAINS)


@pytest.mark.parametrize("stop_after", [1, 50, 51, 60])
def test_training_stops_when_asked(run, stop_after):
    step, calls = Script(), itertools.count(1)
    outcome = run(step, max_iter=100, iteration_ends=lambda: next(calls) == stop_after)
    assert step.iterations == list(range(stop_after))
    assert len(outcome.history["risk"]) == stop_after


@pytest.mark.parametrize("broken", [0, 7, 49, 50, 73])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("first_iter", [0, 20])
def test_divergence_names_the_iteration_and_the_risk(run, broken, value, first_iter):
    step = Script(
        risks=lambda i: [1.0, value if i >= first_iter + broken else 1.0, 1.0],
        penalties=[("penalty", lambda i: 0.0)],
    )
    message = rf"in iteration {first_iter + broken}: the risk is {value}\."
    with pytest.raises(DivergenceError, match=message):
        run(step, max_iter=74, first_iter=first_iter)


@pytest.mark.parametrize("broken", [0, 49, 50, 73])
def test_divergence_names_the_penalty(run, broken):
    step = Script(
        penalties=[
            ("first", lambda i: 0.0),
            ("second", lambda i: np.nan if i >= broken else 0.0),
            ("third", lambda i: np.nan if i > broken else 0.0),
        ],
    )
    with pytest.raises(
        DivergenceError,
        match=rf"in iteration {broken}: the second is nan\. .* weight of the penalty",
    ):
        run(step, max_iter=74)


def test_of_two_terms_the_first_to_break_is_named(run):
    step = Script(
        risks=lambda i: [1.0, 1.0, np.nan if i >= 5 else 1.0],
        penalties=[("penalty", lambda i: np.inf if i >= 4 else 0.0)],
    )
    with pytest.raises(DivergenceError, match="iteration 4: the penalty is inf"):
        run(step, max_iter=9)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_divergence_of_the_last_step(run, value):
    step = Script(parameters=lambda i: value if i == 8 else 0.0)
    with pytest.raises(
        DivergenceError,
        match=r"step of iteration 8 made a parameter infinite or NaN\. Lower "
        "learning_rate_init, and standardize",
    ):
        run(step, max_iter=9)


def test_divergence_of_the_last_step_before_a_stop(run):
    step, calls = Script(parameters=lambda i: np.inf if i == 2 else 0.0), iter("  x")
    with pytest.raises(DivergenceError, match="step of iteration 2 "):
        run(step, max_iter=9, iteration_ends=lambda: next(calls) == "x")


def test_growth_of_the_risk_is_tolerated_up_to_ten_times(run, make_rows):
    rows = make_rows("regression", (4,) * N_DOMAINS)
    weight, squares = rows.sample_weight.numpy(), rows.targets.numpy()[:, 0] ** 2
    zero = np.mean(
        [np.average(squares[i : i + 4], weights=weight[i : i + 4]) for i in (0, 4, 8)]
    )
    for start in (zero / 3, zero * 3):
        limit = 10 * max(start, zero)
        outcome = run(Script(), (start, limit * 0.999), max_iter=2)
        assert len(outcome.history["risk"]) == 2
        assert outcome.risk == pytest.approx(limit * 0.999, rel=1e-6)
        assert outcome.risk_of_zero == pytest.approx(zero, rel=1e-12)
        for end in (limit * 1.001, np.inf, np.nan):
            with pytest.raises(
                DivergenceError, match=f"after 2 iterations the mean risk is {end:.3g};"
            ):
                run(Script(), (start, end), max_iter=2)
    # Risks of iterations are of other rows each time, and are not judged.
    passing = Script(lambda i: [1e6 * zero] * N_DOMAINS)
    assert len(run(passing, max_iter=3).history["risk"]) == 3


# The same through estimators.


def data(n=30, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.5], rng.permutation(n) % N_DOMAINS


def test_estimator_counts_its_iterations():
    X, y, groups = data()
    model = IRMClassifier(max_iter=23, random_state=0).fit(X, y > 0, groups=groups)
    assert model.n_iter_ == 23
    assert model.history_["risk"].shape == (23, N_DOMAINS)
    assert model.history_["penalty"].shape == (23,)


def test_history_is_in_the_order_of_the_domains():
    X, y, groups = data()
    y = y + 10.0 * (groups == 1)
    labels = np.array(["c", "a", "b"])[groups]
    model = ERMRegressor(hidden_layer_sizes=(), max_iter=1, normalize_y=False)
    model.fit(X, y, groups=labels)
    assert model.domains_.tolist() == ["a", "b", "c"]
    # A linear model starts from 0.
    expected = [np.mean(y[labels == label] ** 2) for label in model.domains_]
    np.testing.assert_allclose(model.history_["risk"][0], expected, rtol=1e-12)


def test_estimator_names_an_exploding_risk_and_is_left_as_it_was():
    X, y, groups = data()
    model = ERMRegressor(hidden_layer_sizes=(), max_iter=40, random_state=0)
    model.fit(X, y, groups=groups)
    before = model.predict(X)
    model.set_params(optimizer="sgd", learning_rate_init=1e5, max_iter=400)
    with pytest.raises(
        DivergenceError, match=r"in iteration \d+: the risk is (inf|nan)"
    ):
        model.fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.n_iter_ == 40


def test_an_infinite_penalty_of_an_estimator_is_named():
    # In float32 the square of the slope overflows before the risk does.
    X, y, groups = data()
    X = (1e15 * X).astype(np.float32)
    model = IRMClassifier(
        hidden_layer_sizes=(), optimizer="sgd", learning_rate_init=1e4, random_state=0
    )
    with pytest.raises(
        DivergenceError, match=r"in iteration \d+: the penalty is (inf|nan)"
    ):
        model.fit(X, y > 0, groups=groups)


def test_no_error_from_a_slow_start():
    X, y, groups = data()
    model = ERMClassifier(learning_rate_init=1e-9, max_iter=5, random_state=0)
    assert model.fit(X, y > 0, groups=groups).n_iter_ == 5


@pytest.mark.parametrize("level", [0.0, 3e-9, -0.1, 1e12])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,)])
def test_no_error_from_a_constant_target(hidden_layer_sizes, level):
    # Its risk is 0 from the start, and any step makes that infinitely larger.
    X, _, groups = data()
    y = np.full(len(X), level)
    model = ERMRegressor(
        hidden_layer_sizes=hidden_layer_sizes, max_iter=500, random_state=0
    ).fit(X, y, groups=groups)
    assert model.target_offset_ == level
    np.testing.assert_allclose(model.predict(X), level, rtol=1e-9, atol=0.3)

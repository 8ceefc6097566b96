# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the size of the Linear Unit-Tests': moments, and hours for all of them."""

import time
from functools import partial

import numpy as np
import torch
from sklearn.base import clone

import skdg
from benchmarks.speed._rounds import compare
from benchmarks.step_cost import seconds
from skdg._training.together import fit_models

N_DRAWS, N_STEPS = 20, 10_000


def unit_test_data(is_regression):
    """Return data of the size of the Linear Unit-Tests'."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30_000, 10)).astype(np.float32)
    y = X[:, 0] + rng.standard_normal(len(X))
    return X, y if is_regression else y > 0, np.arange(len(X)) % 3


def on_all_rows(model):
    """Make a model forget that its method needs the moments of rows alone."""
    kind = type(model)

    def make_step(self, random_state):
        step = kind._make_step(self, random_state)
        step.needs_moments_alone = False
        return step

    model.__class__ = type(kind.__name__, (kind,), {"_make_step": make_step})
    return model


def moments(rounds):
    """Yield rows for fits that see points in place of rows."""
    torch.set_num_threads(1)
    X, y, groups = unit_test_data(is_regression=True)
    for name in ("ERM", "IRM"):
        model = getattr(skdg, f"{name}Regressor")(
            hidden_layer_sizes=(), batch_size=None, max_iter=1000
        )
        pair = (on_all_rows(clone(model)), model)
        ratios, own = compare(
            *(partial(each.fit, X, y, groups=groups) for each in pair), rounds
        )
        yield f"{name}, a linear fit", "on all rows", ratios, "", f"{own:.2f} s"


def unit_tests(rounds):
    """Yield the hours that the default experiment of the Linear Unit-Tests takes."""
    torch.set_num_threads(1)
    for name in ("ERM", "IRM"):
        total = 0.0
        for task, n_problems in (("Regressor", 2), ("Classifier", 4)):
            of_step = np.array([step_of(name + task) for _ in range(rounds)])
            hours = hours_of(of_step, n_problems)
            total = total + hours
            own = f"{1e6 * np.median(of_step):.1f} us"
            yield f"Linear Unit-Tests as {name}{task}, hours", "", hours, "", own
        yield f"Linear Unit-Tests as {name}, hours", "", total, 1.0, ""
    alone = products_and_functions()
    alone()
    of_step = np.array([cpu_time(alone) for _ in range(4 * rounds)]) / N_DRAWS
    yield (
        "Linear Unit-Tests, least of classifiers, hours",
        "",
        hours_of(of_step, 4),
        "",
        f"{1e6 * np.median(of_step):.1f} us",
    )


# What a function takes of a core, whatever else the machine does.
cpu_time = partial(seconds, clock=time.process_time)


def hours_of(of_step, n_problems):
    """Return hours on two cores: of 5 methods, 50 data seeds and all draws."""
    return of_step * N_STEPS * n_problems * 5 * 50 * N_DRAWS / 3600 / 2


def step_of(kind):
    """Return the time of a step of one of the models that train side by side."""
    X, y, groups = unit_test_data("Regressor" in kind)

    def time_of(n_steps):
        model = getattr(skdg, kind)(hidden_layer_sizes=(), batch_size=None)
        models = [clone(model).set_params(max_iter=n_steps) for _ in range(N_DRAWS)]
        # New rows, of which nothing is known yet.
        data = model._validate(X, y, None, *model._encode_domains(X, groups))
        return cpu_time(partial(fit_models, models, [data] * N_DRAWS)) / N_DRAWS

    if "Regressor" in kind:
        return time_of(N_STEPS) / N_STEPS
    # Without what comes before all steps and after them.
    return (time_of(60) - time_of(20)) / 40


def products_and_functions():
    """Return a function that does the least that a step of classifiers does.

    Beside the two products with all rows that is, for each row and model, a logistic
    function and a logarithm, for as many rows at a time as stay in the cache.
    """
    X = torch.as_tensor(unit_test_data(is_regression=True)[0])
    weights, gradient = (
        torch.randn(N_DRAWS, X.shape[1]),
        torch.empty(X.shape[1], N_DRAWS),
    )
    outputs, losses = torch.empty(2, N_DRAWS, len(X))

    def step():
        torch.mm(weights, X.T, out=outputs)
        for output, loss in zip(outputs, losses, strict=True):
            torch.sigmoid(output, out=output)
            torch.log1p(output, out=loss)
        torch.mm(X.T, outputs.T, out=gradient)

    return step

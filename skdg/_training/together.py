# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Many estimators of one kind, trained side by side.

What they may differ in are numbers: an estimator whose numeric parameters are arrays,
with a value per model, stands for all of them, and its step and its optimizer are
theirs.
"""

import copy
import pickle
from collections.abc import Callable, Hashable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.utils._param_validation import Interval

from skdg._callbacks import has_callbacks
from skdg._training.data import TrainingData
from skdg._training.dense import DenseNetwork
from skdg._training.device import few_threads
from skdg._training.drawing import (
    draw_batches,
    resolve_batch_size,
    resolve_max_iter,
    rows_per_batch,
    rows_to_see,
    sees_points,
    spread_batches,
)
from skdg._training.estimators import N_SEEDS, NetworkEstimator
from skdg._training.loop import train_models, warn_if_useless
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.state import spawn_seeds
from skdg.exceptions import DivergenceError


def why_alone(model: Any) -> str:
    """Say why an estimator cannot be trained side by side with others.

    Returns
    -------
    str
        The reason, or "" if there is none.
    """
    name = type(model).__name__
    if not isinstance(model, NetworkEstimator):
        return f"{name} does not train a network by gradient steps"
    if type(model)._build_network is not NetworkEstimator._build_network:
        return f"the network of {name} is not a plain stack of layers"
    if model.module is not None:
        return f"{name} has a module, which is trained by automatic differentiation"
    if model.warm_start:
        return f"{name} has warm_start=True"
    if has_callbacks(model):
        return f"{name} has callbacks"
    return ""


def kind_of(model: NetworkEstimator) -> Hashable:
    """Return what estimators have in common that can be trained side by side.

    Parameters that are numbers may differ, unless the one is 0 and the other is not:
    what is weighed with 0 is left out.
    """
    parameters = model.get_params(deep=False)
    for name in _numbers(model):
        is_weight = name not in ("random_state", "penalty_anneal_iters")
        parameters[name] = is_weight and bool(parameters[name] == 0)
    sizes = parameters["hidden_layer_sizes"]
    parameters["hidden_layer_sizes"] = tuple(int(size) for size in sizes)
    try:
        # One by one: a pickle of all tells whether two of them are the same object.
        return type(model), *(
            (name, pickle.dumps(value)) for name, value in sorted(parameters.items())
        )
    except (pickle.PicklingError, AttributeError, TypeError):
        return type(model), object()  # of a class of the user: like no other


def n_rows_seen(model: NetworkEstimator, data: TrainingData) -> int:
    """Return how many rows, or points in their place, an iteration sees."""
    rows, loss = data.rows, data.targets.loss
    batch_size = resolve_batch_size(model.batch_size, rows.sizes)
    max_iter = resolve_max_iter(model.max_iter, rows.sizes, batch_size)
    is_affine = not len(model.hidden_layer_sizes) or model.activation == "identity"
    step = model._make_step(RandomState(0))
    if sees_points(rows, batch_size, max_iter, is_affine, loss, step):
        return rows.n_domains * (rows.n_columns + 1)
    return sum(rows_per_batch(rows.sizes, batch_size))


def fit_models(
    models: Sequence[NetworkEstimator],
    data: Sequence[TrainingData],
    iteration_ends: Callable[[], bool] = lambda: False,
) -> list[DivergenceError | None]:
    """Fit estimators side by side.

    Parameters
    ----------
    models : sequence of NetworkEstimator
        Estimators of one kind, see `kind_of`.

    data : sequence of TrainingData
        The rows of each. Domains have the same numbers of rows, in the same order.

    iteration_ends : callable, default=None
        Called after each iteration; training stops when it returns True.

    Returns
    -------
    list
        For each model None if it is now fitted, or the error if its training diverged.
    """
    leader = _leader(models)
    first, loss = data[0].rows, data[0].targets.loss
    if isinstance(leader.random_state, Integral):
        seeds = [spawn_seeds(leader.random_state, N_SEEDS)] * len(models)
    else:
        seeds = [spawn_seeds(model.random_state, N_SEEDS) for model in models]
    # Models with the same seed see the same rows in the same order.
    n_drawn = len(models) if isinstance(leader.random_state, np.ndarray) else 1
    batch_size = resolve_batch_size(leader.batch_size, first.sizes)
    max_iter = resolve_max_iter(leader.max_iter, first.sizes, batch_size)
    step = leader._make_step(RandomState(seeds[0][2]))
    starts = {
        seed: leader._initial_state(data[0], RandomState(seed))
        for seed in {own[0] for own in seeds}
    }
    with torch.inference_mode(False), torch.enable_grad():
        network = DenseNetwork.from_states(
            [starts[own[0]] for own in seeds],
            leader.activation,
            first.inputs.dtype,
            first.inputs.device,
        )
        seen = (batch_size, max_iter, network, loss, step)
        rows = _join([rows_to_see(each.rows, *seen) for each in data])
        n_rows = sum(rows_per_batch(rows.sizes, batch_size))
        with few_threads(n_rows * network.parameters.shape[1]):
            outcomes = train_models(
                network,
                draw_batches(
                    rows, batch_size, *(RandomState(own[1]) for own in seeds[:n_drawn])
                ),
                loss,
                step,
                Optimizer(
                    network.parameters,
                    leader.optimizer,
                    leader.learning_rate_init,
                    decay=leader._decay(network),
                    declining=leader.learning_rate == "cosine",
                ),
                max_iter=max_iter,
                judged_on=spread_batches(rows, batch_size),
                iteration_ends=iteration_ends,
            )
    errors: list[DivergenceError | None] = []
    for model, own, state, outcome in zip(
        models, data, network.states(), outcomes, strict=True
    ):
        if isinstance(outcome, DivergenceError):
            errors.append(outcome)
            continue
        model._keep(model._attributes(state, own.targets), own, outcome.history)
        warn_if_useless(model, outcome, stacklevel=2)
        errors.append(None)
    return errors


def _numbers(model: NetworkEstimator) -> list[str]:
    """Return the names of the parameters that may differ."""
    names = ["random_state"]
    for name, allowed in model._parameter_constraints.items():
        if all(isinstance(c, Interval) and c.type is Real for c in allowed):
            names.append(name)
    # The moments of all models are forgotten at once.
    if not getattr(model, "reset_optimizer", True):
        names.append("penalty_anneal_iters")
    return [name for name in names if name not in model._shared_by_models]


def _leader(models: Sequence[NetworkEstimator]) -> Any:
    """Return an estimator with arrays for parameters in which the models differ."""
    leader = copy.copy(models[0])
    for name in _numbers(leader):
        values = [getattr(model, name) for model in models]
        if name == "random_state":
            same = len({pickle.dumps(value) for value in values}) == 1
            if same and values[0] is not None:
                continue
            values = list(range(len(models)))  # only that they differ matters
        if len(set(values)) > 1 or name == "random_state":
            setattr(leader, name, np.array(values))
    return leader


def _join(parts: Sequence[DomainRows]) -> DomainRows:
    """Return the rows of all models, once if they share them."""
    first = parts[0]
    inputs, targets, weight = first.tensors
    if any(part is not first for part in parts):
        columns = zip(*(part.tensors for part in parts), strict=True)
        inputs, targets, weight = (torch.stack(column) for column in columns)
    return DomainRows(inputs, targets, weight, first.sizes, len(parts))

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Searches of 60 candidates, and what of them cannot be done any faster."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

import skdg
from benchmarks.speed._rounds import HIDDEN, times_of
from benchmarks.step_cost import data, seconds
from skdg._training.device import few_threads
from skdg._training.layers import ACTIVATIONS, back_to_inputs, back_to_weights
from skdg._training.optimizer import Optimizer
from skdg.model_selection import BatchedGridSearchCV

N_CANDIDATES = 60


def search(rounds):
    """Yield rows for searches, and for the part of them that has to be done anyhow."""
    torch.set_num_threads(os.cpu_count() or 1)
    X, y, groups = data()
    for name, hidden, aim in [
        ("IRM", HIDDEN, 6.0),
        ("ERM", HIDDEN, 6.0),
        ("IRM", (), 20.0),
        ("ERM", (), 20.0),
    ]:
        model = getattr(skdg, f"{name}Classifier")(hidden_layer_sizes=hidden)
        model.set_params(random_state=0, max_iter=80 if hidden else 160)
        grid = {"alpha": np.logspace(-5, -1, N_CANDIDATES)}
        given = {"cv": LeaveOneGroupOut(), "refit": False}
        searches = [
            kind(model, grid, **given, n_jobs=n_jobs).fit
            for kind in (GridSearchCV, BatchedGridSearchCV)
            for n_jobs in (1, 2)
        ]
        parts = least(model, X, y, groups)
        with config_context(enable_metadata_routing=True):
            times = times_of(
                *(partial(own, X, y, groups=groups) for own in searches),
                partial(on_one_thread, searches[2], X, y, groups=groups),
                *parts.values(),
                rounds=rounds,
            )
        ordinary, in_workers, ours, ours_in_workers, one_thread, *bounds = times.T
        what = f"{name}, a search, hidden layers {hidden}"
        beside = "GridSearchCV, n_jobs=1"
        own = [f"{np.median(side):.2f} s" for side in times.T]
        yield what, beside, ordinary / ours, aim, own[2]
        yield f"{what}, n_jobs=2", beside, ordinary / ours_in_workers, aim, own[3]
        ratios = in_workers / ours_in_workers
        yield f"{what}, n_jobs=2", "GridSearchCV, n_jobs=2", ratios, 1.0, own[3]
        for part, bound, seconds_alone in zip(parts, bounds, own[5:], strict=True):
            yield (
                f"{what}: {part}",
                beside,
                ordinary / bound,
                "",
                f"{seconds_alone} alone",
            )
        yield what, "the same on one thread", one_thread / ours, "", own[2]


def on_one_thread(function, *arguments, **options):
    """Call a function while torch has one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        function(*arguments, **options)
    finally:
        torch.set_num_threads(n_threads)


def least(model, X, y, groups):
    """Return functions that do what every search of these candidates does, by name."""
    folds = list(LeaveOneGroupOut().split(X, y, groups))
    if not model.hidden_layer_sizes:
        fitted = []
        for train, test in folds:
            own = clone(model).fit(X[train], y[train], groups=groups[train])
            fitted += [(own, X[test], y[test])] * N_CANDIDATES

        def score():
            for own, rows, targets in fitted:
                own.score(rows, targets)

        return {"its scores": score}
    n_rows, n_features = X[folds[0][0]].shape
    n_steps = len(folds) * N_CANDIDATES * model.max_iter
    parts = {}
    for name, whole in (("its products", False), ("with activations and Adam", True)):
        alone = [
            partial(steps_of, n, n_rows, n_features, model, whole, n_steps // n)
            for n in (5, 10, 20)
        ]
        parts[name] = min(alone, key=seconds)
    return parts


def steps_of(n_models, n_rows, n_features, model, whole, n_steps):
    """Make the matrix products of steps of so many models, with all threads."""
    n_threads = torch.get_num_threads()
    with ThreadPoolExecutor(n_threads) as pool:
        shape = (n_models, n_rows, n_features, model.hidden_layer_sizes, whole)
        steps = [n_steps // n_threads] * n_threads
        list(pool.map(partial(products, *shape), steps))


@few_threads(0)
def products(n_models, n_rows, n_features, hidden, whole, n_steps):
    """Make the matrix products of steps: forward, to the weights, to the inputs.

    If it is the whole, then also activations, gradients of offsets and Adam.
    """
    rows = torch.randn(n_rows, n_features)
    # Of models that share the rows, the first layers are one wide product.
    wide = torch.randn(n_features, n_models * hidden[0])
    first = torch.empty(n_rows, n_models * hidden[0])
    shapes = list(pairwise((*hidden, 1)))
    weights = [torch.randn(n_models, *shape) for shape in shapes]
    gradients = [torch.empty_like(own) for own in weights]
    outputs = [torch.empty(n_models, n_rows, width) for _, width in shapes]
    inputs = [first.view(n_rows, n_models, -1).transpose(0, 1), *outputs[:-1]]
    deltas = [torch.empty(n_models, n_rows, width) for width, _ in shapes]
    deltas.append(torch.randn(n_models, n_rows, 1))
    in_first = torch.empty(n_models, n_features, hidden[0])
    shared = rows.expand(n_models, -1, -1)
    layers = list(zip(weights, gradients, inputs, outputs, strict=True))
    n_parameters = sum((a + 1) * b for a, b in pairwise((n_features, *hidden, 1)))
    parameters, step = torch.randn(2, n_models, n_parameters)
    offsets = [torch.empty(n_models, delta.shape[2]) for delta in deltas]
    optimizer = Optimizer(parameters, "adam", 1e-3)
    for _ in range(n_steps):
        torch.mm(rows, wide, out=first)
        for own, _, left, out in layers:
            if whole:
                torch.relu_(left)
            if out.shape[2] == 1:
                torch.bmm(own.mT, left.mT, out=out.mT)
            else:
                torch.bmm(left, own, out=out)
        for layer in range(len(layers) - 1, -1, -1):
            own, gradient, left, _ = layers[layer]
            back_to_weights(left, deltas[layer + 1], gradient)
            back_to_inputs(deltas[layer + 1], own, deltas[layer])
            if whole:
                ACTIVATIONS["relu"].chain_(deltas[layer], left)
        back_to_weights(shared, deltas[0], in_first)
        if whole:
            for delta, out in zip(deltas, offsets, strict=True):
                torch.sum(delta, -2, out=out)
            optimizer.apply(step)

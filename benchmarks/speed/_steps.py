# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Steps: beside textbook loops, ERM, and their own matrix products."""

import os
from functools import partial

import numpy as np
import torch

from benchmarks.speed._rounds import HIDDEN, LARGE, compare
from benchmarks.step_cost import METHODS, N_DOMAINS, data, ours, seconds
from benchmarks.textbook import Textbook
from skdg._training.layers import affine, back_to_weights
from skdg._training.losses import CROSS_ENTROPY


def step(rounds):
    """Yield a row for each method that has a textbook loop."""
    torch.set_num_threads(1)
    X, y, groups = data()
    cases = [
        ("ERM", "plain", "all rows at once, autograd", 1.8),
        ("ERM", "erm", "textbook loop", ""),
        ("IRM", "irm", "textbook loop", 4.5),
        ("Fish", "fish", "textbook loop", 3.0),
        ("IDGM", "idgm", "textbook loop", 4.0),
    ]
    for name, way, beside, aim in cases:
        slow = getattr(Textbook(X, y, N_DOMAINS, HIDDEN), way)
        fast = ours(name, X, y, groups)
        ratios, own = compare(slow, fast, 4 * rounds, 20)
        yield f"{name}, a step", beside, ratios, aim, f"{1e6 * own:.0f} us"


def methods(rounds):
    """Yield a row for each method: its step over that of ERM."""
    torch.set_num_threads(1)
    X, y, groups = data()
    erm = ours("ERM", X, y, groups)
    for name in METHODS[1:]:
        own = ours(name, X, y, groups)
        ratios, _ = compare(own, erm, 4 * rounds, 20)
        yield f"{name} over ERM", "ERM", ratios, "", f"{1e6 * seconds(own, 20):.0f} us"


def products(rounds):
    """Yield a row for a step on large batches over its matrix products."""
    torch.set_num_threads(os.cpu_count() or 1)
    rng = np.random.RandomState(0)
    n, d, width = LARGE
    X = rng.standard_normal((n, d)).astype(np.float32)
    y, groups = rng.randint(2, size=n), np.repeat([0, 1], n // 2)
    fast = ours("IRM", X, y, groups, (width, width), batch_size=None)
    rows = torch.as_tensor(X)
    shapes = [(d, width), (width, width), (width, 1)]
    weights = [torch.randn(shape) for shape in shapes]
    hidden = [torch.randn(n, b) for _, b in shapes]
    inputs = [rows, *hidden[:-1]]
    gradients = [torch.empty(shape) for shape in shapes]

    def alone():
        for left, right, out in zip(inputs, weights, hidden, strict=True):
            torch.mm(left, right, out=out)
        for left, right, out in zip(inputs, hidden, gradients, strict=True):
            torch.mm(left.T, right, out=out)
        for layer in (2, 1):
            torch.mm(hidden[layer], weights[layer].T, out=hidden[layer - 1])

    ratios, _ = compare(fast, alone, max(3, rounds))
    yield "IRM, 50 000 rows", "its products", ratios, 1.25, f"{seconds(fast):.2f} s"


def products_by_domain(rounds):
    """Yield a row for a step of IDGM over its matrix products."""
    torch.set_num_threads(1)
    X, y, groups = data()
    fast = ours("IDGM", X, y, groups)
    shapes = [(X.shape[1], HIDDEN[0]), HIDDEN, (HIDDEN[1], 1)]
    shared = [torch.randn(shape) for shape in shapes]
    own = [torch.randn(N_DOMAINS, *shape) for shape in shapes]
    inputs = [torch.randn(len(X), n_in) for n_in, _ in shapes]
    outputs = [torch.randn(len(X), n_out) for _, n_out in shapes]
    to_inputs = [torch.empty_like(part) for part in inputs]
    in_weights = [torch.empty_like(part) for part in shared]

    def alone():
        layers = zip(inputs, outputs, shared, own, strict=True)
        for layer, (left, right, weights, moves) in enumerate(layers):
            by_domain = [part.unflatten(0, (N_DOMAINS, -1)) for part in (left, right)]
            torch.bmm(by_domain[0].mT, by_domain[1])
            torch.baddbmm(by_domain[1], by_domain[0], moves)
            torch.mm(left, weights, out=right)
            torch.mm(left.T, right, out=in_weights[layer])
            if layer:
                right.addmm_(left, weights)
                in_weights[layer].addmm_(left.T, right)
                for _ in range(2):
                    torch.mm(right, weights.T, out=to_inputs[layer])
                torch.bmm(by_domain[1], moves.mT)

    ratios, own = compare(fast, alone, 4 * rounds, 20)
    yield "IDGM, a step", "its products", ratios, "", f"{1e6 * own:.0f} us alone"


def narrow(rounds):
    """Yield rows for plain operators on few columns over ours, of 16 models."""
    torch.set_num_threads(1)
    inputs = torch.randn(16, 320, HIDDEN[0])
    for width in (3, 10):
        weights = torch.randn(16, HIDDEN[0], width)
        offsets, out = torch.randn(16, width), torch.randn(16, 320, width)
        classes = torch.eye(width)[torch.randint(width, (320,))]
        sides = {
            "forward": (
                partial(torch.baddbmm, offsets[:, None], inputs, weights, out=out),
                partial(affine, inputs, weights, offsets, out),
            ),
            "to the weights": (
                partial(torch.bmm, inputs.mT, out, out=weights),
                partial(back_to_weights, inputs, out, weights),
            ),
            "softmax less targets": (
                partial(lambda f, y: torch.softmax(f, -1) - y, out, classes),
                partial(CROSS_ENTROPY.residual, out, classes),
            ),
        }
        for name, pair in sides.items():
            ratios, own = compare(*pair, 4 * rounds, 100)
            what = f"{name}, {width} columns"
            yield what, "as it stands", ratios, "", f"{1e6 * own:.0f} us"

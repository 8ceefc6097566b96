# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong around a fit: interrupts, other threads, workers, little memory."""

import gc
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import skdg
from quick_fits import NETWORKS, make, make_data, output, snapshot
from skdg._registry import ESTIMATORS

PACKAGE = str(Path(skdg.__file__).parent)
HAS_LOCK = ("few_threads", "_leave")


def fitted_output(name, seed=0):
    X, y, groups = make_data(name, seed=seed)
    return output(make(name).fit(X, y, groups=groups), X)


# An interrupt, at any line


class Interrupter:
    """Count the lines that run in skdg, and raise KeyboardInterrupt at one of them."""

    def __init__(self, at=None):
        self.at = at
        self.n_lines = 0

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)

    def trace(self, frame, event, argument):
        # No interrupt comes between taking a lock and the start of its block, but this
        # one would.
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE) or code.co_name in HAS_LOCK:
            return None
        if event == "line":
            self.n_lines += 1
            if self.n_lines == self.at:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupt_leaves_an_estimator_as_it_was(name):
    X, y, groups = make_data(name)
    fitted = make(name).fit(X[:20], y[:20], groups=groups[:20])
    # Whatever is done once in a process, is done.
    make(name).fit(X, y, groups=groups)
    with Interrupter() as lines:
        make(name).fit(X, y, groups=groups)
    assert lines.n_lines > 20
    for at in np.linspace(1, lines.n_lines - 3, 6).astype(int):
        for model in (make(name), fitted):
            before, threads = snapshot(model), torch.get_num_threads()
            with pytest.raises(KeyboardInterrupt), Interrupter(at):
                model.fit(X, y, groups=groups)
            assert snapshot(model) == before, f"line {at} of {lines.n_lines}"
            assert torch.get_num_threads() == threads


# Other threads and processes


def test_fits_in_two_threads_are_those_of_one():
    names = list(ESTIMATORS) * 2
    expected = {name: fitted_output(name) for name in ESTIMATORS}
    with ThreadPoolExecutor(2) as pool:
        for name, found in zip(names, pool.map(fitted_output, names), strict=True):
            np.testing.assert_array_equal(found, expected[name], err_msg=name)


def check_workers(start_method):
    """Fit here, then in a worker, and compare. Run in a process of its own."""
    names = ["IRMClassifier", "FishRegressor", "MultiTaskLinearSVC", "AnchorRegression"]
    # A fit on several threads, before workers are forked.
    rng = np.random.default_rng(0)
    large = skdg.ERMRegressor(hidden_layer_sizes=(600, 600), max_iter=2)
    X = rng.normal(size=(1000, 20))
    large.fit(X, X[:, 0], groups=np.arange(1000) % 2)
    expected = [fitted_output(name) for name in names]
    with multiprocessing.get_context(start_method).Pool(1) as pool:
        found = pool.map_async(fitted_output, names).get(timeout=120)
    for name, one, two in zip(names, found, expected, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)


# Where torch sees a GPU, autograd starts threads that a forked process does not have.
START_METHODS = ["spawn"] if torch.cuda.is_available() else ["fork", "spawn"]


@pytest.mark.parametrize("start_method", START_METHODS)
def test_workers_fit_the_same_models(start_method):
    result = subprocess.run(
        [sys.executable, __file__, start_method],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "2",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr


# Many fits, and too little memory


@pytest.fixture(scope="module")
def fresh_heap():
    """Let the collector look at new objects alone, not at those of all other tests."""
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("fresh_heap")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_fits_leave_nothing_behind(name):
    counts = []
    for _ in range(3):
        for seed in range(5):
            fitted_output(name, seed)
        gc.collect()
        counts.append(len(gc.get_objects()))
    # What is kept once, such as a compiled pattern, is kept in the first rounds.
    assert counts[2] - counts[1] < 5


LACKING = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."),
    MemoryError("Unable to allocate 37.3 GiB for an array"),
]
CASES = [(name, "fit", LACKING[0]) for name in NETWORKS]
CASES += [
    ("ERMRegressor", method, e) for method in ("fit", "partial_fit") for e in LACKING
]


@pytest.mark.parametrize(("name", "method", "error"), CASES)
def test_a_lack_of_memory_names_the_batch_size(name, method, error, monkeypatch):
    X, y, groups = make_data(name)
    model = make(name, batch_size=7)
    before = snapshot(model)

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(torch, "as_tensor", fail)
    with pytest.raises(MemoryError, match=r"batch_size=7.*float32") as caught:
        getattr(model, method)(X, y, groups=groups)
    assert caught.value.__cause__ is error
    assert snapshot(model) == before


def test_other_errors_of_torch_come_through(monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("the device is on fire")

    monkeypatch.setattr(torch, "as_tensor", fail)
    X, y, groups = make_data("ERMRegressor")
    with pytest.raises(RuntimeError, match="on fire"):
        make("ERMRegressor").fit(X, y, groups=groups)


if __name__ == "__main__":
    check_workers(sys.argv[1])

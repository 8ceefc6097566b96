# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The scripts of benchmarks, on few rows and once each: they must not fall behind.

What they measure stands in tables of the documentation; the tables must have the rows
that the scripts write today.
"""

import csv
import sys
from importlib import import_module

import numpy as np
import pytest
import torch

from benchmarks import gpu, multitask_svm, step_cost, study_speed
from benchmarks.speed import __main__ as speed
from benchmarks.speed import _rounds, _searches, _sizes, _steps, _unit_tests
from benchmarks.textbook import Textbook
from skdg._training import optimizer, recorded_step
from skdg._training.device import few_threads
from skdg._training.optimizer import Optimizer
from tests.training.operator_tape import TapeRecorder

SCRIPTS = [
    *("defaults", "gpu", "irm_sem_original", "long_runs", "make_hotel_rates"),
    *("multitask_svm", "readme_picture", "reproduce.__main__", "school_scales"),
    *("speed.__main__", "step_cost", "study_memory", "study_speed"),
    "unit_test_offsets",
]


@pytest.fixture(autouse=True)
def threads_as_before():
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def once(monkeypatch):
    """Let each side of a comparison have one turn, on little."""

    def seconds(step, times=1, clock=None):
        step()
        return 1.0

    for module in (step_cost, _rounds, _searches, _sizes, _steps, gpu):
        monkeypatch.setattr(module, "seconds", seconds)
    monkeypatch.setattr(_unit_tests, "cpu_time", seconds)
    for module in (_steps, gpu):
        monkeypatch.setattr(module, "LARGE", (60, 8, 5))
    monkeypatch.setattr(_searches, "N_CANDIDATES", 2)
    monkeypatch.setattr(_unit_tests, "N_DRAWS", 2)
    monkeypatch.setattr(_unit_tests, "N_STEPS", 100)
    few = multitask_svm.make_tasks(90, 3, 4)
    monkeypatch.setattr(multitask_svm, "make_tasks", lambda *size: few)


def labels(path, columns):
    with path.open(newline="", encoding="utf-8") as file:
        return [tuple(row[name] for name in columns) for row in csv.DictReader(file)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_what_it_does(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"benchmarks.{script}").main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage:")


def test_the_table_of_steps_has_the_rows_that_are_measured(once, tmp_path, monkeypatch):
    committed, path = step_cost.RESULTS, tmp_path / "step_cost.csv"
    monkeypatch.setattr(step_cost, "RESULTS", path)
    monkeypatch.setattr(sys, "argv", ["step_cost", "--rounds", "1"])
    step_cost.main()
    columns = ("method", "beside", "aim")
    assert labels(path, columns) == labels(committed, columns)


@pytest.mark.parametrize(
    "part",
    [part for part in speed.PARTS if part != "memory" or sys.platform == "linux"],
)
def test_the_table_of_speed_has_the_rows_that_are_measured(
    part, once, tmp_path, monkeypatch
):
    committed, path = speed.RESULTS, tmp_path / "speed.csv"
    monkeypatch.setattr(speed, "RESULTS", path)
    monkeypatch.setattr(sys, "argv", ["speed", "--rounds", "1", "--parts", part])
    speed.main()
    columns = ("part", "what", "beside", "aim")
    expected = [row for row in labels(committed, columns) if row[0] == part]
    assert labels(path, columns) == expected


@pytest.mark.parametrize("part", gpu.PARTS)
def test_the_table_of_the_gpu_has_the_rows_that_are_measured(part, once, monkeypatch):
    recorder = TapeRecorder()
    for module in (optimizer, recorded_step):
        monkeypatch.setattr(module, "recorder_for", lambda device: recorder)
    monkeypatch.setattr(gpu, "DEVICE", "cpu")
    monkeypatch.setattr(gpu, "finished", lambda step, times: [step() for _ in range(3)])
    for name in ("N_CANDIDATES", "N_ITER", "N_MODELS", "N_STEPS"):
        monkeypatch.setattr(gpu, name, 3)
    found = [(part, *row[:2]) for row in gpu.PARTS[part](1)]
    columns = ("part", "what", "precision")
    committed = [row for row in labels(gpu.RESULTS, columns) if row[0] == part]
    assert committed
    assert set(committed) <= set(found)  # a GPU was at hand for some of them
    assert recorder.n_replayed > 0


@few_threads(0)
@pytest.mark.parametrize(("name", "way"), [("ERM", "erm"), ("IDGM", "idgm")])
def test_a_textbook_step_is_ours(name, way, monkeypatch):
    kept = []

    class Kept(Optimizer):
        def __init__(self, parameters, *arguments):
            super().__init__(parameters, *arguments)
            kept.append(parameters)

    monkeypatch.setattr(step_cost, "Optimizer", Kept)
    X, y, groups = step_cost.data()
    ours = step_cost.ours(name, X, y, groups)
    theirs = Textbook(X, y, step_cost.N_DOMAINS, step_cost.HIDDEN)
    (flat,) = kept
    weights = list(theirs.model.parameters())
    with torch.no_grad():
        used = 0
        for layer in theirs.model[::2]:
            for value in (layer.weight, layer.bias):
                part = flat[used : used + value.numel()]
                used += value.numel()
                value.copy_(
                    part.view(value.shape[::-1]).mT if value.ndim == 2 else part
                )
    assert used == flat.numel()
    for _ in range(5):
        ours()
        getattr(theirs, way)()
    with torch.no_grad():
        expected = torch.cat([v.mT.flatten() if v.ndim == 2 else v for v in weights])
    np.testing.assert_allclose(flat, expected, atol=2e-5)


def test_a_study_is_the_same_whether_candidates_train_side_by_side(monkeypatch):
    options = ["--max-rows", "60", "--max-domains", "3"]
    table = study_speed.load_table(study_speed.make_parser().parse_args(options))
    with monkeypatch.context() as patch:
        patch.setattr("skdg.study._plan.block_of", study_speed.by_themselves)
        _, alone = study_speed.study(table, "IRM", (), 3)
    _, together = study_speed.study(table, "IRM", (), 3)
    np.testing.assert_allclose(together["unseen"], alone["unseen"], rtol=1e-6)


def test_the_table_of_the_machine_has_the_ways_that_are_measured(once, capsys):
    rows = multitask_svm.compare((90, 3, 4), 1)
    columns = ("way",)
    found = {(row[4],) for row in rows}
    assert found == set(labels(multitask_svm.RESULTS, columns))
    excess = [row[-1] for row in rows]
    np.testing.assert_allclose(excess, 0, atol=1e-3)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import os
import signal
from concurrent.futures import BrokenExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import ThreadingBackend
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skdg.study import run_study


def study(output, **options):
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c", "d"], 60)
    X = rng.normal(size=(240, 5))
    y = (X[:, 0] + rng.normal(size=240) > 0).astype(int)
    return run_study(
        {
            "trees": ExtraTreesClassifier(30),  # slow enough to be interrupted
            "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        },
        X,
        y,
        groups,
        selection=["training-domain", "leave-one-domain-out"],
        param_distributions={"trees": {"max_depth": [1, 2, 3]}},
        n_candidates=2,
        n_seeds=2,
        output=output,
        **options,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return study(tmp_path_factory.mktemp("alone"))


def assert_same(result, expected):
    frame = result.frame()
    assert set(frame["error"]) == {""}
    pd.testing.assert_frame_equal(
        frame.drop(columns="seconds"),
        expected.frame().drop(columns="seconds"),
        check_exact=True,
    )


# Whether fits have to run again depends on which worker had the data.
@pytest.mark.filterwarnings("ignore:A worker was lost")
def test_a_worker_of_a_cluster_is_killed_and_the_table_is_the_same(alone, tmp_path):
    killed = []

    def kill_one_worker(n_done, n_fits, row):
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        if n_done >= n_fits // 4 and busy and not killed:
            killed.extend(client.run(os.getpid, workers=busy[:1]).values())
            os.kill(killed[0], signal.SIGKILL)

    with (
        LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            host="127.0.0.1",
            local_directory=tmp_path,
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        pids = set(client.run(os.getpid).values())
        result = study(tmp_path / "cluster", callback=kill_one_worker)
    assert len(pids) == 3
    assert len(killed) == 1
    assert set(killed) < pids - {os.getpid()}
    assert_same(result, alone)


def test_fits_of_a_lost_process_run_again(alone, tmp_path):
    killed = []

    def kill_one_process(n_done, n_fits, row):
        if n_done >= n_fits // 4 and not killed:
            killed.extend(get_reusable_executor(reuse=True)._processes)
            os.kill(killed[0], signal.SIGKILL)

    with pytest.warns(RuntimeWarning, match="A worker was lost"):
        result = study(tmp_path, callback=kill_one_process, n_jobs=2)
    assert killed
    assert_same(result, alone)


def test_a_backend_that_gives_all_results_at_the_end(alone, tmp_path):
    class AtTheEnd(ThreadingBackend):
        supports_return_generator = False

    joblib.register_parallel_backend("at the end", AtTheEnd)
    with (
        joblib.parallel_config("at the end", n_jobs=2),
        threadpool_limits(1),
    ):
        result = study(tmp_path)
    assert_same(result, alone)


def test_a_study_that_loses_all_its_processes_stops(monkeypatch, tmp_path):
    class Broken:
        def __init__(self, **options):
            pass

        def __call__(self, tasks):
            raise BrokenExecutor

    monkeypatch.setattr("skdg.study._schedule.Parallel", Broken)
    with pytest.raises(BrokenExecutor):
        study(tmp_path)

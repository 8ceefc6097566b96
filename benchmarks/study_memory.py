# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Memory of the workers of a study of a large table.

    python -m benchmarks.study_memory

A million rows of 40 numbers, five domains, two workers. Workers map the table, so that
they share one copy of it; what is counted is what each has for itself, beyond what it
has once everything is imported. Linux only. The page "Studies" of the documentation
quotes what it prints.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import ERMClassifier
from skdg.study import run_study

MEGABYTE = 2**20


def own_bytes(pid: int) -> int:
    """Return the memory of a process but for what it maps, which is there once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:  # it has ended
        return 0
    fields = dict(line.split(":") for line in lines.splitlines()[1:])
    return 1024 * int(fields["Anonymous"].split()[0])


def import_all(number: int) -> None:
    """Load what fits need, and give the other worker time to do so too."""
    ERMClassifier(max_iter=2).fit(
        np.random.default_rng(number).normal(size=(40, 2)),
        np.arange(40) % 2,
        groups=np.arange(40) % 4,
    )
    time.sleep(5)


def workers() -> list[int]:
    return list(get_reusable_executor(reuse=True)._processes)


def watch(peaks: dict[int, int], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        for pid in workers():
            peaks[pid] = max(peaks.get(pid, 0), own_bytes(pid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--max-iter", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(arguments.rows, arguments.columns))
    y = (X[:, 0] + rng.normal(size=arguments.rows) > 0).astype(np.int8)
    groups = np.repeat(np.arange(5), arguments.rows // 5)
    groups = np.append(groups, [0] * (arguments.rows - len(groups)))
    estimators = {
        "ERM": ERMClassifier(max_iter=arguments.max_iter),
        "logistic": make_pipeline(
            StandardScaler(copy=False), LogisticRegression(max_iter=arguments.max_iter)
        ),
    }
    table = X.nbytes / MEGABYTE
    print(f"table: {arguments.rows} rows, {table:.0f} MB")
    for name, estimator in estimators.items():
        get_reusable_executor(reuse=True).shutdown(wait=True)
        Parallel(n_jobs=2)(delayed(import_all)(number) for number in range(2))
        before = {pid: own_bytes(pid) for pid in workers()}
        peaks: dict[int, int] = {}
        stop = threading.Event()
        watcher = threading.Thread(target=watch, args=(peaks, stop))
        watcher.start()
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            result = run_study(
                {name: estimator},
                X,
                y,
                groups,
                n_candidates=arguments.candidates,
                n_seeds=1,
                n_jobs=2,
                output=folder,
            )
        seconds = time.perf_counter() - begun
        stop.set()
        watcher.join()
        errors = set(result.frame()["error"])
        assert errors == {""}, errors
        for pid, start in before.items():
            own = (peaks.get(pid, start) - start) / MEGABYTE
            print(
                f"{name}: a worker's own memory {own:.0f} MB, {own / table:.2f} times "
                f"the table ({start / MEGABYTE:.0f} MB before); {seconds:.0f} s"
            )


if __name__ == "__main__":
    main()

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Memory in the long run: a thousand fits in one process, and five million rows.

``python -m benchmarks.long_runs fits`` fits small models of several kinds again and
again, and reports how the process grows. ``python -m benchmarks.long_runs rows`` writes
a table of five million rows and 50 columns in single precision into a temporary file,
maps it into memory, fits to it and predicts, and reports the peak beside the size of
the table. Linux only: memory is read from /proc.
"""

import argparse
import gc
import tempfile
import time

import numpy as np

import skdg

NAMES = [
    "IRMClassifier",
    "FishRegressor",
    "DANNClassifier",
    "MultiTaskNetworkRegressor",
]
NAMES += ["MultiTaskLinearSVC", "MultiTaskLinearRegressor", "AnchorRegression"]
N_ROWS, N_FEATURES = 5_000_000, 50


def megabytes(field):
    """Return a size of this process, in MB, such as "VmRSS" or "VmHWM" (its peak)."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines[field].split()[0]) / 1024


def many_fits(n_fits):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(200, 10)), np.arange(200) % 4
    print("fits  MB  objects")
    for i in range(n_fits + 1):
        name = NAMES[i % len(NAMES)]
        model = getattr(skdg, name)()
        quick = {"max_iter": 20, "random_state": i}
        model.set_params(**{k: v for k, v in quick.items() if k in model.get_params()})
        labeled = name.endswith(("Classifier", "SVC"))
        model.fit(X, X[:, 0] > 0 if labeled else X[:, 0], groups=groups).predict(X)
        if i % 200 == 0 or i == 50:
            gc.collect()
            print(
                f"{i:4} {megabytes('VmRSS'):4.0f}  {len(gc.get_objects())}", flush=True
            )


def many_rows():
    with tempfile.NamedTemporaryFile() as file:
        shape = (N_ROWS, N_FEATURES)
        X = np.memmap(file.name, np.float32, "w+", shape=shape)
        rng = np.random.default_rng(0)
        for first in range(0, N_ROWS, 100_000):
            X[first : first + 100_000] = rng.normal(size=(100_000, N_FEATURES))
        X.flush()
        y, groups = np.array(X[:, 0] > 0), rng.integers(0, 5, N_ROWS)
        X = np.memmap(file.name, np.float32, "r", shape=shape)
        table = X.nbytes / 2**20
        print(f"table {table:.0f} MB, before the fit {megabytes('VmHWM'):.0f} MB")
        began = time.perf_counter()
        model = skdg.VRExClassifier(max_iter=500, random_state=0)
        model.fit(X, y, groups=groups)
        print(f"fit: {time.perf_counter() - began:.0f} s, ", end="")
        print(f"peak {megabytes('VmHWM'):.0f} MB (pages of the file included)")
        began = time.perf_counter()
        accuracy = np.mean(model.predict(X) == y)
        print(f"predict: {time.perf_counter() - began:.0f} s, ", end="")
        print(f"accuracy {accuracy:.3f}, peak {megabytes('VmHWM'):.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fits", "rows"])
    parser.add_argument("--n-fits", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.what == "fits":
        many_fits(arguments.n_fits)
    else:
        many_rows()


if __name__ == "__main__":
    main()

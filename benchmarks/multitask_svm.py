# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Speed of the multi-task support vector machine against what else one could write.

    python benchmarks/multitask_svm.py                       # 10 000 x 20 x 50
    python benchmarks/multitask_svm.py --size 50000 20 100
    python benchmarks/multitask_svm.py --million             # time and memory only
    python benchmarks/multitask_svm.py --parts --size 50000 20 100

All ways solve the same problem, without offset: ours; cvxpy with one term per task and
CLARABEL; scikit-learn's LinearSVC on the feature map of Evgeniou and Pontil, at its
default tolerance. On such problems LinearSVC does not reach that tolerance in its
default 1000 iterations, nor in 100 000; it is given 10 000, and the last column says
how far it got. All are run in turn, several times; ratios are those of one round.

``--parts`` tells where the time of a fit goes: what cvxpy needs to make the program and
to read its solution, what the solver needs, and the arithmetic that no interior-point
method can do without, n d^2 multiplications a step for the tasks' matrices X' D X,
timed as that many products of numpy. It writes multitask_svm_parts.csv.
"""

import argparse
import csv
import platform
import time
import warnings
from pathlib import Path
from unittest import mock

import cvxpy
import numpy as np
import sklearn
from scipy import sparse
from sklearn.svm import LinearSVC

from skdg import MultiTaskLinearSVC

LAMBDA_SHARED = LAMBDA_TASK = 1.0
COLUMNS = ["n", "d", "T", "rounds", "way", "seconds"]
COLUMNS += ["ratio", "ratio_min", "ratio_max", "excess"]
RESULTS = Path(__file__).parent / "results" / "multitask_svm.csv"
PARTS = RESULTS.with_name("multitask_svm_parts.csv")
PARTS_COLUMNS = ["n", "d", "T", "rounds", "part", "seconds", "share", "min", "max"]


def make_tasks(n_samples, n_features, n_tasks, seed=0):
    rng = np.random.RandomState(seed)
    shared = rng.normal(size=n_features)
    coefs = shared + 0.5 * rng.normal(size=(n_tasks, n_features))
    groups = rng.randint(n_tasks, size=n_samples)
    X = rng.normal(size=(n_samples, n_features))
    noise = 0.3 * rng.normal(size=n_samples)
    y = np.where(np.einsum("ij,ij->i", X, coefs[groups]) + noise > 0, 1, -1)
    return X, y, groups


def ours(X, y, groups, **options):
    model = MultiTaskLinearSVC(
        lambda_shared=LAMBDA_SHARED,
        lambda_task=LAMBDA_TASK,
        fit_intercept=False,
        **options,
    )
    return model.fit(X, y, groups=groups).objective_


def term_per_task(X, y, groups):
    n_tasks = groups.max() + 1
    w0, V = cvxpy.Variable(X.shape[1]), cvxpy.Variable((n_tasks, X.shape[1]))
    objective = LAMBDA_SHARED * cvxpy.sum_squares(w0)
    objective += LAMBDA_TASK / n_tasks * cvxpy.sum_squares(V)
    for t in range(n_tasks):
        rows = groups == t
        margins = cvxpy.multiply(y[rows], X[rows] @ (w0 + V[t]))
        objective += cvxpy.sum(cvxpy.pos(1 - margins))
    problem = cvxpy.Problem(cvxpy.Minimize(objective))
    problem.solve(solver="CLARABEL")
    return problem.value


def feature_map(X, y, groups):
    (n, d), n_tasks = X.shape, groups.max() + 1
    mu = n_tasks * LAMBDA_SHARED / LAMBDA_TASK
    columns = groups[:, None] * d + np.arange(d)
    own = sparse.csr_matrix(
        (X.ravel(), columns.ravel(), np.arange(0, n * d + 1, d)), (n, n_tasks * d)
    )
    mapped = sparse.hstack([sparse.csr_matrix(X / np.sqrt(mu)), own], format="csr")
    C = n_tasks / (2 * LAMBDA_TASK)
    model = LinearSVC(
        loss="hinge", C=C, fit_intercept=False, max_iter=10_000, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        w = model.fit(mapped, y).coef_[0]
    losses = np.maximum(0, 1 - y * (mapped @ w)).sum()
    return losses + LAMBDA_TASK / n_tasks * w @ w


WAYS = {"ours": ours, "term per task": term_per_task, "feature map": feature_map}


def compare(size, repeats):
    data = make_tasks(*size)
    seconds = {name: [] for name in WAYS}
    objectives = {}
    for _ in range(repeats):
        for name, way in WAYS.items():
            began = time.perf_counter()
            objectives[name] = way(*data)
            seconds[name].append(time.perf_counter() - began)
    best = objectives["ours"]
    rows = []
    print(
        f"n, d, T = {size}; {repeats} rounds, sklearn {sklearn.__version__}, ", end=""
    )
    print(f"cvxpy {cvxpy.__version__}, {platform.machine()}")
    print(
        f"{'':16s}{'seconds':>9s}{'/ ours: median':>16s}{'min':>7s}{'max':>7s}", end=""
    )
    print(f"{'objective above ours':>22s}")
    for name in WAYS:
        ratio = np.array(seconds[name]) / np.array(seconds["ours"])
        excess = objectives[name] / best - 1
        row = [np.median(seconds[name]), np.median(ratio), ratio.min(), ratio.max()]
        rows.append([*size, repeats, name, *row, excess])
        print(
            f"{name:16s}{row[0]:9.2f}{row[1]:16.2f}{row[2]:7.2f}{row[3]:7.2f}", end=""
        )
        print(f"{excess:22.1e}")
    return rows


def products(X, groups):
    """Return the seconds that the tasks' matrices X' D X take, once each."""
    tasks = [X[groups == t] for t in range(groups.max() + 1)]
    diagonals = [np.full((len(rows), 1), 0.5) for rows in tasks]
    began = time.perf_counter()
    for rows, diagonal in zip(tasks, diagonals, strict=True):
        (rows * diagonal).T @ rows
    return time.perf_counter() - began


def parts(size, repeats):
    """Return where the time of a fit goes, as shares of it."""
    X, y, groups = make_tasks(*size)
    programs = []
    solve = cvxpy.Problem.solve

    def noted(program, *args, **options):
        began = time.perf_counter()
        value = solve(program, *args, **options)
        programs.append((program, time.perf_counter() - began))
        return value

    table = []
    with mock.patch.object(cvxpy.Problem, "solve", noted):
        for _ in range(repeats):
            began = time.perf_counter()
            ours(X, y, groups, solver="PIQP", solver_options={"compute_timings": True})
            whole = time.perf_counter() - began
            program, within = programs.pop()
            info = program.solver_stats.extra_stats["solution"].info
            table.append(
                {
                    "a fit": whole,
                    "checks of input, gap": whole - within,
                    "cvxpy: makes the program, reads its solution": within
                    - info.run_time,
                    "PIQP": info.run_time,
                    f"PIQP: {info.iter} factorizations": info.kkt_factor_time,
                    "PIQP: solves with the factors": info.kkt_solve_time,
                    f"n d^2 products, {info.iter} times": info.iter
                    * products(X, groups),
                }
            )
    rows = []
    for name in table[0]:
        shares = np.array([each[name] / each["a fit"] for each in table])
        row = [np.median([each[name] for each in table])]
        row += [np.median(shares), shares.min(), shares.max()]
        print("{:46s}{:9.3f} s, {:.3f} ({:.3f}-{:.3f}) of a fit".format(name, *row))
        rows.append([*size, repeats, name, *(f"{value:.4f}" for value in row)])
    return rows


def save(rows):
    RESULTS.parent.mkdir(exist_ok=True)
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=3, type=int, default=[10_000, 20, 50])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--parts", action="store_true", help="where the time goes")
    parser.add_argument("--save", action="store_true", help=f"append to {RESULTS.name}")
    arguments = parser.parse_args()
    if arguments.million:
        import resource  # Windows has none

        data = make_tasks(1_000_000, 20, 1000)
        began = time.perf_counter()
        ours(*data)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"1 000 000 x 20, 1000 tasks: {time.perf_counter() - began:.0f} s, ", end=""
        )
        print(f"{peak:.1f} GiB at the peak")
        return
    if arguments.parts:
        rows = parts(tuple(arguments.size), arguments.repeats)
        with PARTS.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([PARTS_COLUMNS, *rows])
        return
    rows = compare(tuple(arguments.size), arguments.repeats)
    if arguments.save:
        save(rows)


if __name__ == "__main__":
    main()

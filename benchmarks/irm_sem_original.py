# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What the published errors of IRM on structural equation models depend on.

    python -m benchmarks.irm_sem_original

The published protocol, on draws of `make_irm_sem`: a matrix that starts from the
identity, under a fixed vector of ones; Adam with steps of 0.001, 100 000 of them, on
the first two environments; the sum of their risks weighed with a share, and that of
their penalties with the rest; of six shares the one with the lowest error on the third
environment. Then the same with one thing changed at a time, and "IRM, selected" of
`benchmarks.reproduce`, with its weights and without 0 among them.

Risks are quadratic, so that training sees second moments alone, and settings, draws and
shares train side by side. ``results/irm_sem_original.csv`` has means over draws, and
how often the chosen penalty was the smallest one on offer. One core takes about seven
minutes.
"""

import argparse
import csv
from itertools import product

import numpy as np
import torch
from torch import Tensor

from benchmarks.reproduce._driver import RESULTS
from benchmarks.reproduce.irm_sem import (
    PUBLISHED,
    WEIGHTS,
    first_two,
    irm_coefs,
    third_error,
)
from skdg.datasets import irm_sem_errors, make_irm_sem

SETTINGS = list(dict.fromkeys(setting for setting, _ in PUBLISHED))
SEEDS = range(5000, 5020)
# Shares of the risk, the published ones and least squares. The larger the share, the
# smaller the penalty.
SHARES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
N_ITERATIONS = 100_000
FEWER = 10_000
STEP = 1e-3


def moments(tables: list) -> tuple[Tensor, Tensor]:
    """Return second moments in the first two environments, one pair for each table.

    Parameters
    ----------
    tables : list of (X, y, groups)
        Rows of all environments.

    Returns
    -------
    of_features : Tensor of shape (n_tables, 2, n_features, n_features)
        Mean products of two features.

    with_target : Tensor of shape (n_tables, 2, n_features)
        Mean products of a feature and the target.
    """
    parts = [
        [(X[groups == name], y[groups == name]) for name in np.unique(groups)[:2]]
        for X, y, groups in tables
    ]
    of_features = [[X.T @ X / len(X) for X, _ in both] for both in parts]
    with_target = [[X.T @ y / len(X) for X, y in both] for both in parts]
    return tuple(
        torch.tensor(np.array(values), dtype=torch.float32)
        for values in (of_features, with_target)
    )


def gradient(
    phi: Tensor, of_features: Tensor, with_target: Tensor, share: Tensor
) -> Tensor:
    """Return the gradient of the published objective in the matrix under the ones.

    Half the gradient of a risk in the ones is the matrix, transposed, times r: mean
    products of features and residuals. The penalty is the mean square of the gradient.

    Parameters
    ----------
    phi : Tensor of shape (n_models, n_features, n_columns)
        The matrices. One column makes the ones a scalar.

    of_features : Tensor of shape (n_models, 2 * n_features, n_features)
        Mean products of two features, the environments below each other.

    with_target : Tensor of shape (n_models, 2 * n_features, 1)
        Mean products of a feature and the target.

    share : Tensor of shape (n_models, 1, 1)
        Weight of the sum of risks; that of the sum of penalties is 1 less the share.
    """
    n_models, n_features, n_columns = phi.shape
    r = torch.baddbmm(with_target, of_features, phi.sum(2, keepdim=True), beta=-1)
    r = r.view(n_models, -1, n_features)
    slopes = torch.bmm(r, phi)
    back = torch.bmm(slopes, phi.mT).reshape(n_models, -1, 1)
    of_penalty = torch.bmm(r.mT, slopes) + torch.bmm(of_features.mT, back)
    of_risk = r.sum(1).unsqueeze(2)
    return 8.0 / n_columns * (1.0 - share) * of_penalty + 2.0 * share * of_risk


def train(tables: list, phi: Tensor, shares: tuple) -> dict[int, np.ndarray]:
    """Return the coefficients after some numbers of iterations.

    Parameters
    ----------
    tables : list of (X, y, groups)
        Rows of all environments.

    phi : Tensor of shape (n_features, n_columns) or (n_tables, n_features, n_columns)
        Where to start.

    shares : tuple of float
        Weights of the risk.

    Returns
    -------
    coefs : dict of ndarray of shape (n_tables, n_shares, n_features)
        The coefficients by the number of iterations.
    """
    n_tables, n_shares = len(tables), len(shares)
    of_features, with_target = (
        values.flatten(1, 2).repeat_interleave(n_shares, 0)
        for values in moments(tables)
    )
    share = torch.tensor(shares).repeat(n_tables).view(-1, 1, 1)
    phi = phi.expand(n_tables, *phi.shape[-2:]).repeat_interleave(n_shares, 0)
    adam = torch.optim.Adam([phi], lr=STEP, fused=True)
    found = {}
    for iteration in range(1, N_ITERATIONS + 1):
        phi.grad = gradient(phi, of_features, with_target.unsqueeze(2), share)
        adam.step()
        if iteration in (FEWER, N_ITERATIONS):
            found[iteration] = phi.sum(2).view(n_tables, n_shares, -1).double().numpy()
    return found


def main() -> None:
    """Train, print the table and write it."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    drawn = [
        make_irm_sem(setting, return_coef=True, random_state=seed)
        for setting, seed in product(SETTINGS, SEEDS)
    ]
    tables = [own[:3] for own in drawn]
    rows = []

    def compare(what: str, coefs: np.ndarray, smallest: int | None = None) -> None:
        """Add a line for each setting; the axis after that of draws is that of weights.

        Parameters
        ----------
        what : str
            What was done.

        coefs : ndarray of shape (n_tables, n_weights, n_features)
            Coefficients to choose from.

        smallest : int, default=None
            Where the smallest penalty is; None if there was nothing to choose.
        """
        chosen = [
            int(np.argmin([third_error(coef, table) for coef in own]))
            for own, table in zip(coefs, tables, strict=True)
        ]
        errors = np.array(
            [
                irm_sem_errors(own[best], *draw[3:])
                for own, best, draw in zip(coefs, chosen, drawn, strict=True)
            ]
        ).reshape(len(SETTINGS), len(SEEDS), 2)
        took_smallest = (np.array(chosen) == smallest).reshape(errors.shape[:2])
        for setting, own, took in zip(SETTINGS, errors, took_smallest, strict=True):
            published = [mean for mean, _ in PUBLISHED[setting, "IRM"].values()]
            share = "" if smallest is None else f"{took.mean():.2f}"
            cells = [own.mean(0)[0], own.std(0)[0], own.mean(0)[1], own.std(0)[1]]
            cells = [f"{value:.4f}" for value in cells]
            rows.append([what, setting, *cells, *published, share])
            print(*rows[-1], sep="\t", flush=True)

    features = tables[0][0].shape[1]
    found = train(tables, torch.eye(features), SHARES)
    published = found[N_ITERATIONS][:, :-1]
    compare("as published", published, len(SHARES) - 2)
    compare("least squares among the choices", found[N_ITERATIONS], len(SHARES) - 1)
    compare("a tenth of the iterations", found[FEWER][:, :-1], len(SHARES) - 2)
    for number, share in enumerate(SHARES[:-1]):
        compare(f"nothing chosen, share {share:g}", published[:, [number]])
    scalar = train(tables, torch.ones(features, 1), SHARES)[N_ITERATIONS]
    compare("scalar", scalar[:, :-1], len(SHARES) - 2)
    compare("scalar, least squares among the choices", scalar, len(SHARES) - 1)
    start = torch.randn(
        len(tables), features, features, generator=torch.Generator().manual_seed(0)
    )
    random = train(tables, start / features**0.5, SHARES[:-1])[N_ITERATIONS]
    compare("random start", random, len(SHARES) - 2)
    for number, share in enumerate(SHARES[:-1]):
        compare(f"random start, nothing chosen, share {share:g}", random[:, [number]])
    ours = irm_coefs([first_two(table) for table in tables], WEIGHTS)
    compare("IRM, selected", ours, 0)
    compare("IRM, selected, without 0", ours[:, 1:], 0)
    for number, weight in enumerate(WEIGHTS):
        compare(f"IRM, two environments, weight {weight:g}", ours[:, [number]])

    header = ["what", "setting", "causal", "causal sd", "non-causal", "non-causal sd"]
    header += ["published causal", "published non-causal", "smallest penalty chosen"]
    with (RESULTS / "irm_sem_original.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()

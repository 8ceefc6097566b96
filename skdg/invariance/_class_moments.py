# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Directions in which the moments of classes vary between domains."""

import numpy as np

# Less variation than so much of the largest one is rounding.
_ROUNDING = 1e-12


def between_domain_scatter(
    X: np.ndarray, y: np.ndarray, codes: np.ndarray, weight: np.ndarray, moment: str
) -> np.ndarray:
    """Return how much class-conditional moments vary between domains, by direction.

    A positive semidefinite matrix of shape (n_features, n_features): summed over
    classes, the scatter of the domains' means ("mean"), or the sum of squared
    differences of their covariances from the average one ("covariance").
    """
    n_features = X.shape[1]
    scatter = np.zeros((n_features, n_features))
    for label in np.unique(y):
        rows = [
            np.flatnonzero((y == label) & (codes == code)) for code in np.unique(codes)
        ]
        parts = [(X[own], weight[own]) for own in rows if len(own)]
        if moment == "mean":
            means = np.array([np.average(x, axis=0, weights=w) for x, w in parts])
            deviations = means - means.mean(axis=0)
            scatter += deviations.T @ deviations
            continue
        covariances = np.array(
            [
                np.cov(x.T, aweights=w, ddof=0).reshape(2 * [n_features])
                for x, w in parts
                if (x != x[0]).any()
            ]
        )
        if len(covariances):
            differences = covariances - covariances.mean(axis=0)
            scatter += (differences @ differences).sum(axis=0)
    return scatter


def split_directions(
    X: np.ndarray,
    y: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    moment: str,
    n_spurious: int | str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the space of features where class-conditional moments vary most.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.

    y, codes, weight : ndarray of shape (n_samples,)
        Class, domain and weight of each row.

    moment : {"mean", "covariance"}
        What varies.

    n_spurious : int or "auto"
        Number of directions in the part that varies most; "auto" for as many as the
        domains can tell apart by their means, leaving at least one, and all that do
        not vary.

    Returns
    -------
    values : ndarray of shape (n_features,)
        Variation along each direction, in descending order.

    spurious : ndarray of shape (n_spurious, n_features)
        Orthonormal directions of the part that varies most.

    others : ndarray of shape (n_features - n_spurious, n_features)
        Those of the rest.

    Raises
    ------
    ValueError
        If nothing would be left.
    """
    n_features = X.shape[1]
    scatter = between_domain_scatter(X, y, codes, weight, moment)
    values, vectors = np.linalg.eigh(scatter)
    values = values[::-1]
    if isinstance(n_spurious, str):
        # What rounding leaves of directions without variation is no direction.
        size = np.abs(X).max() ** (1 if moment == "mean" else 2)
        least = max(_ROUNDING * values[0], (100 * np.finfo(float).eps * size) ** 2)
        n_varied = np.sum(values > least)
        n_spurious = min(len(np.unique(codes)) - 1, n_features - 1, int(n_varied))
    if n_spurious >= n_features:
        raise ValueError(
            f"n_spurious={n_spurious} would remove all of the {n_features} features of "
            f"X; it must be smaller."
        )
    directions = vectors.T[::-1].astype(X.dtype, order="C")
    return values, directions[:n_spurious], directions[n_spurious:]

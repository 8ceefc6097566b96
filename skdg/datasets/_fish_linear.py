# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The linear problem of four binary features that motivates gradient matching."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from skdg._random import RandomState, private_rng

_DOMAINS = ("train_1", "train_2", "test")
# Percent of the rows of a domain, in the order: no feature on; the first and the
# domain's own feature on; the first alone with y = 1; the first alone with y = 0.
_PERCENT = np.array([50, 40, 3, 7])
_TARGETS = np.array([0, 1, 1, 0])


def _exact_counts(n_samples: int) -> np.ndarray:
    """Share n_samples out by `_PERCENT`, by the method of largest remainders."""
    hundredths = n_samples * _PERCENT
    counts = hundredths // 100
    missing = n_samples - counts.sum()
    counts[np.argsort(-(hundredths % 100), kind="stable")[:missing]] += 1
    return counts


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_fish_linear(
    n_samples: int = 100, *, random_state: RandomState = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate the linear problem on which Fish was introduced.

    The first of four binary features predicts the target moderately well in every
    domain. In each domain one of the other three predicts it better, but a different
    one each time. What is best on the two training domains therefore fails on the test
    domain.

    Parameters
    ----------
    n_samples : int, default=100
        Number of rows in each of the three domains.

    random_state : int, RandomState instance or None, default=None
        Determines the order of the rows within each domain, and nothing else. Pass an
        int for the same order at every call. None leaves the global generator of numpy
        alone.

    Returns
    -------
    X : ndarray of shape (3 * n_samples, 4)
        The features, 0.0 or 1.0.

    y : ndarray of shape (3 * n_samples,)
        The target, 0 or 1.

    groups : ndarray of shape (3 * n_samples,)
        The domain of each row: "train_1", "train_2" or "test", in this order.

    See Also
    --------
    make_irm_sem : Regression with causes and effects of the target.
    make_linear_unit_test : Six linear problems with spurious features.

    Notes
    -----
    Each domain consists of

    ======== ======================= =====================================
    share    features                target
    ======== ======================= =====================================
    50 %     (0, 0, 0, 0)            0
    40 %     see below               1
    10 %     (1, 0, 0, 0)            1 in 30 % of these rows, 0 in 70 %
    ======== ======================= =====================================

    where the features of the second line are (1, 1, 0, 0) in "train_1", (1, 0, 1, 0) in
    "train_2" and (1, 0, 0, 1) in "test".

    The proportions are exact, not drawn: they hold to the row when `n_samples` is a
    multiple of 100. Otherwise every count is rounded down, and the rows still missing
    go to the counts with the largest remainders, ties in the order of the table.

    With a linear model, trusting the features 2 and 3 gives an accuracy of 97 % on the
    training domains and 57 % on the test domain. Trusting the first feature alone
    gives 93 % on all three. Empirical risk minimization finds the first solution,
    inter-domain gradient matching can find the second [1]_.

    References
    ----------
    .. [1] Y. Shi, J. Seely, P. H. S. Torr, N. Siddharth, A. Hannun, N. Usunier and
       G. Synnaeve, "Gradient Matching for Domain Generalization", International
       Conference on Learning Representations, 2022.

    Examples
    --------
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> X.shape
    (300, 4)
    >>> test = groups == "test"
    >>> print(X[test].mean(axis=0), y[test].mean())
    [0.5 0.  0.  0.4] 0.43
    """
    rng = private_rng(random_state)
    counts = _exact_counts(n_samples)
    X, y = [], []
    for own_feature in (1, 2, 3):
        rows = np.zeros((len(counts), 4))
        rows[1:, 0] = 1.0
        rows[1, own_feature] = 1.0
        order = rng.permutation(n_samples)
        X.append(np.repeat(rows, counts, axis=0)[order])
        y.append(np.repeat(_TARGETS, counts)[order])
    return np.concatenate(X), np.concatenate(y), np.repeat(_DOMAINS, n_samples)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The structural equation model of invariant risk minimization."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import ortho_group
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skdg._random import RandomState, private_rng
from skdg.datasets._common import check_levels

_SETTINGS = {"FOU", "FOS", "FEU", "FES", "POU", "POS", "PEU", "PES"}


@validate_params(
    {
        "setting": [StrOptions(_SETTINGS)],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 2, None, closed="left")],
        "stds": ["array-like"],
        "return_coef": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_irm_sem(
    setting: str = "FEU",
    n_samples: int = 1000,
    *,
    n_features: int = 10,
    stds: ArrayLike = (0.2, 2.0, 5.0),
    return_coef: bool = False,
    random_state: RandomState = None,
) -> tuple[np.ndarray, ...]:
    r"""Generate a regression from causes and effects of the target.

    Half of the features cause the target, the other half are caused by it. Only the
    regression on the causes is the same in every domain: the domains differ in how
    strong the noise is, and with it in how well the effects predict the target.

    Parameters
    ----------
    setting : {"FOU", "FOS", "FEU", "FES", "POU", "POS", "PEU", "PES"}, default="FEU"
        Three letters that choose the variant.

        - "F" (fully observed): no hidden confounder. "P" (partially observed): a hidden
          variable acts on causes, target and effects.
        - "O" (homoskedastic): the noise of the target is the same in all domains, that
          of the effects varies. "E" (heteroskedastic): the other way round.
        - "U" (unscrambled): the features are the causes, then the effects. "S"
          (scrambled): they are mixed by a random rotation.

    n_samples : int, default=1000
        Number of rows in each domain.

    n_features : int, default=10
        Number of features, even: half of them are causes, half effects.

    stds : array-like of float, default=(0.2, 2.0, 5.0)
        Standard deviation e of the noise that defines a domain, one for each domain,
        all positive and different. It is also the name of the domain in `groups`.

    return_coef : bool, default=False
        If True, return the true coefficients and the matrix that undoes the scrambling
        as well.

    random_state : int, RandomState instance or None, default=None
        Determines the mixing matrices and the noise. Pass an int for the same output at
        every call. None leaves the global generator of numpy alone.

    Returns
    -------
    X : ndarray of shape (n_domains * n_samples, n_features)
        The features.

    y : ndarray of shape (n_domains * n_samples,)
        The target.

    groups : ndarray of shape (n_domains * n_samples,)
        The domain of each row: the entry of `stds` with which it was drawn. Domains
        follow each other in the order of `stds`.

    coef : ndarray of shape (n_features,)
        The causal coefficients of the features as they are in `X`. Only if
        `return_coef=True`.

    unscramble : ndarray of shape (n_features, n_features)
        Orthogonal matrix U for which ``X @ U.T`` holds the causes, then the effects,
        and ``U @ w`` is a coefficient vector w of `X` in these terms. The identity in
        the unscrambled settings. Only if `return_coef=True`.

    See Also
    --------
    irm_sem_errors : The two errors of estimated coefficients.
    make_linear_unit_test : Six more linear problems, one of this kind.

    Notes
    -----
    With d = `n_features` / 2, rows of length d, all noise standard normal and
    independent, and e the standard deviation of the domain,

    .. math::

        h &= e\,\eta_h, \qquad x = h W_{hx} + e\,\eta_x, \\
        v &= x + h W_{hy} + s_y\,\eta_y, \\
        z &= v + h W_{hz} + s_z\,\eta_z, \\
        X &= (x, z)\,U, \qquad y = \textstyle\sum_k v_k .

    Homoskedastic: :math:`s_y = 1, s_z = e`. Heteroskedastic: :math:`s_y = e, s_z = 1`.
    Fully observed: :math:`W_{hx} = I` and :math:`W_{hy} = W_{hz} = 0`. Partially
    observed: the entries of all three are normal with standard deviation
    1 / `n_features`. The causal coefficients are 1 for each cause and 0 for each
    effect, so ``coef = U.T @ (1, ..., 1, 0, ..., 0)``. There is no intercept.

    Let :math:`s^2` be the mean of :math:`e^2` over the domains. In the fully observed
    settings, least squares on all domains tends to the coefficient b for each effect
    and 1 - b for each cause, with :math:`b = s^2 / (1 + s^2)` (heteroskedastic) or
    :math:`b = 1 / (1 + s^2)` (homoskedastic).

    The published experiments [1]_ use the default sizes, and identity matrices between
    causes, target and effects, as here.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk
       Minimization", arXiv:1907.02893, 2019.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skdg.datasets import irm_sem_errors, make_irm_sem
    >>> X, y, groups, coef, unscramble = make_irm_sem(
    ...     "FES", return_coef=True, random_state=0
    ... )
    >>> erm = LinearRegression(fit_intercept=False).fit(X, y)
    >>> causal, non_causal = irm_sem_errors(erm.coef_, coef, unscramble)
    >>> print(f"{causal:.2f} {non_causal:.2f}")
    0.82 0.82
    """
    levels = check_levels(stds, "stds", low=0.0, high=np.inf, open_low=True)
    if n_features % 2:
        raise ValueError(
            "n_features must be even, since half of the features are causes and half "
            f"effects of the target; got {n_features}."
        )
    rng = private_rng(random_state)
    half = n_features // 2
    partial, hetero, scrambled = (
        setting[0] == "P",
        setting[1] == "E",
        setting[2] == "S",
    )
    if partial:
        w_hx, w_hy, w_hz = rng.standard_normal((3, half, half)) / n_features
    else:
        w_hx, w_hy, w_hz = np.eye(half), np.zeros((half, half)), np.zeros((half, half))
    unscramble = np.eye(n_features)
    if scrambled:
        unscramble = ortho_group.rvs(n_features, random_state=rng)

    X, y = [], []
    for std in levels:
        noise_h, noise_x, noise_y, noise_z = rng.standard_normal((4, n_samples, half))
        h = std * noise_h
        x = h @ w_hx + std * noise_x
        v = x + h @ w_hy + (std if hetero else 1.0) * noise_y
        z = v + h @ w_hz + (1.0 if hetero else std) * noise_z
        X.append(np.hstack([x, z]) @ unscramble)
        y.append(v.sum(axis=1))
    output = np.concatenate(X), np.concatenate(y), np.repeat(levels, n_samples)
    if not return_coef:
        return output
    return (*output, unscramble[:half].sum(axis=0), unscramble)


def irm_sem_errors(
    coef_estimated: ArrayLike, coef: ArrayLike, unscramble: ArrayLike
) -> tuple[float, float]:
    r"""Compute the causal and the non-causal error of estimated coefficients.

    Parameters
    ----------
    coef_estimated : array-like of shape (n_features,) or (1, n_features)
        The coefficients to judge, for the features as they are in X.

    coef : array-like of shape (n_features,)
        The true coefficients that :func:`make_irm_sem` returns.

    unscramble : array-like of shape (n_features, n_features)
        The matrix that :func:`make_irm_sem` returns.

    Returns
    -------
    causal : float
        Mean squared error over the coefficients of the causes.

    non_causal : float
        Mean squared error over the coefficients of the effects.

    See Also
    --------
    make_irm_sem : Generate the data and the two arrays that are needed here.

    Notes
    -----
    With :math:`\Delta = U (\hat w - w)`, the error in terms of causes and effects, the
    two are the mean of :math:`\Delta_j^2` over the first half of the entries and over
    the second half [1]_.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk
       Minimization", arXiv:1907.02893, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skdg.datasets import irm_sem_errors
    >>> irm_sem_errors([0.5, 1.0, 0.1, 0.0], [1.0, 1.0, 0.0, 0.0], np.eye(4))
    (0.125, 0.005000000000000001)
    """
    matrix = check_array(unscramble, dtype=np.float64, input_name="unscramble")
    truth = np.asarray(coef, dtype=np.float64)
    estimate = np.asarray(coef_estimated, dtype=np.float64)
    if estimate.ndim == 2 and len(estimate) == 1:
        estimate = estimate[0]
    n_features = len(matrix)
    shapes = (matrix.shape, truth.shape, estimate.shape)
    if n_features % 2 or shapes != ((n_features,) * 2, (n_features,), (n_features,)):
        raise ValueError(
            "unscramble must be square with an even number of rows, and both "
            "coefficient vectors must have one entry for each of its columns; got "
            f"shapes {shapes[0]}, {shapes[1]} (coef) and {shapes[2]} (coef_estimated)."
        )
    squares = (matrix @ (estimate - truth)) ** 2
    half = n_features // 2
    return float(squares[:half].mean()), float(squares[half:].mean())

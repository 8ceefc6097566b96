# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The Linear Unit-Tests: six small problems with spurious features."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import ortho_group
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skdg._random import RandomState, private_rng

_Rng = np.random.RandomState
_Blocks = tuple[np.ndarray, np.ndarray, np.ndarray]


class _Problem(NamedTuple):
    """One parameter per domain, and how to draw rows (invariant, spurious, y)."""

    domains: list[Any]
    draw: Callable[[_Rng, int, Any], _Blocks]


def _cause_and_effect(rng: _Rng, n_domains: int, d_inv: int, d_spu: int) -> _Problem:
    n_extra = max(n_domains - 3, 0)
    stds = [0.1, 1.5, 2.0, *10.0 ** rng.uniform(-2.0, 1.0, n_extra)][:n_domains]
    w_xy = rng.standard_normal((d_inv, d_inv)) / d_inv
    w_yz = rng.standard_normal((d_inv, d_spu)) / d_spu

    def draw(rng: _Rng, n_samples: int, std: float) -> _Blocks:
        x = std * rng.standard_normal((n_samples, d_inv))
        v = x @ w_xy + std * rng.standard_normal((n_samples, d_inv))
        z = v @ w_yz + rng.standard_normal((n_samples, d_spu))
        return x, z, v.sum(axis=1)

    return _Problem(stds, draw)


def _cows_and_camels(rng: _Rng, n_domains: int, d_inv: int, d_spu: int) -> _Problem:
    n_extra = max(n_domains - 3, 0)
    extra = rng.uniform([0.9, 0.3], [1.0, 0.7], (n_extra, 2))
    domains = [(0.95, 0.3), (0.97, 0.5), (0.99, 0.7), *extra][:n_domains]

    def draw(rng: _Rng, n_samples: int, domain: tuple[float, float]) -> _Blocks:
        p, s = domain
        animal = np.where(rng.random_sample(n_samples) < s, 1.0, -1.0)
        ground = np.where(rng.random_sample(n_samples) < p, animal, -animal)
        spread = 1.0 / np.sqrt(10.0)
        x = animal[:, None] + spread * rng.standard_normal((n_samples, d_inv))
        z = ground[:, None] + spread * rng.standard_normal((n_samples, d_spu))
        return 0.01 * x, z, (x.sum(axis=1) > 0).astype(np.int64)

    return _Problem(domains, draw)


def _small_margin(rng: _Rng, n_domains: int, d_inv: int, d_spu: int) -> _Problem:
    means = rng.standard_normal((n_domains, d_spu))

    def draw(rng: _Rng, n_samples: int, mean: np.ndarray) -> _Blocks:
        y = rng.permutation(np.arange(n_samples) % 2)
        sign = (1.0 - 2.0 * y)[:, None]
        x = 0.1 * sign + 0.1 * rng.standard_normal((n_samples, d_inv))
        z = mean * sign + 0.1 * rng.standard_normal((n_samples, d_spu))
        return x, z, y.astype(np.int64)

    return _Problem(list(means), draw)


_PROBLEMS = {
    "Example1": _cause_and_effect,
    "Example2": _cows_and_camels,
    "Example3": _small_margin,
}


@validate_params(
    {
        "name": [StrOptions(set(_PROBLEMS) | {f"{name}s" for name in _PROBLEMS})],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_domains": [Interval(Integral, 1, None, closed="left")],
        "n_invariant": [Interval(Integral, 1, None, closed="left")],
        "n_spurious": [Interval(Integral, 1, None, closed="left")],
        "shuffle_spurious": ["boolean"],
        "sample": [Interval(Integral, 0, 2**32 - 1, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_linear_unit_test(
    name: str = "Example1",
    n_samples: int = 1000,
    *,
    n_domains: int = 3,
    n_invariant: int = 5,
    n_spurious: int = 5,
    shuffle_spurious: bool = False,
    sample: int = 0,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Generate one of the six Linear Unit-Tests.

    Each has a block of invariant features and a block of spurious ones. On test data
    the spurious block is permuted across the rows of a domain, which leaves its
    distribution as it was but makes it useless.

    Parameters
    ----------
    name : str, default="Example1"
        The problem: "Example1", "Example2" or "Example3", or one of these with an s for
        scrambled at its end: the features are mixed by a random rotation.

    n_samples : int, default=1000
        Number of rows in each domain. The published experiments use 10 000.

    n_domains : int, default=3
        Number of domains.

    n_invariant : int, default=5
        Number of invariant features, before scrambling.

    n_spurious : int, default=5
        Number of spurious features, before scrambling.

    shuffle_spurious : bool, default=False
        If True, permute the spurious block across the rows of each domain, before
        scrambling. This is the test mode. A model trained on such data is the oracle.

    sample : int, default=0
        Which of the independent samples of the problem to draw. With the same int as
        `random_state`, calls that differ in `sample` give fresh rows of the same
        problem (the same matrices, domains and rotation), as needed for training,
        validation and test data.

    random_state : int, RandomState instance or None, default=None
        Determines the parameters of the problem and, together with `sample`, the rows.
        Pass an int to draw several samples of one problem. None leaves the global
        generator of numpy alone.

    Returns
    -------
    X : ndarray of shape (n_domains * n_samples, n_invariant + n_spurious)
        The features: the invariant block, then the spurious one, unless scrambled.

    y : ndarray of shape (n_domains * n_samples,)
        The target: a float in "Example1" and "Example1s", otherwise 0 or 1.

    groups : ndarray of shape (n_domains * n_samples,)
        The domain of each row: 0, 1, and so on, one after the other.

    See Also
    --------
    make_fish_linear : A linear problem with four binary features.
    make_irm_sem : The structural equation model that "Example1" is taken from.

    Notes
    -----
    The problems are those of [1]_. All noise :math:`\eta` is standard normal and
    independent. The invariant block is x, the spurious one z, and e counts the domains.

    **Example1**, regression on a cause and an effect, with :math:`\sigma_e` = 0.1, 1.5,
    2 and from the fourth domain on :math:`\log_{10} \sigma_e` uniform on (-2, 1):

    .. math::

        x = \sigma_e \eta_x, \quad v = x W_{xy} + \sigma_e \eta_v, \quad
        z = v W_{yz} + \eta_z, \quad y = \textstyle\sum_k v_k,

    where the entries of :math:`W_{xy}` and :math:`W_{yz}` are standard normal, divided
    by the number of invariant and of spurious features. The best error of an invariant
    predictor is `n_invariant` times the mean of :math:`\sigma_e^2`.

    **Example2**, cows and camels on grass and sand. The animal a is 1 with probability
    :math:`s_e`, otherwise -1. The ground b equals a with probability :math:`p_e`,
    otherwise -a. Here :math:`(p_e, s_e)` = (0.95, 0.3), (0.97, 0.5), (0.99, 0.7), and
    from the fourth domain on they are uniform on (0.9, 1) and (0.3, 0.7):

    .. math::

        x = 0.01\,(a + \eta_x / \sqrt{10}), \quad z = b + \eta_z / \sqrt{10}, \quad
        y = 1[\textstyle\sum_k x_k > 0].

    **Example3**, small invariant margin. Half of the rows of each domain have y = 0; if
    `n_samples` is odd, one more. With :math:`t = 1 - 2y` and a spurious mean
    :math:`\mu_e` of standard normal entries for each domain:

    .. math::

        x = 0.1\,t + 0.1\,\eta_x, \qquad z = t \mu_e + 0.1\,\eta_z.

    The best error of an invariant predictor is :math:`\Phi(-\sqrt{d})` for d invariant
    features, 0.013 for five.

    **Example1s**, **Example2s**, **Example3s**: the same, with (x, z) multiplied by a
    random orthogonal matrix. For the same `random_state` and `sample` the rows are
    those of the unscrambled problem.

    References
    ----------
    .. [1] B. Aubin, A. Slowik, M. Arjovsky, L. Bottou and D. Lopez-Paz, "Linear
       Unit-Tests for Invariance Discovery", arXiv:2102.10867, 2021.

    Examples
    --------
    Linear regression relies on the effects of the target, and pays for it when these no
    longer go with it. The oracle does not.

    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.metrics import mean_squared_error
    >>> from skdg.datasets import make_linear_unit_test
    >>> X, y, groups = make_linear_unit_test(sample=0, random_state=0)
    >>> X_oracle, y_oracle, _ = make_linear_unit_test(
    ...     sample=0, shuffle_spurious=True, random_state=0
    ... )
    >>> X_test, y_test, _ = make_linear_unit_test(
    ...     sample=1, shuffle_spurious=True, random_state=0
    ... )
    >>> erm = LinearRegression().fit(X, y)
    >>> oracle = LinearRegression().fit(X_oracle, y_oracle)
    >>> for model in erm, oracle:
    ...     print(f"{mean_squared_error(y_test, model.predict(X_test)):.1f}")
    12.0
    10.7
    """
    rng = private_rng(random_state)
    n_features = n_invariant + n_spurious
    problem = _PROBLEMS[name[:8]](rng, n_domains, n_invariant, n_spurious)
    seed = rng.randint(np.iinfo(np.int32).max)
    # Drawn last, so that a scrambled problem differs from its twin by nothing else.
    rotation = ortho_group.rvs(n_features, random_state=rng) if name[8:] else None

    X, y = [], []
    for index, domain in enumerate(problem.domains):
        stream = np.random.RandomState([seed, sample, index])
        invariant, spurious, target = problem.draw(stream, n_samples, domain)
        if shuffle_spurious:
            spurious = spurious[stream.permutation(n_samples)]
        X.append(np.hstack([invariant, spurious]))
        y.append(target)
    features = np.concatenate(X)
    if rotation is not None:
        features = features @ rotation
    return features, np.concatenate(y), np.repeat(np.arange(n_domains), n_samples)

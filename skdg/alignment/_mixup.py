# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Inter-domain Mixup."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Step
from skdg.alignment._mixing import MixupStep


@estimator
class _Mixup(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    concentration : float, default=0.2
        Both parameters of the beta distribution of the share of the first row. Small
        values mix little, 1 makes all shares equally likely.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain's *mixed* rows in every iteration, of shape
        (n_iter, n_domains), in the order of `domains_`.

    Notes
    -----
    In each iteration the domains form a random cycle; rows of each domain i are mixed
    with those of the next, j, and the objective is the mean over domains of [1]_

    .. math:: \lambda \, \ell(f(x), y_i) + (1 - \lambda) \, \ell(f(x), y_j), \qquad x =
       \lambda x_i + (1 - \lambda) x_j,

    with one share lambda per pair and as many rows as the smaller domain of the pair
    has in the batch, drawn at random. Sample weights of a pair multiply. All parameters
    take part. With one domain it is ERM. There is no penalty; `penalty_weight` does not
    apply. DomainBed is the same with the first rows instead of random ones.

    References
    ----------
    .. [1] S. Yan, H. Song, N. Li, L. Zou and L. Ren, "Improve unsupervised domain
       adaptation with mixup training", arXiv:2001.00677, 2020.
    """

    concentration: float = 0.2

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "concentration": [Interval(Real, 0, None, closed="neither")],
    }

    # What is mixed is drawn for all models at once.
    _shared_by_models: ClassVar[tuple[str, ...]] = ("random_state", "concentration")

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return MixupStep(float(self.concentration), random_state)


@estimator
class MixupClassifier(_Mixup, NetworkClassifier):
    """Classifier trained on rows between domains.

    See Also
    --------
    skdg.ERMClassifier : The same without mixing.

    Examples
    --------
    >>> from skdg.alignment import MixupClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = MixupClassifier(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class MixupRegressor(_Mixup, NetworkRegressor):
    """Regressor trained on rows between domains.

    See Also
    --------
    skdg.ERMRegressor : The same without mixing.

    Examples
    --------
    >>> from skdg.alignment import MixupRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> model = MixupRegressor(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """

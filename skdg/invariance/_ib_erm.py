# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Empirical risk minimization with an information bottleneck."""

import numpy as np

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step
from skdg.invariance._bottleneck import Bottleneck


@estimator
class _IBERM(Bottleneck):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=0.1
        Weight of the variance, ``lambda`` in Notes. 0 gives the model of ERM, bit for
        bit.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \frac{1}{S} \sum_e \frac{1}{K}
       \sum_{k=1}^{K} \mathrm{Var}_e(z_k),

    with the variance of feature (or output) k within domain e, that of the population.
    The weight is 0 before `penalty_anneal_iters`. The variance of features is not
    invariant to scale: small features with a large last layer have the same risk, so
    `alpha` should not be 0.

    The paper's linear experiments penalize the outputs, DomainBed the features, with a
    variance that is n / (n - 1) times as large; ours stays as it is when all rows are
    repeated. DomainBed resets Adam when the weight changes (`reset_optimizer`).
    """

    penalty_weight: float = 0.1

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return RiskStep(self._annealed(**self._variance(), weight_before=0.0))


@estimator
class IBERMClassifier(_IBERM, NetworkClassifier):
    """Classifier with the lowest mean risk through an information bottleneck.

    See Also
    --------
    skdg.IBIRMClassifier : The bottleneck and IRM.

    Examples
    --------
    >>> from skdg.invariance import IBERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> IBERMClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class IBERMRegressor(_IBERM, NetworkRegressor):
    """Regressor with the lowest mean risk through an information bottleneck.

    See Also
    --------
    skdg.IBIRMRegressor : The bottleneck and IRM.

    Examples
    --------
    >>> from skdg.invariance import IBERMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> IBERMRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

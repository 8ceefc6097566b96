# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Risk extrapolation."""

import numpy as np
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Derivatives, RiskStep, Step, one


def risk_variance(batch: DomainBatch) -> Tensor:
    """Return the population variance of the domains' risks, of each model."""
    # By operators that cost less than torch's variance of so few numbers.
    return _deviations(batch).square().mean(-1)


def risk_variance_derivative(batch: DomainBatch) -> Derivatives:
    """Return the derivative of `risk_variance`."""
    return Derivatives(risks=_deviations(batch).mul_(2.0 / batch.rows.n_domains))


def _deviations(batch: DomainBatch) -> Tensor:
    return batch.risks - batch.risks.mean(-1, keepdim=True)


@estimator
class _VREx(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=10.0
        Weight of the variance, ``beta`` in Notes. 0 gives the model of ERM, bit for
        bit.

    Notes
    -----
    The objective is V-REx [1]_,

    .. math:: \frac{1}{S} \sum_e R_e + \beta \, \frac{1}{S} \sum_e (R_e - \bar R)^2.

    The weight is min(1, beta) before `penalty_anneal_iters`; the objective, with the L2
    penalty, is divided by the weight where that exceeds 1. The penalty sees the risks
    alone; their variance is that of the population.

    The paper *sums* the risks, which makes its beta S times ours; its code for two
    domains penalizes the squared difference, four times the variance. DomainBed is as
    here but for the division. It weighs the penalty by 1 before annealing, and resets
    Adam then (`reset_optimizer`). The division, as in the paper's code, makes a large
    beta a small weight of the risks, and not a large step; the least of 1 and beta
    makes beta = 0 ERM from the first iteration on.

    References
    ----------
    .. [1] D. Krueger et al., "Out-of-distribution generalization via risk extrapolation
       (REx)", ICML 2021.
    """

    penalty_weight: float = 10.0

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        before = np.minimum(1.0, self.penalty_weight)
        return RiskStep(
            self._annealed(
                risk_variance,
                before,
                divided_above=one,
                derivative=risk_variance_derivative,
                of_moments=True,
            )
        )


@estimator
class VRExClassifier(_VREx, NetworkClassifier):
    """Classifier whose risk is the same in all domains: risk extrapolation.

    See Also
    --------
    skdg.GroupDROClassifier : The risk of the worst domain instead of equal risks.

    Examples
    --------
    >>> from skdg.invariance import VRExClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> VRExClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class VRExRegressor(_VREx, NetworkRegressor):
    """Regressor whose risk is the same in all domains: risk extrapolation.

    See Also
    --------
    skdg.GroupDRORegressor : The risk of the worst domain instead of equal risks.

    Examples
    --------
    >>> from skdg.invariance import VRExRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> VRExRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

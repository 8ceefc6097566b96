# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Inter-environmental gradient alignment."""

import numpy as np
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import GradientStep, Step


def gradient_spread(gradients: Tensor) -> Tensor:
    """Return the sum over domains of squared distances to the mean gradient."""
    return (gradients - gradients.mean(0)).square().sum()


def spread_derivative(gradients: Tensor) -> Tensor:
    """Write over gradients the derivative of `gradient_spread` in them."""
    return gradients.sub_(gradients.mean(0)).mul_(2.0)


@estimator
class _IGA(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the spread of gradients, ``lambda`` in Notes. 0 gives the model of
        ERM, bit for bit. DomainBed's default for images is 1000.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \sum_e \left\| G_e - \bar G \right\|^2,

    with the gradients in *all* parameters, and in the penalty the sum (not the mean)
    over domains, as in DomainBed. The gradient is exact, second order included;
    DomainBed holds the mean gradient fixed, which changes nothing. The weight is 0
    before `penalty_anneal_iters` (DomainBed has no annealing). Unlike the objective of
    IDGM it is bounded below: it is that of IDGM and a penalty on the norms of
    gradients.

    References
    ----------
    .. [1] M. Koyama and S. Yamaguchi, "When is invariance useful in an
       out-of-distribution generalization problem?", arXiv:2008.01883, 2020.
    """

    penalty_weight: float = 1.0

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return GradientStep(
            self._annealed(
                gradient_spread, weight_before=0.0, derivative=spread_derivative
            )
        )


@estimator
class IGAClassifier(_IGA, NetworkClassifier):
    """Classifier whose gradients are the same in all domains.

    See Also
    --------
    skdg.IDGMClassifier : Inner products of gradients instead of distances.
    skdg.FishrClassifier : Variances of gradients instead of their means.

    Examples
    --------
    >>> from skdg.gradients import IGAClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> IGAClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class IGARegressor(_IGA, NetworkRegressor):
    """Regressor whose gradients are the same in all domains.

    See Also
    --------
    skdg.IDGMRegressor : Inner products of gradients instead of distances.
    skdg.FishrRegressor : Variances of gradients instead of their means.

    Examples
    --------
    >>> from skdg.gradients import IGARegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> IGARegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

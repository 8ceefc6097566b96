# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""AND-mask: steps only where all gradients have one sign."""

from functools import partial
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import is_any, number
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import DirectionStep, RiskStep, Step
from skdg.gradients._masks import masked_mean

# A mean of signs is a multiple of 1/S; rounding must not decide about equality.
_ROUNDING = 1e-6


def and_mask(gradients: Tensor, agreement: Tensor, threshold: float) -> Tensor:
    """Return 1 where gradients agree in sign, else 0."""
    return (agreement >= threshold - _ROUNDING).to(gradients.dtype)


@estimator
class _ANDMask(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    agreement_threshold : float, default=1.0
        The absolute mean sign from which on the domains agree, ``tau`` in Notes. 1 asks
        for the same sign in all domains; 0 gives the model of ERM, bit for bit.

    Notes
    -----
    Each entry of the mean gradient is kept where [1]_

    .. math:: \left| \frac{1}{S} \sum_e \mathrm{sign}(G_e) \right| \ge \tau,

    and is 0 elsewhere, in all parameters; what is kept is divided by the share kept in
    its parameter tensor (with Adam nearly without effect). `alpha` acts on all entries.
    The result depends on the basis of the features: a rotation of X changes it. One
    domain gives ERM. There is no objective of which this is the gradient, and no
    penalty; `penalty_weight` does not apply. DomainBed is the same; in the authors'
    code the division is an option.

    References
    ----------
    .. [1] G. Parascandolo, A. Neitz, A. Orvieto, L. Gresele and B. Schoelkopf,
       "Learning explanations that are hard to vary", ICLR 2021.
    """

    agreement_threshold: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "agreement_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        if not is_any(self.agreement_threshold):
            return RiskStep()
        mask = partial(and_mask, threshold=number(self.agreement_threshold))
        return DirectionStep(partial(masked_mean, mask=mask))


@estimator
class ANDMaskClassifier(_ANDMask, NetworkClassifier):
    """Classifier that learns only where all domains' gradients have one sign.

    See Also
    --------
    skdg.SANDMaskClassifier : A smooth mask.

    Examples
    --------
    >>> from skdg.gradients import ANDMaskClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> ANDMaskClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class ANDMaskRegressor(_ANDMask, NetworkRegressor):
    """Regressor that learns only where all domains' gradients have one sign.

    See Also
    --------
    skdg.SANDMaskRegressor : A smooth mask.

    Examples
    --------
    >>> from skdg.gradients import ANDMaskRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> ANDMaskRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

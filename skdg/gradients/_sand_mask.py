# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""SAND-mask: steps where gradients agree in sign and in size."""

from functools import partial
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import number
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import DirectionStep, Step
from skdg.gradients._masks import masked_mean


def sand_mask(
    gradients: Tensor, agreement: Tensor, threshold: float, sharpness: float
) -> Tensor:
    """Return a smooth mask that also asks for gradients of similar size."""
    excess = agreement - threshold
    variance = gradients.var(0).clamp(min=torch.finfo(gradients.dtype).tiny)
    # A large quotient saturates tanh; excess 0 stays 0 whatever the variance.
    return torch.tanh(sharpness * excess / variance).clamp(min=0.0)


@estimator
class _SANDMask(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    agreement_threshold : float, default=0.5
        The absolute mean sign from which on the mask opens, ``tau`` in Notes. The
        default of DomainBed, 1, closes it for good: nothing is ever learned.

    sharpness : float, default=10.0
        How fast it opens, ``k`` in Notes.

    Notes
    -----
    Each entry of the mean gradient is multiplied by [1]_

    .. math:: \max \left( 0, \tanh \left( \frac{k}{\mathrm{Var}_e(G_e)} \left( \left|
       \frac{1}{S} \sum_e \mathrm{sign}(G_e) \right| - \tau \right) \right) \right)

    with the sample variance over domains, and divided by the mean of this mask in its
    parameter tensor, for all parameters. `alpha` acts on all entries. One domain gives
    ERM. There is no objective of which this is the gradient, and no penalty;
    `penalty_weight` does not apply. DomainBed is the same but for its default
    threshold.

    References
    ----------
    .. [1] S. Shahtalebi, J.-C. Gagnon-Audet, T. Laleh, M. Faramarzi, K. Ahuja and
       I. Rish, "SAND-mask: an enhanced gradient masking strategy for the discovery of
       invariances in domain generalization", arXiv:2106.02266, 2021.
    """

    agreement_threshold: float = 0.5
    sharpness: float = 10.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "agreement_threshold": [Interval(Real, 0, 1, closed="left")],
        "sharpness": [Interval(Real, 0, None, closed="neither")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        mask = partial(
            sand_mask,
            threshold=number(self.agreement_threshold),
            sharpness=number(self.sharpness),
        )
        return DirectionStep(partial(masked_mean, mask=mask))


@estimator
class SANDMaskClassifier(_SANDMask, NetworkClassifier):
    """Classifier that learns most where gradients agree in sign and in size.

    See Also
    --------
    skdg.ANDMaskClassifier : A mask of zeros and ones.

    Examples
    --------
    >>> from skdg.gradients import SANDMaskClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> SANDMaskClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class SANDMaskRegressor(_SANDMask, NetworkRegressor):
    """Regressor that learns most where gradients agree in sign and in size.

    See Also
    --------
    skdg.ANDMaskRegressor : A mask of zeros and ones.

    Examples
    --------
    >>> from skdg.gradients import SANDMaskRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> SANDMaskRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

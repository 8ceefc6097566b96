# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Correlation alignment."""

import numpy as np
import torch
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Derivatives, RiskStep, Step
from skdg.alignment._coral_distance import about_their_mean, coral_distance


class CORALPenalty:
    """The mean CORAL distance over pairs of domains.

    Covariances are unbiased, with weights that count repetitions of a row.
    """

    def __call__(self, batch: DomainBatch) -> Tensor:
        """Return the distance, of each model, and remember the moments."""
        rows = batch.rows
        means = rows.mean(batch.features)
        self._centered = rows.centered(batch.features, means)
        weighted = rows.unbiased_weights[..., None] * self._centered
        covariances = rows.products(weighted, self._centered)
        self._means, self._covariances = about_their_mean(means, covariances)
        return coral_distance(self._means, self._covariances)

    def derivative(self, batch: DomainBatch) -> Derivatives:
        """Return the derivative of the last distance, that of the batch."""
        rows = batch.rows
        if batch.features is rows.all_inputs:
            return Derivatives()
        # That of centered features in their mean is 0.
        share = 4.0 / (max(1, rows.n_domains - 1) * batch.features.shape[-1])
        of_mean = (share / rows.mass)[..., None]
        freedom = (rows.mass - 1.0).clamp(min=1.0)
        of_covariance = 2.0 * share / (batch.features.shape[-1] * freedom)
        in_features = torch.empty_like(batch.features)
        rows.give_(in_features, self._means * of_mean)
        rows.add_times_(
            *(in_features, self._centered),
            self._covariances * of_covariance[..., None, None],
        )
        return Derivatives(features=in_features.mul_(rows.sample_weight[..., None]))


@estimator
class _CORAL(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the distance, ``lambda`` in Notes. 0 gives the model of ERM, bit for
        bit.

    Notes
    -----
    With mu_e and C_e the mean and the covariance of the K features that enter the last
    layer, the objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \mathrm{mean}_{i<j} \left(
       \frac{1}{K} \|\mu_i - \mu_j\|^2 + \frac{1}{K^2} \|C_i - C_j\|_F^2 \right).

    Covariances are unbiased if sample weights count rows. The weight is 0 before
    `penalty_anneal_iters` (DomainBed has no annealing). The distance of means is an
    addition of DomainBed and WILDS to the paper's. A linear model has no features that
    could change, so that the penalty is without effect. Where the domains differ in the
    share of each class, aligned features are worse than unaligned ones.

    References
    ----------
    .. [1] B. Sun and K. Saenko, "Deep CORAL: correlation alignment for deep domain
       adaptation", ECCV Workshops 2016.
    """

    penalty_weight: float = 1.0

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = CORALPenalty()
        return RiskStep(
            self._annealed(
                penalty,
                weight_before=0.0,
                derivative=penalty.derivative,
                of_moments=True,
            )
        )


@estimator
class CORALClassifier(_CORAL, NetworkClassifier):
    """Classifier on features whose first two moments agree across domains.

    See Also
    --------
    skdg.MMDClassifier : All moments instead of two.

    Examples
    --------
    >>> from skdg.alignment import CORALClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> CORALClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class CORALRegressor(_CORAL, NetworkRegressor):
    """Regressor on features whose first two moments agree across domains.

    See Also
    --------
    skdg.MMDRegressor : All moments instead of two.

    Examples
    --------
    >>> from skdg.alignment import CORALRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> CORALRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

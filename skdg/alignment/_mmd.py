# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Maximum mean discrepancy."""

from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step
from skdg.alignment._feature_distance import FeatureDistance
from skdg.alignment._mmd_distance import mmd_distance


class MMDPenalty(FeatureDistance):
    """The mean squared discrepancy over pairs of domains.

    `bandwidth` is that of `mmd_distance`.
    """

    def __init__(self, bandwidth: str = "mean") -> None:
        self._bandwidth = bandwidth

    def distance(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Return the discrepancy, of each model, and its gradient in the features."""
        rows = batch.rows
        domains = torch.arange(rows.n_domains, device=rows.domain.device)
        membership = torch.where(
            rows.domain[:, None] == domains, rows.weights[..., None], 0.0
        )
        return mmd_distance(batch.features, membership, self._bandwidth)


@estimator
class _MMD(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the discrepancy, ``lambda`` in Notes. 0 gives the model of ERM, bit
        for bit.

    bandwidth : {"mean", "published"}, default="mean"
        Widths of the kernels: "mean" takes five around the mean squared distance of
        the batch's features, whatever their scale; "published" the seven fixed ones
        of DomainBed, which suit features of the order of 1.

    Notes
    -----
    The objective is

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \mathrm{mean}_{i<j} \left( \bar K_{ii}
       + \bar K_{jj} - 2 \bar K_{ij} \right),

    the biased estimate of the squared discrepancy [1]_ (rows are paired with
    themselves), with :math:`\bar K_{ij}` the mean over rows of domains i and j of
    :math:`\sum_\gamma \exp(-\gamma \|z - z'\|^2)` on the features z that enter the last
    layer. "mean" means gamma = 1/4, 1/2, 1, 2 and 4 over the mean, which is held
    fixed in the gradient; "published" means 0.001, 0.01, ..., 1000. The weight is 0
    before `penalty_anneal_iters` (DomainBed has no annealing). Memory is quadratic in
    the rows of a batch. A linear model has no features that could change, so that the
    penalty is without effect.

    References
    ----------
    .. [1] H. Li, S. J. Pan, S. Wang and A. C. Kot, "Domain generalization with
       adversarial feature learning", CVPR 2018.
    """

    penalty_weight: float = 1.0
    bandwidth: str = "mean"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "bandwidth": [StrOptions({"mean", "published"})],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = MMDPenalty(self.bandwidth)
        return RiskStep(
            self._annealed(penalty, weight_before=0.0, derivative=penalty.derivative)
        )


@estimator
class MMDClassifier(_MMD, NetworkClassifier):
    """Classifier on features whose distributions agree, by kernels.

    See Also
    --------
    skdg.CORALClassifier : The first two moments, which cost less.

    Examples
    --------
    >>> from skdg.alignment import MMDClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = MMDClassifier(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class MMDRegressor(_MMD, NetworkRegressor):
    """Regressor on features whose distributions agree, by kernels.

    See Also
    --------
    skdg.CORALRegressor : The first two moments, which cost less.

    Examples
    --------
    >>> from skdg.alignment import MMDRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", n_samples=100, random_state=0)
    >>> model = MMDRegressor(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """

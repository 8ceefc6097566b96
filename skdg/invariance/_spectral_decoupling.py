# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Spectral decoupling."""

import numpy as np
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Derivatives, RiskStep, Step


def mean_squared_output(batch: DomainBatch) -> Tensor:
    """Return the mean square of the outputs, domains counting equally."""
    return batch.rows.mean(batch.outputs.square()).mean((-2, -1))


def mean_squared_output_derivative(batch: DomainBatch) -> Derivatives:
    """Return the derivative of `mean_squared_output`."""
    n_outputs = batch.outputs.shape[-1]
    return Derivatives(outputs=batch.outputs * (batch.rows.shares * (2.0 / n_outputs)))


@estimator
class _SpectralDecoupling(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=0.1
        Weight of the squared outputs, ``lambda`` in Notes. 0 gives the model of ERM,
        bit for bit.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \frac{1}{S} \sum_e
       \mathrm{mean}_{i \in e,\, k} f_{ik}^2.

    Small logits keep a gradient alive in features that a confident prediction by others
    would starve. The weight is 0 before `penalty_anneal_iters`. The penalty sees the
    outputs alone and knows no domains. The paper's weight is twice ours, since it
    halves the square; DomainBed's is ours, without annealing. In regression the outputs
    are predictions of the standardized targets, which the penalty shrinks to their
    mean.

    References
    ----------
    .. [1] M. Pezeshki et al., "Gradient starvation: a learning proclivity in neural
       networks", NeurIPS 2021.
    """

    penalty_weight: float = 0.1

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return RiskStep(
            self._annealed(
                mean_squared_output,
                weight_before=0.0,
                derivative=mean_squared_output_derivative,
                of_moments=True,
            )
        )


@estimator
class SpectralDecouplingClassifier(_SpectralDecoupling, NetworkClassifier):
    """Classifier with small logits, so that no feature starves the others.

    See Also
    --------
    skdg.ERMClassifier : The same model without the penalty.

    Examples
    --------
    >>> from skdg.invariance import SpectralDecouplingClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = SpectralDecouplingClassifier(random_state=0)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class SpectralDecouplingRegressor(_SpectralDecoupling, NetworkRegressor):
    """Regressor with small outputs, so that no feature starves the others.

    See Also
    --------
    skdg.ERMRegressor : The same model without the penalty.

    Examples
    --------
    >>> from skdg.invariance import SpectralDecouplingRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> model = SpectralDecouplingRegressor(random_state=0)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """

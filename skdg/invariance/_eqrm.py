# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Empirical quantile risk minimization."""

from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import over_values
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step

# Two grids of so many cells, one within the other, and one step of Halley's method find
# a quantile to the precision of the numbers.
_CELLS = 256


def quantile_weights(risks: Tensor, quantile: float) -> Tensor:
    """Return the derivative of a quantile of the risks in each of them.

    By the implicit function theorem; the bandwidth is a function of the risks too. The
    quantile itself is the sum of risks with these weights, by Euler's theorem.
    """
    n_domains = len(risks)
    if n_domains == 1:
        return torch.ones_like(risks)
    factor = 1.06 * n_domains**-0.2
    # Exactly 0 where all risks are equal; then the bandwidth may be anything.
    shifted = risks - risks.min()
    spread = shifted.std().clamp(min=torch.finfo(risks.dtype).tiny)
    # In units of sqrt(2) bandwidths, where the distribution is (1 + erf) / 2.
    scaled = shifted / (2.0**0.5 * factor * spread)
    wanted = (2.0 * quantile - 1.0) * n_domains
    low, width = -7.0, scaled.max() + 14.0
    edges = torch.arange(1, _CELLS, dtype=risks.dtype, device=risks.device) / _CELLS
    for _ in range(2):
        z = (low + width * edges)[:, None] - scaled
        below = (torch.erf(z).sum(1) < wanted).sum()
        width = width / _CELLS
        low = low + width * below
    z = low + 0.5 * width - scaled
    kernels = torch.exp(-z.square())
    mass = kernels.sum()
    newton = (torch.erf(z).sum() - wanted) * (0.5 * np.pi**0.5) / mass
    z = z - newton / (1.0 + newton * (kernels @ z) / mass)
    kernels = torch.softmax(-z.square(), 0)
    # How the bandwidth moves with each risk.
    slopes = (shifted - shifted.mean()) * (2.0**0.5 * factor / (n_domains - 1)) / spread
    return kernels + (kernels @ z) * slopes


def weights_of_models(risks: Tensor, quantile: Any) -> Tensor:
    """Return what `quantile_weights` does, for each model if there are many."""
    return over_values(partial(quantile_weights, quantile=quantile), risks, 1)


@estimator
class _EQRM(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    quantile : float, default=0.75
        Which quantile of the risks to minimize, ``q`` in Notes; 0.5 looks at a typical
        domain, values near 1 at the worst.

    burn_in_iters : int, default=100
        Number of iterations at the beginning with the objective of ERM, whose risks
        say little about a domain yet.

    Notes
    -----
    The objective is the q-quantile of the risks [1]_, with their distribution over
    domains estimated by Gaussian kernels of bandwidth :math:`h = 1.06\, s\, S^{-1/5}`,
    s the (sample) standard deviation of the risks:

    .. math:: \min_\theta x \quad \text{with} \quad \frac{1}{S} \sum_e \Phi \left(
       \frac{x - R_e}{h} \right) = q.

    It sees the risks alone; there is no penalty. Before `burn_in_iters` it is their
    mean. The gradient is that of the exact quantile, bandwidth included. DomainBed
    makes a new optimizer with a much smaller step after the burn-in; here the schedule
    of `learning_rate` goes on, by default towards 0. The authors' formula for q near 1
    is left out; GroupDRO looks at the worst domain.

    References
    ----------
    .. [1] C. Eastwood et al., "Probable domain generalization via quantile risk
       minimization", NeurIPS 2022.
    """

    quantile: float = 0.75
    burn_in_iters: int = 100

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "burn_in_iters": [Interval(Integral, 0, None, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        weigh = partial(weights_of_models, quantile=self.quantile)
        return RiskStep(weigh=weigh, weigh_from=self.burn_in_iters)


@estimator
class EQRMClassifier(_EQRM, NetworkClassifier):
    """Classifier with a low risk in most domains: quantile risk minimization.

    See Also
    --------
    skdg.GroupDROClassifier : The worst domain instead of a quantile.

    Examples
    --------
    >>> from skdg.invariance import EQRMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> EQRMClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class EQRMRegressor(_EQRM, NetworkRegressor):
    """Regressor with a low risk in most domains: quantile risk minimization.

    See Also
    --------
    skdg.GroupDRORegressor : The worst domain instead of a quantile.

    Examples
    --------
    >>> from skdg.invariance import EQRMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> EQRMRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

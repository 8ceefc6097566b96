# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Empirical quantile risk minimization."""

from functools import partial
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.estimators import NetworkEstimator
from skdg._training.steps import RiskStep, Step
from skdg._training.tasks import NetworkClassifier, NetworkRegressor

_BISECTIONS = 60


def risk_quantile(risks: Tensor, quantile: float) -> Tensor:
    """Return a quantile of the risks, through a Gaussian kernel density estimate.

    The value is found by bisection. Its gradient is exact, by the implicit function
    theorem: the last line is a Newton step of length 0 whose derivative is that of the
    quantile.
    """
    n_domains = len(risks)
    if n_domains == 1:
        return risks.mean()
    smallest = torch.finfo(risks.dtype).eps * (1.0 + risks.detach().abs().max())
    bandwidth = 1.06 * risks.std() * n_domains**-0.2
    bandwidth = bandwidth.clamp(min=smallest)

    def distribution(value: Tensor) -> Tensor:
        return torch.special.ndtr((value - risks) / bandwidth).mean()

    with torch.no_grad():
        low = risks.min() - 10.0 * bandwidth
        high = risks.max() + 10.0 * bandwidth
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            below = distribution(middle) < quantile
            low = torch.where(below, middle, low)
            high = torch.where(below, high, middle)
        solution = 0.5 * (low + high)
        z = (solution - risks) / bandwidth
        density = torch.exp(-0.5 * z.square()).mean() / (2.0 * np.pi) ** 0.5 / bandwidth
    return (
        solution - (distribution(solution) - distribution(solution).detach()) / density
    )


def quantile_after_burn_in(
    risks: Tensor, iteration: int, quantile: float, burn_in_iters: int
) -> Tensor:
    """Return the mean of the risks in the first iterations, then a quantile."""
    if iteration < burn_in_iters:
        return risks.mean()
    return risk_quantile(risks, quantile)


@estimator
class _EQRM(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    quantile : float, default=0.75
        Which quantile of the risks to minimise, ``q`` in Notes; 0.5 looks at a typical
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

    It sees the risks alone. The gradient is that of the exact quantile, bandwidth
    included. DomainBed makes a new optimizer with a much smaller step after the
    burn-in; here the schedule of `learning_rate` goes on. The authors' limit of q near
    1, a formula for the tail, is left out. With few domains a quantile rests on few
    risks. There is no penalty; `penalty_weight` does not apply.

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
        aggregate = partial(
            quantile_after_burn_in,
            quantile=float(self.quantile),
            burn_in_iters=self.burn_in_iters,
        )
        return RiskStep(aggregate=aggregate)


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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Distributionally robust optimization over domains."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import number, per_model
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step


class WorstDomainWeights:
    """Weights of the domains that grow with their risks.

    They are kept as logarithms: a product of many exponentials would overflow.

    Parameters
    ----------
    step_size : float or ndarray of shape (n_models,)
        Rate of growth.
    """

    def __init__(self, step_size: Any) -> None:
        self._step_size = step_size
        self.memory: dict[str, Tensor] = {}

    def __call__(self, risks: Tensor) -> Tensor:
        """Update the weights by the risks and return them."""
        if "log_weights" not in self.memory:
            self.memory["log_weights"] = torch.zeros_like(risks)
        log_weights = self.memory["log_weights"]
        log_weights += per_model(self._step_size, risks) * risks
        return torch.softmax(log_weights, -1)


@estimator
class _GroupDRO(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    step_size : float, default=0.01
        Rate at which the weights of domains follow their risks, ``eta`` in Notes. 0
        gives the objective of ERM, a large value the risk of the worst domain.

    Notes
    -----
    The objective is the worst mixture of the domains' risks [1]_, approached by
    exponentiated gradient ascent: in each iteration, from uniform weights on,

    .. math:: q_e \leftarrow \frac{q_e \exp(\eta R_e)}{\sum_i q_i \exp(\eta R_i)},
       \qquad \text{then a step on} \quad \sum_e q_e R_e,

    with the weights q (of sum 1: a mean of risks) updated first, as in the authors'
    code, and held fixed in the gradient. Each batch holds rows of every domain, so that
    no domain's weight shrinks for want of rows. The authors' adjustment for the size of
    a domain, by default 0 in their code too, is left out. There is no penalty and no
    annealing; `penalty_weight` does not apply.

    References
    ----------
    .. [1] S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally robust
       neural networks for group shifts", ICLR 2020.
    """

    step_size: float = 0.01

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "step_size": [Interval(Real, 0, None, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        weights = WorstDomainWeights(number(self.step_size))
        return RiskStep(weigh=weights, memory=weights.memory)


@estimator
class GroupDROClassifier(_GroupDRO, NetworkClassifier):
    """Classifier with the lowest risk in its worst domain.

    See Also
    --------
    skdg.DomainRobustClassifier : The same idea around any classifier.

    Examples
    --------
    >>> from skdg.invariance import GroupDROClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> GroupDROClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class GroupDRORegressor(_GroupDRO, NetworkRegressor):
    """Regressor with the lowest risk in its worst domain.

    See Also
    --------
    skdg.DomainRobustRegressor : The same idea around any regressor.

    Examples
    --------
    >>> from skdg.invariance import GroupDRORegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> GroupDRORegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

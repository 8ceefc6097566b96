# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Empirical risk minimization, the baseline of every method."""

import numpy as np

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step


@estimator
class _ERM(NetworkEstimator):
    r"""What classifier and regressor share.

    Notes
    -----
    The objective is the mean over domains of each domain's mean loss,

    .. math:: \frac{1}{S} \sum_{e=1}^{S} R_e(\theta),

    so that a small domain counts as much as a large one. There is no penalty.
    (DomainBed averages over the rows of equally large minibatches, which is the same.)
    Under fair model selection few methods beat this one [1]_; compare with it before
    you believe in any other.

    References
    ----------
    .. [1] I. Gulrajani and D. Lopez-Paz, "In search of lost domain generalization",
       ICLR 2021.
    """

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return RiskStep()


@estimator
class ERMClassifier(_ERM, NetworkClassifier):
    """Classifier with the lowest mean risk over all domains.

    See Also
    --------
    skdg.IRMClassifier : One classifier optimal in every domain.
    skdg.FishClassifier : Gradients that agree across domains.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> train = groups != "test"
    >>> model = ERMClassifier(hidden_layer_sizes=(), random_state=0)
    >>> model.fit(X[train], y[train], groups=groups[train])
    ERMClassifier(hidden_layer_sizes=(), random_state=0)
    >>> model.n_domains_
    2
    """


@estimator
class ERMRegressor(_ERM, NetworkRegressor):
    """Regressor with the lowest mean risk over all domains.

    See Also
    --------
    skdg.IRMRegressor : One regressor optimal in every domain.
    skdg.FishRegressor : Gradients that agree across domains.

    Examples
    --------
    >>> from skdg import ERMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> ERMRegressor(hidden_layer_sizes=(), random_state=0).fit(
    ...     X, y, groups=groups
    ... ).coef_.shape
    (10,)
    """

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The information bottleneck, with ERM and with IRM."""

from functools import partial
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.penalized import PenalizedEstimator
from skdg._training.steps import Penalty, RiskStep, Step
from skdg._training.tasks import NetworkClassifier, NetworkRegressor
from skdg.invariance._irm import irm_penalty


def within_domain_variance(batch: DomainBatch, bottleneck: str = "features") -> Tensor:
    """Return the variance of features or outputs within domains.

    Averaged over domains and over features (or outputs).
    """
    values = batch.features if bottleneck == "features" else batch.outputs
    centred = values - batch.rows.mean(values)[batch.rows.domain]
    return batch.rows.mean(centred.square()).mean()


@estimator
class _Bottleneck(PenalizedEstimator):
    """What all methods with a bottleneck share.

    Parameters
    ----------
    bottleneck : {"features", "outputs"}, default="features"
        Whose variance is penalised: that of the features that enter the last layer, or
        that of the outputs. A linear model has no features to change; use "outputs".

    References
    ----------
    .. [1] K. Ahuja et al., "Invariance principle meets information bottleneck for
       out-of-distribution generalization", NeurIPS 2021.
    """

    bottleneck: str = "features"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "bottleneck": [StrOptions({"features", "outputs"})],
    }


@estimator
class _IBERM(_Bottleneck):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=0.1
        Weight of the variance, ``lambda`` in Notes. 0 gives the model of ERM, bit for
        bit.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \frac{1}{S} \sum_e \frac{1}{K}
       \sum_{k=1}^{K} \mathrm{Var}_e(z_k)

    with the variance of feature (or output) k within domain e. The weight is 0 before
    `penalty_anneal_iters`. The paper's linear experiments penalise the outputs,
    DomainBed the features. The variance of features is not invariant to scale: small
    features with a large last layer have the same risk, so `alpha` should not be 0.

    The variance is that of the population; DomainBed's is n / (n - 1) times as large.
    """

    penalty_weight: float = 0.1

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        function = partial(within_domain_variance, bottleneck=self.bottleneck)
        return RiskStep(self._annealed(function, weight_before=0.0))


@estimator
class _IBIRM(_Bottleneck):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the penalty of IRM, ``lambda`` in Notes.

    bottleneck_weight : float, default=0.1
        Weight of the variance, ``eta`` in Notes. With both weights 0 the model is that
        of ERM, bit for bit.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty" and "bottleneck": the two
        penalties before their weights, of shape (n_iter,), if their weights are not 0.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \frac{1}{S} \sum_e |\nabla_{w|w=1}
       R_e(w f)|^2 + \eta \, \frac{1}{S} \sum_e \frac{1}{K} \sum_k \mathrm{Var}_e(z_k),

    the penalty of `skdg.IRMClassifier` with a scalar dummy and that of
    `skdg.IBERMClassifier`. Before `penalty_anneal_iters` their weights are min(1,
    lambda) and 0. The objective is divided by lambda where that exceeds 1.
    """

    penalty_weight: float = 1.0
    bottleneck_weight: float = 0.1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "bottleneck_weight": [Interval(Real, 0, None, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        before = min(1.0, self.penalty_weight)
        bottleneck = Penalty(
            partial(within_domain_variance, bottleneck=self.bottleneck),
            float(self.bottleneck_weight),
            self.penalty_anneal_iters,
            reset_optimizer=self.reset_optimizer,
            name="bottleneck",
        )
        return RiskStep(self._annealed(irm_penalty, before, rescale=True), bottleneck)


@estimator
class IBERMClassifier(_IBERM, NetworkClassifier):
    """Classifier with the lowest mean risk through an information bottleneck.

    See Also
    --------
    skdg.IBIRMClassifier : The bottleneck and IRM.

    Examples
    --------
    >>> from skdg.invariance import IBERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> IBERMClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class IBERMRegressor(_IBERM, NetworkRegressor):
    """Regressor with the lowest mean risk through an information bottleneck.

    See Also
    --------
    skdg.IBIRMRegressor : The bottleneck and IRM.

    Examples
    --------
    >>> from skdg.invariance import IBERMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> IBERMRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class IBIRMClassifier(_IBIRM, NetworkClassifier):
    """Classifier by invariant risk minimization with an information bottleneck.

    See Also
    --------
    skdg.IRMClassifier : The same without the bottleneck.

    Examples
    --------
    >>> from skdg.invariance import IBIRMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> sorted(IBIRMClassifier(random_state=0).fit(X, y, groups=groups).history_)
    ['bottleneck', 'penalty', 'risk']
    """


@estimator
class IBIRMRegressor(_IBIRM, NetworkRegressor):
    """Regressor by invariant risk minimization with an information bottleneck.

    See Also
    --------
    skdg.IRMRegressor : The same without the bottleneck.

    Examples
    --------
    >>> from skdg.invariance import IBIRMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> sorted(IBIRMRegressor(random_state=0).fit(X, y, groups=groups).history_)
    ['bottleneck', 'penalty', 'risk']
    """

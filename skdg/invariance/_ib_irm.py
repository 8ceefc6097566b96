# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Invariant risk minimization with an information bottleneck."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.models import number
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Penalty, RiskStep, Step, one
from skdg.invariance._bottleneck import Bottleneck
from skdg.invariance._irm_penalty import irm_derivative, irm_penalty


@estimator
class _IBIRM(Bottleneck):
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

    the penalty of `skdg.IRMClassifier` with a scalar dummy, which sees the outputs, and
    that of `skdg.IBERMClassifier`. Before `penalty_anneal_iters` their weights are
    min(1, lambda) and 0. The objective, with the L2 penalty, is divided by lambda where
    that exceeds 1, as in the code of IRM.

    DomainBed does not divide, has a weight of 1 before the annealing of IRM's penalty,
    estimates that by even and odd rows, and anneals the two penalties apart. Here a
    large weight does not mean large steps, two weights of 0 are ERM, the result does
    not depend on the order of rows, and there is one schedule to choose.
    """

    penalty_weight: float = 1.0
    bottleneck_weight: float = 0.1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "bottleneck_weight": [Interval(Real, 0, None, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        before = np.minimum(1.0, self.penalty_weight)
        bottleneck = Penalty(
            number(self.bottleneck_weight),
            self.penalty_anneal_iters,
            **self._variance(),
            reset_optimizer=self.reset_optimizer,
            name="bottleneck",
        )
        return RiskStep(
            self._annealed(
                irm_penalty,
                before,
                divided_above=one,
                derivative=irm_derivative,
                of_moments=True,
            ),
            bottleneck,
        )


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

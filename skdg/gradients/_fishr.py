# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Fishr: equal variances of gradients."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.models import is_any, number, per_model
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Derivatives, RiskStep, Step
from skdg.gradients._head_gradients import HeadGradients, n_variances


class FishrPenalty:
    """Spread over domains of the gradients' variances, or of running averages of them.

    `ema` is the share of the past in the averages, of each model if there are several.
    """

    # Of what it remembers, each model has its own.
    sees_all_models = True

    def __init__(self, ema: Any) -> None:
        self._ema = ema
        self.memory: dict[str, Tensor] = {}

    def __call__(self, batch: DomainBatch) -> Tensor:
        """Return the penalty of a batch, and remember its variances."""
        self._gradients = HeadGradients(batch)
        variances = self._gradients.variances()
        if is_any(self._ema):
            if "past" not in self.memory:
                self.memory["past"] = variances.detach().clone()
            past, ema = self.memory["past"], per_model(self._ema, variances)
            variances = ema * past + (1.0 - ema) * variances
            past.copy_(variances.detach())
        # The gradient in the mean over domains is 0.
        self._deviations = variances - variances.detach().mean(-2, keepdim=True)
        return self._deviations.square().mean((-2, -1))

    def derivative(self, batch: DomainBatch) -> Derivatives:
        """Return the derivative of the last penalty, that of the batch."""
        present = 1.0 - per_model(self._ema, self._deviations)
        factors = self._deviations * (present * (2.0 / n_variances(batch)))
        return self._gradients.derivatives(factors)


@estimator
class _Fishr(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the spread of variances, ``lambda`` in Notes. 0 gives the model of
        ERM, bit for bit.

    ema : float, default=0.0
        Share of the past in a running average of each domain's variances, which
        steadies them when batches are small; 0 for none. See Notes on the scale.

    Notes
    -----
    With v_e the variances over the rows of domain e of the gradient in each of the P
    weights and offsets of the *last linear layer*, the objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, \frac{1}{S P} \sum_e \| v_e - \bar v
       \|^2,

    the mean over domains and parameters, with the variance of the population, in closed
    form. The weight is 0 before `penalty_anneal_iters`. The objective, with the L2
    penalty, is divided by lambda / (S P), the weight of the plain sum, where that
    exceeds 1 (not so in DomainBed).

    A running average ``v <- ema * past + (1 - ema) * v`` starts at the first batch's
    variances; its past is held fixed, so that the gradient is (1 - ema) times that
    without it. DomainBed's average lacks this factor: it grows to 1 / (1 - ema) times
    the variance, and the penalty to the square of that (400 at its 0.95). Its weight of
    1000 at ema = 0.95 is 400 000 here. The authors' Colored MNIST code has no average
    and the plain sum, of weight lambda / (S P), which is divided as here; before
    annealing it has the weight 1.

    References
    ----------
    .. [1] A. Rame, C. Dancette and M. Cord, "Fishr: invariant gradient variances for
       out-of-distribution generalization", ICML 2022.
    """

    penalty_weight: float = 1.0
    ema: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "ema": [Interval(Real, 0, 1, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = FishrPenalty(number(self.ema))
        return RiskStep(
            self._annealed(
                penalty, 0.0, divided_above=n_variances, derivative=penalty.derivative
            ),
            memory=penalty.memory,
        )


@estimator
class FishrClassifier(_Fishr, NetworkClassifier):
    """Classifier whose gradients vary equally in all domains.

    See Also
    --------
    skdg.IGAClassifier : Equal means of gradients.

    Examples
    --------
    >>> from skdg.gradients import FishrClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> FishrClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class FishrRegressor(_Fishr, NetworkRegressor):
    """Regressor whose gradients vary equally in all domains.

    See Also
    --------
    skdg.IGARegressor : Equal means of gradients.

    Examples
    --------
    >>> from skdg.gradients import FishrRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> FishrRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

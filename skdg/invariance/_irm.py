# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Invariant risk minimization."""

from functools import partial
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step, one
from skdg.invariance._irm_penalty import affine_derivative, irm_derivative, irm_penalty

# In closed form; the others are left to autograd.
_DERIVATIVES = {"scalar": irm_derivative, "affine": affine_derivative}


@estimator
class _IRM(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the penalty, ``lambda`` in Notes. 0 gives the model of ERM, bit for
        bit. Of the order of 1 for tables and of 10 000 for Colored MNIST. With a scalar
        or affine dummy 1000 and more can drive a linear model to 0, where the penalty
        vanishes too.

    dummy : {"scalar", "affine", "vector"}, default="scalar"
        The fixed predictor on top of the representation: the number 1, the number 1 and
        an offset of 0 for each output, or a vector of ones with an entry for each
        feature that enters the last layer.

    penalty_estimate : {"squared", "unbiased"}, default="squared"
        How the squared gradient is estimated from a batch: by the square of its mean,
        which is too large by the mean's variance, or by the mean product of different
        rows, which is unbiased and can be negative. On all rows there is little
        difference. For the latter sample weights must count rows: a domain of total
        weight 1 or less contributes 0.

    Notes
    -----
    The objective is IRMv1 [1]_, with the mean over domains in both terms,

    .. math::

        \frac{1}{S} \sum_{e=1}^{S} R_e(\theta) + \lambda \frac{1}{S}
        \sum_{e=1}^{S} \left\| \nabla_w R_e(w \circ \theta) \right\|^2_{w=1}.

    A vector's squared norm is divided by its length. Before `penalty_anneal_iters` the
    weight is min(1, lambda). The objective, with the L2 penalty, is divided by the
    weight where that exceeds 1. The penalty sees the outputs (with their offset); with
    the vector dummy the contributions of the last layer's inputs to them (without it).
    With a linear hidden layer and the vector dummy this is the paper's linear
    experiment. The affine dummy, that of the code of the Linear Unit-Tests [2]_, adds
    the squared mean residual of each domain and output: 1 can be the best factor for
    outputs that are too small, if their offset is wrong as well.

    The paper sums both terms over domains; its code for Colored MNIST is as here, with
    a weight of 1 before annealing and offsets in the L2 penalty. DomainBed multiplies
    the gradients of even and odd rows, of which "unbiased" is the average over all
    splits, has a weight of 1 before annealing, resets Adam then (`reset_optimizer`),
    and does not divide. Here no order of rows matters, a large lambda is a small weight
    of the risks and not a large step, and lambda = 0 is ERM from the first iteration
    on. Where domains differ only in the means of spurious features, and there are no
    more domains than such features, the data cannot single out the invariant ones, and
    IRM does not help.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant risk
       minimization", arXiv:1907.02893, 2019.
    .. [2] B. Aubin, A. Slowik, M. Arjovsky, L. Bottou and D. Lopez-Paz, "Linear
       Unit-Tests for Invariance Discovery", arXiv:2102.10867, 2021.
    """

    penalty_weight: float = 1.0
    dummy: str = "scalar"
    penalty_estimate: str = "squared"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "dummy": [StrOptions({"scalar", "affine", "vector"})],
        "penalty_estimate": [StrOptions({"squared", "unbiased"})],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = partial(irm_penalty, dummy=self.dummy, estimate=self.penalty_estimate)
        before = np.minimum(1.0, self.penalty_weight)
        is_squared = self.penalty_estimate == "squared"
        return RiskStep(
            self._annealed(
                penalty,
                before,
                divided_above=one,
                derivative=_DERIVATIVES.get(self.dummy) if is_squared else None,
                of_moments=is_squared,
            )
        )


@estimator
class IRMClassifier(_IRM, NetworkClassifier):
    """Classifier by invariant risk minimization: one predictor optimal everywhere.

    See Also
    --------
    skdg.ERMClassifier : The same model without the penalty.

    Examples
    --------
    >>> from skdg import IRMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> train = groups != "test"
    >>> model = IRMClassifier(hidden_layer_sizes=(), penalty_weight=10.0)
    >>> sorted(model.fit(X[train], y[train], groups=groups[train]).history_)
    ['penalty', 'risk']
    """


@estimator
class IRMRegressor(_IRM, NetworkRegressor):
    """Regressor by invariant risk minimization: one predictor optimal everywhere.

    See Also
    --------
    skdg.ERMRegressor : The same model without the penalty.

    Examples
    --------
    >>> from skdg import IRMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FEU", random_state=0)
    >>> model = IRMRegressor(hidden_layer_sizes=(), penalty_weight=9.0)
    >>> model.fit(X, y, groups=groups).coef_.shape
    (10,)
    """

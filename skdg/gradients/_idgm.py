# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Inter-domain gradient matching."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import number
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import GradientStep, Penalty, Step

# A mean risk of so many times that of predicting 0 (or of the start) is a collapse: the
# agreement of gradients is then what the model lives on.
_COLLAPSE = 1.5


def gradient_disagreement(gradients: Tensor) -> Tensor:
    """Return minus the mean inner product over pairs of domains; 0 for one domain.

    The sum over ordered pairs is |sum_e G_e|^2 - sum_e |G_e|^2, in linear time.
    """
    n_domains = len(gradients)
    if n_domains == 1:
        return gradients.sum() * 0.0
    total = gradients.sum(0)
    squares = _squared_norm(gradients) - _squared_norm(total)
    return squares / (n_domains * (n_domains - 1))


def disagreement_derivative(gradients: Tensor) -> Tensor:
    """Write over gradients the derivative of `gradient_disagreement` in them."""
    n_domains = len(gradients)
    factor = 2.0 / (n_domains * max(1, n_domains - 1))
    return gradients.sub_(gradients.sum(0)).mul_(factor)


def _squared_norm(values: Tensor) -> Tensor:
    flat = values.flatten()
    return flat.dot(flat)


@estimator
class _IDGM(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    gamma : float, default=0.01
        Weight of the agreement of gradients. 0 gives the model of ERM, bit for bit. See
        Notes on values that are too large.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty": minus the mean inner product
        of gradients, of shape (n_iter,), unless `gamma` is 0.

    Notes
    -----
    The objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e - \gamma \frac{2}{S (S - 1)} \sum_{i < j}
       G_i^\top G_j,

    with :math:`G_e` the gradient of :math:`R_e` in all parameters (without the L2
    penalty): means over domains and over pairs, without annealing. Its gradient is
    exact, second order included. It is *unbounded below* wherever gradients are: a
    large `gamma` is best served by predictions that are wrong in every domain alike.
    Training stops with a `DivergenceError` when a number is not finite, or when it ends
    with a mean risk of more than 1.5 times that of the start or of predicting 0. A
    smaller `gamma` may still leave a risk far above that of ERM; `history_` shows it.
    The authors have published no code for this objective.

    References
    ----------
    .. [1] Y. Shi et al., "Gradient matching for domain generalization", ICLR 2022
       (arXiv:2104.09937).
    """

    gamma: float = 0.01

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = Penalty(
            number(self.gamma),
            function=gradient_disagreement,
            derivative=disagreement_derivative,
        )
        return GradientStep(penalty, tolerated_growth=_COLLAPSE)


@estimator
class IDGMClassifier(_IDGM, NetworkClassifier):
    """Classifier that follows gradients on which all domains agree.

    See Also
    --------
    skdg.FishClassifier : The first-order form of the same idea.
    skdg.ERMClassifier : The same model with ``gamma=0``.

    Examples
    --------
    >>> from skdg import IDGMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> train = groups != "test"
    >>> model = IDGMClassifier(
    ...     hidden_layer_sizes=(),
    ...     gamma=2.5,
    ...     optimizer="sgd",
    ...     learning_rate_init=0.1,
    ...     learning_rate="constant",
    ...     max_iter=1000,
    ... ).fit(X[train], y[train], groups=groups[train])
    >>> round(model.score(X[~train], y[~train]), 2)
    0.93
    """


@estimator
class IDGMRegressor(_IDGM, NetworkRegressor):
    """Regressor that follows gradients on which all domains agree.

    See Also
    --------
    skdg.FishRegressor : The first-order form of the same idea.
    skdg.ERMRegressor : The same model with ``gamma=0``.

    Examples
    --------
    >>> from skdg import IDGMRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> model = IDGMRegressor(hidden_layer_sizes=(), gamma=0.01)
    >>> model.fit(X, y, groups=groups).coef_.shape
    (10,)
    """

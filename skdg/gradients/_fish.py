# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Fish: gradient matching to first order."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import number
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import Step
from skdg.gradients._fish_step import FishStep


@estimator
class _Fish(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    meta_learning_rate : float, default=0.5
        Part of the way from the parameters to where a step per domain has led them,
        ``epsilon`` in Notes. 1 is sequential gradient descent over the domains.

    optimizer : {"adam", "sgd"}, default="adam"
        Rule of the inner steps: "sgd" is the paper's algorithm, "adam" what most
        of its experiments use. Adam's moments live on from one iteration to the next.

    learning_rate_init : float, default=0.01
        Step size of the inner steps, ``alpha`` in Notes.

    max_iter : int or "auto", default="auto"
        Number of iterations, each of one inner step per domain. "auto" is 160, or about
        64 passes over the rows where these take more.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain just before its inner step, of shape
        (n_iter, n_domains), in the order of `domains_`.

    Notes
    -----
    Each iteration goes through the domains in a new random order [1]_,

    .. math:: \tilde\theta \leftarrow \tilde\theta - \alpha \nabla R_e(\tilde\theta),

    from :math:`\tilde\theta = \theta`, and then sets :math:`\theta \leftarrow \theta
    + \epsilon (\tilde\theta - \theta)`. Averaged over orders and to third order in
    :math:`\alpha`, the inner steps descend on :math:`\sum_e R_e - \frac{\alpha}{4}
    \sum_{i \neq j} G_i^\top G_j`: the risk, and the agreement of gradients with a
    weight that is tied to the step size, in all parameters, without annealing. With
    Adam that is not the objective. The L2 penalty is a part of each inner step. One
    domain and a rate of 1 give ERM.

    The authors' code divides its rate by the number of domains that it samples, and on
    some data starts from ERM, or forgets Adam's moments. Here all domains take part,
    and the rate is a share of the way, however many there are. DomainBed keeps the
    domains in one order, for which the expansion fails.

    References
    ----------
    .. [1] Y. Shi et al., "Gradient matching for domain generalization", ICLR 2022.
    """

    meta_learning_rate: float = 0.5

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "meta_learning_rate": [Interval(Real, 0, 1, closed="right")],
    }

    # The order of domains is drawn for all models at once.
    _shared_by_models: ClassVar[tuple[str, ...]] = ("random_state",)

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return FishStep(number(self.meta_learning_rate), random_state)


@estimator
class FishClassifier(_Fish, NetworkClassifier):
    """Classifier by Fish: gradients that agree, without second derivatives.

    See Also
    --------
    skdg.IDGMClassifier : The objective that Fish approximates.

    Examples
    --------
    >>> from skdg import FishClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> FishClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class FishRegressor(_Fish, NetworkRegressor):
    """Regressor by Fish: gradients that agree, without second derivatives.

    See Also
    --------
    skdg.IDGMRegressor : The objective that Fish approximates.

    Examples
    --------
    >>> from skdg import FishRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> FishRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

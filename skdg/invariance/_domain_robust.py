# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Any estimator, made robust to its worst domain: parameters and objective."""

from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skdg._dataclass import estimator
from skdg.invariance._domain_rounds import DomainRounds


@estimator
class DomainRobust(DomainRounds):
    r"""What classifier and regressor share.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What is made robust; its fit must take `sample_weight`. A clone is fitted in
        each round.

    n_rounds : int, default=10
        Number of rounds, each a fit.

    step_size : float, default=1.0
        Rate at which the weights of domains follow their losses, ``eta`` in Notes. 0
        weighs all domains equally, with one round as good as many.

    combine : {"average", "last"}, default="average"
        Whether to predict by the average over the models of all rounds, for which the
        worst loss is known to come near the best one, see Notes, or by the last one,
        which predicts faster.

    validation_fraction : float or None, default=None
        Share of the rows of each domain that is kept from the models and measures their
        losses. A model that fits its training rows perfectly (such as boosting with
        many trees) needs it: its training losses say nothing.

    random_state : int, RandomState instance or None, default=None
        Source of the validation rows.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted models that predict: those of all rounds, or the last.

    domain_weights_ : ndarray of shape (n_rounds, n_domains)
        Weights of the domains in each round, in the order of `domains_`.

    domain_losses_ : ndarray of shape (n_rounds, n_domains)
        Losses of the domains after each round.

    Notes
    -----
    The objective is the loss in the worst mixture of domains,

    .. math:: \min_h \max_q \sum_e q_e L_e(h), \qquad q_e \ge 0, \quad \sum_e q_e = 1.

    The mixture is found by exponentiated gradient ascent, around fits that take it as
    given: from uniform weights on, in each round,

    .. math:: h \leftarrow \mathrm{fit}\left(\text{weights } \frac{q_e w_i}{\sum_{j \in
       e} w_j}\right), \qquad q_e \leftarrow \frac{q_e \exp(\eta \, L_e(h))}{\sum_i q_i
       \exp(\eta \, L_i(h))},

    with L_e the mean loss in domain e: the log loss of a classifier (of probabilities
    not below rounding; the share of errors if it gives none), the squared error of a
    regressor over the variance of y. Weights sum to those of the input. For convex
    losses the average of all rounds approaches the mixture's saddle point [1]_, up to a
    gap that grows with `step_size`, however many rounds there are. This is
    the idea of `skdg.GroupDROClassifier` [2]_ for models that are not trained by
    gradients. That updates the weights before each step; here a model has to be fitted
    before there are losses.

    References
    ----------
    .. [1] Y. Freund and R. E. Schapire, "Adaptive game playing using multiplicative
       weights", Games and Economic Behavior 29, 1999.
    .. [2] S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally robust
       neural networks for group shifts", ICLR 2020.
    """

    estimator: Any = field(default=None, kw_only=False)
    n_rounds: int = 10
    step_size: float = 1.0
    combine: str = "average"
    validation_fraction: float | None = None
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit"]), None],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="left")],
        "combine": [StrOptions({"average", "last"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    }

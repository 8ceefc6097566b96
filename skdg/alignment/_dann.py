# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Domain-adversarial training, marginal and class-conditional."""

from collections.abc import Sequence
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.penalized import PenalizedEstimator
from skdg._training.state import check_layer_sizes
from skdg._training.steps import RiskStep, Step
from skdg._training.tasks import NetworkClassifier, NetworkRegressor
from skdg.alignment._adversary import AdversarialStep


@estimator
class _Adversarial(PenalizedEstimator):
    """What all adversarial methods share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the reversed gradient, ``lambda`` in Notes. 0 gives the model of ERM,
        bit for bit.

    discriminator_hidden_layer_sizes : array-like of int, default=(64,)
        Hidden layers of the discriminator, with rectified linear units.

    discriminator_learning_rate : float, default=0.01
        Step size of the discriminator's own Adam. It does not decline: the
        discriminator has to keep up with the features to the end.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty": minus the discriminator's
        cross-entropy, of shape (n_iter,); -log(n_domains) means that it knows nothing.
    """

    penalty_weight: float = 1.0
    discriminator_hidden_layer_sizes: Sequence[int] = (64,)
    discriminator_learning_rate: float = 0.01

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "discriminator_hidden_layer_sizes": ["array-like"],
        "discriminator_learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    _by_class: ClassVar[bool] = False

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        if self.penalty_weight == 0:
            return RiskStep()
        return AdversarialStep(
            # The step has a penalty of its own kind; only the schedule is used.
            self._annealed(abs, weight_before=0.0),
            check_layer_sizes(
                self.discriminator_hidden_layer_sizes,
                "discriminator_hidden_layer_sizes",
            ),
            float(self.discriminator_learning_rate),
            self._by_class,
            random_state,
        )


@estimator
class _DANN(_Adversarial):
    r"""What classifier and regressor share.

    Notes
    -----
    A discriminator D predicts the domain from the features z that enter the last layer;
    the features are made to fail it [1]_:

    .. math:: \min_\theta \max_D \; \frac{1}{S} \sum_e R_e + \lambda \,
       \frac{1}{S} \sum_e \mathrm{mean}_{i \in e} \log D_e(z_i).

    Both move in the same iteration: D down its cross-entropy, the featurizer up lambda
    times it (a reversed gradient, as in the paper). DomainBed alternates instead. The
    weight is 0 before `penalty_anneal_iters`, while D already learns. With one domain
    there is nothing to discriminate, and the model is that of ERM. A linear model has
    no features that could change. Where the domains differ in the share of each class,
    features of the same distribution cannot predict well.

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-adversarial training of neural networks", JMLR 17,
       2016.
    """


@estimator
class DANNClassifier(_DANN, NetworkClassifier):
    """Classifier on features that do not tell the domain: adversarial training.

    See Also
    --------
    skdg.CDANNClassifier : Features that do not tell the domain given the class.

    Examples
    --------
    >>> from skdg.alignment import DANNClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> DANNClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class DANNRegressor(_DANN, NetworkRegressor):
    """Regressor on features that do not tell the domain: adversarial training.

    See Also
    --------
    skdg.CORALRegressor : Aligned moments, without an adversary.

    Examples
    --------
    >>> from skdg.alignment import DANNRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> DANNRegressor(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class CDANNClassifier(_Adversarial, NetworkClassifier):
    r"""Classifier on features that do not tell the domain given the class.

    See Also
    --------
    skdg.DANNClassifier : Features that do not tell the domain.

    Notes
    -----
    As `skdg.DANNClassifier`, with a discriminator that also sees the class of each row
    [1]_, and rows weighted so that each class counts equally. The class enters as one
    indicator per class beside the features; DomainBed adds a vector that is learned for
    each class to them, which a first linear layer turns into the same. There is no
    regressor: the method is defined for classes alone.

    References
    ----------
    .. [1] Y. Li, X. Tian, M. Gong, Y. Liu, T. Liu, K. Zhang and D. Tao, "Deep domain
       generalization via conditional invariant adversarial networks", ECCV 2018.

    Examples
    --------
    >>> from skdg.alignment import CDANNClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> CDANNClassifier(random_state=0).fit(X, y, groups=groups).n_domains_
    3
    """

    _by_class: ClassVar[bool] = True

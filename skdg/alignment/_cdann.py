# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Domain-adversarial training, given the class."""

from typing import ClassVar

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg.alignment._adversarial import Adversarial


@estimator
class CDANNClassifier(Adversarial, NetworkClassifier):
    r"""Classifier on features that do not reveal the domain given the class.

    See Also
    --------
    skdg.DANNClassifier : Features that do not reveal the domain.

    Notes
    -----
    The objective is that of `skdg.DANNClassifier`, with a discriminator D that also
    sees the class c of each row [1]_,

    .. math:: \min_\theta \max_D \; \frac{1}{S} \sum_e R_e + \lambda \,
       \frac{1}{C} \sum_{c} \mathrm{mean}_{i: y_i = c} \log D_{e(i)}(z_i, c),

    so that in the second mean the C classes count equally, and not the domains. It sees
    the features z that enter the last layer. As in DANN its gradient is reversed, and
    the weight is 0 before `penalty_anneal_iters` (DomainBed alternates, without
    annealing). The class enters as one indicator per class beside the features;
    DomainBed adds a vector that is learned for each class to them, which a first linear
    layer turns into the same. There is no regressor: the method is defined for classes
    alone.

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

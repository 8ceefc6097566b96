# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Domain-adversarial training."""

from skdg._dataclass import estimator
from skdg._training.classification import NetworkClassifier
from skdg._training.regression import NetworkRegressor
from skdg.alignment._adversarial import Adversarial


@estimator
class _DANN(Adversarial):
    r"""What classifier and regressor share.

    Notes
    -----
    A discriminator D predicts the domain from the features z that enter the last layer;
    the features are made to fail it. The objective is [1]_

    .. math:: \min_\theta \max_D \; \frac{1}{S} \sum_e R_e + \lambda \,
       \frac{1}{S} \sum_e \mathrm{mean}_{i \in e} \log D_e(z_i).

    Both move in the same iteration: D down its cross-entropy, the featurizer up lambda
    times it (a reversed gradient, as in the paper, and one pass for both). DomainBed
    alternates instead, has no annealing, and offers a penalty on the discriminator's
    gradient, by default of weight 0, which is left out. The weight is 0 before
    `penalty_anneal_iters`, while D already learns. With one domain there is nothing to
    discriminate, and the model is that of ERM. A linear model has no features that
    could change. Where the domains differ in the share of each class, features of the
    same distribution cannot predict well.

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-adversarial training of neural networks", JMLR 17,
       2016.
    """


@estimator
class DANNClassifier(_DANN, NetworkClassifier):
    """Classifier on features that do not reveal the domain: adversarial training.

    See Also
    --------
    skdg.CDANNClassifier : Features that do not reveal the domain given the class.

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
    """Regressor on features that do not reveal the domain: adversarial training.

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

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Inter-domain Mixup."""

from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.estimators import NetworkEstimator
from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.rows import DomainRows
from skdg._training.steps import Network, Record, RiskStep, Step
from skdg._training.tasks import NetworkClassifier, NetworkRegressor


def mix(first: DomainRows, second: DomainRows, share: float) -> DomainRows:
    """Mix rows of two domains one by one, ``share`` of the first.

    The loss of a mixed row is share * loss(y_1) + (1 - share) * loss(y_2). Losses here
    are linear in the targets (or, squared, up to a constant), so that it is the loss of
    one mixed target. Weights multiply, as if each repetition of a row met each of the
    other.
    """
    return DomainRows(
        share * first.inputs + (1.0 - share) * second.inputs,
        share * first.targets + (1.0 - share) * second.targets,
        first.sample_weight * second.sample_weight,
        first.sizes,
    )


class MixupStep(RiskStep):
    """Descend on the mean risk of rows that mix pairs of domains.

    Parameters
    ----------
    concentration : float
        Both parameters of the beta distribution of shares.

    random_state : RandomState
        Source of pairs, rows and shares.
    """

    def __init__(
        self, concentration: float, random_state: np.random.RandomState
    ) -> None:
        super().__init__()
        self._concentration = concentration
        self._random_state = random_state

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Mix the rows, and take one optimizer step on them."""
        if rows.n_domains > 1:
            rows = self._mix_domains(rows)
        return super().advance(network, rows, loss, optimizer, iteration)

    def _mix_domains(self, rows: DomainRows) -> DomainRows:
        """Mix each domain with the next one in a random cyclic order."""
        rng = self._random_state
        order = rng.permutation(rows.n_domains)
        mixed: list[DomainRows] = [rows] * rows.n_domains
        for domain, partner in zip(order, np.roll(order, -1), strict=True):
            pair = (rows.by_domain[domain], rows.by_domain[partner])
            size = min(len(part.inputs) for part in pair)
            first, second = (_sample(part, size, rng) for part in pair)
            share = float(rng.beta(self._concentration, self._concentration))
            mixed[domain] = mix(first, second, share)
        return DomainRows(
            torch.cat([part.inputs for part in mixed]),
            torch.cat([part.targets for part in mixed]),
            torch.cat([part.sample_weight for part in mixed]),
            tuple(size for part in mixed for size in part.sizes),
        )


def _sample(
    rows: DomainRows, size: int, random_state: np.random.RandomState
) -> DomainRows:
    index = torch.as_tensor(random_state.permutation(len(rows.inputs))[:size])
    return rows.take(index.to(rows.inputs.device), (size,))


@estimator
class _Mixup(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    concentration : float, default=0.2
        Both parameters of the beta distribution of the share of the first row. Small
        values mix little, 1 makes all shares equally likely.

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain's *mixed* rows in every iteration, of shape
        (n_iter, n_domains), in the order of `domains_`.

    Notes
    -----
    In each iteration the domains form a random cycle; rows of each domain i are mixed
    with those of the next, j, and the objective is the mean over domains of [1]_

    .. math:: \lambda \, \ell(f(x), y_i) + (1 - \lambda) \, \ell(f(x), y_j), \qquad x =
       \lambda x_i + (1 - \lambda) x_j,

    with one share lambda per pair and as many rows as the smaller domain of the pair
    has in the batch, drawn at random. With one domain it is ERM. There is no penalty;
    `penalty_weight` does not apply. DomainBed is the same with the first rows instead
    of random ones.

    References
    ----------
    .. [1] S. Yan, H. Song, N. Li, L. Zou and L. Ren, "Improve unsupervised domain
       adaptation with mixup training", arXiv:2001.00677, 2020.
    """

    concentration: float = 0.2

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "concentration": [Interval(Real, 0, None, closed="neither")],
    }

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        return MixupStep(float(self.concentration), random_state)


@estimator
class MixupClassifier(_Mixup, NetworkClassifier):
    """Classifier trained on rows between domains.

    See Also
    --------
    skdg.ERMClassifier : The same without mixing.

    Examples
    --------
    >>> from skdg.alignment import MixupClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = MixupClassifier(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class MixupRegressor(_Mixup, NetworkRegressor):
    """Regressor trained on rows between domains.

    See Also
    --------
    skdg.ERMRegressor : The same without mixing.

    Examples
    --------
    >>> from skdg.alignment import MixupRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", random_state=0)
    >>> model = MixupRegressor(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """

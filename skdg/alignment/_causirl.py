# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Causality-inspired invariant representations."""

from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.classification import NetworkClassifier
from skdg._training.penalized import PenalizedEstimator
from skdg._training.regression import NetworkRegressor
from skdg._training.steps import RiskStep, Step
from skdg.alignment._feature_distance import FeatureDistance, no_distance
from skdg.alignment._split_distance import split_distance


class RandomSplitPenalty(FeatureDistance):
    """The distance between two parts of a batch that mix the domains at random.

    `distance` is "coral" or "mmd", and `random_state` the source of the splits.
    """

    def __init__(self, distance: str, random_state: np.random.RandomState) -> None:
        self._distance = distance
        self._random_state = random_state

    def distance(self, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        """Return the distance for a new split, and its gradient in the features."""
        rows = batch.rows
        if rows.n_domains == 1:
            return no_distance(batch.features)
        # A share that is uniform in [0, 1] makes the number of rows uniform as well.
        shares = self._random_state.uniform(size=rows.n_domains)
        draws = self._random_state.uniform(size=rows.n_rows)
        first = torch.as_tensor(draws < np.repeat(shares, rows.sizes))
        return split_distance(batch, first, self._distance)


@estimator
class _CausIRL(PenalizedEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    penalty_weight : float, default=1.0
        Weight of the distance, ``lambda`` in Notes. 0 gives the model of ERM, bit for
        bit.

    distance : {"coral", "mmd"}, default="coral"
        Distance of feature distributions, as in `skdg.CORALClassifier` or (with the
        widths from the mean distance) `skdg.MMDClassifier`.

    Notes
    -----
    In each iteration a random number of rows of every domain, uniform between none and
    all, goes to one part and the rest to another; the objective is [1]_

    .. math:: \frac{1}{S} \sum_e R_e + \lambda \, d(\text{first part}, \text{second
       part})

    with d on the features that enter the last layer: a representation by which two
    differently mixed populations cannot be told apart. With one domain d is 0 (nothing
    is mixed), and so it is where a part has fewer than two rows. The weight is 0 before
    `penalty_anneal_iters`. DomainBed has no annealing and takes the first rows of each
    domain's batch, which here may be in the order of the table.

    References
    ----------
    .. [1] M. Chevalley, C. Bunne, A. Krause and S. Bauer, "Invariant causal mechanisms
       through distribution matching", arXiv:2206.11646, 2022.
    """

    penalty_weight: float = 1.0
    distance: str = "coral"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "distance": [StrOptions({"coral", "mmd"})],
    }

    # The splits are drawn for all models at once.
    _shared_by_models: ClassVar[tuple[str, ...]] = ("random_state",)

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        penalty = RandomSplitPenalty(self.distance, random_state)
        return RiskStep(
            self._annealed(
                penalty,
                weight_before=0.0,
                derivative=penalty.derivative,
                on_host=True,
            )
        )


@estimator
class CausIRLClassifier(_CausIRL, NetworkClassifier):
    """Classifier on features that do not tell mixtures of domains apart.

    See Also
    --------
    skdg.CORALClassifier : The same distance between domains.

    Examples
    --------
    >>> from skdg.alignment import CausIRLClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = CausIRLClassifier(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """


@estimator
class CausIRLRegressor(_CausIRL, NetworkRegressor):
    """Regressor on features that do not tell mixtures of domains apart.

    See Also
    --------
    skdg.CORALRegressor : The same distance between domains.

    Examples
    --------
    >>> from skdg.alignment import CausIRLRegressor
    >>> from skdg.datasets import make_irm_sem
    >>> X, y, groups = make_irm_sem("FOU", n_samples=100, random_state=0)
    >>> model = CausIRLRegressor(random_state=0, max_iter=20)
    >>> model.fit(X, y, groups=groups).n_domains_
    3
    """

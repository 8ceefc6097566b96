# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What methods that train against a discriminator of domains share."""

from collections.abc import Sequence
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.models import is_any, number
from skdg._training.penalized import PenalizedEstimator
from skdg._training.state import check_layer_sizes
from skdg._training.steps import RiskStep, Step
from skdg.alignment._adversary import AdversarialStep


@estimator
class Adversarial(PenalizedEstimator):
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

    # The discriminators start from the same weights.
    _shared_by_models: ClassVar[tuple[str, ...]] = ("random_state",)

    _by_class: ClassVar[bool] = False

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        if not is_any(self.penalty_weight):
            return RiskStep()
        return AdversarialStep(
            self._schedule(weight_before=0.0),
            check_layer_sizes(
                self.discriminator_hidden_layer_sizes,
                "discriminator_hidden_layer_sizes",
            ),
            number(self.discriminator_learning_rate),
            self._by_class,
            random_state,
        )

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The information bottleneck: what ERM and IRM with it share."""

from functools import partial
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.penalized import PenalizedEstimator
from skdg._training.steps import Derivatives


def within_domain_variance(batch: DomainBatch, bottleneck: str = "features") -> Tensor:
    """Return the variance of features or outputs within domains, of each model.

    Averaged over domains and over features (or outputs).
    """
    centered = _centered(batch, bottleneck)
    return batch.rows.mean(centered.square()).mean((-2, -1))


def within_domain_variance_derivative(
    batch: DomainBatch, bottleneck: str = "features"
) -> Derivatives:
    """Return the derivative of `within_domain_variance`."""
    centered = _centered(batch, bottleneck)
    shares = batch.rows.shares * (2.0 / centered.shape[-1])
    return Derivatives(**{bottleneck: centered.mul_(shares)})


def _centered(batch: DomainBatch, bottleneck: str) -> Tensor:
    values = batch.features if bottleneck == "features" else batch.outputs
    return batch.rows.centered(values, batch.rows.mean(values))


@estimator
class Bottleneck(PenalizedEstimator):
    """What all methods with a bottleneck share.

    Parameters
    ----------
    bottleneck : {"features", "outputs"}, default="features"
        Whose variance is penalized: that of the features that enter the last layer, or
        that of the outputs. A linear model has no features to change; use "outputs".

    References
    ----------
    .. [1] K. Ahuja et al., "Invariance principle meets information bottleneck for
       out-of-distribution generalization", NeurIPS 2021.
    """

    bottleneck: str = "features"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "bottleneck": [StrOptions({"features", "outputs"})],
    }

    def _variance(self) -> dict[str, Any]:
        """Return what a penalty of the variance consists of."""
        return {
            "function": partial(within_domain_variance, bottleneck=self.bottleneck),
            "derivative": partial(
                within_domain_variance_derivative, bottleneck=self.bottleneck
            ),
            "of_moments": True,
        }

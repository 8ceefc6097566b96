# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The information bottleneck: what ERM and IRM with it share."""

from typing import ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from skdg._dataclass import estimator
from skdg._training.batch import DomainBatch
from skdg._training.penalized import PenalizedEstimator


def within_domain_variance(batch: DomainBatch, bottleneck: str = "features") -> Tensor:
    """Return the variance of features or outputs within domains.

    Averaged over domains and over features (or outputs).
    """
    values = batch.features if bottleneck == "features" else batch.outputs
    centred = batch.rows.centred(values, batch.rows.mean(values))
    return batch.rows.mean(centred.square()).mean()


@estimator
class Bottleneck(PenalizedEstimator):
    """What all methods with a bottleneck share.

    Parameters
    ----------
    bottleneck : {"features", "outputs"}, default="features"
        Whose variance is penalised: that of the features that enter the last layer, or
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

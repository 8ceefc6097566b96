# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The schedule that methods with a penalty share."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skdg._dataclass import estimator
from skdg._training.estimators import NetworkEstimator
from skdg._training.models import number
from skdg._training.penalties import Penalty, Schedule


@estimator
class PenalizedEstimator(NetworkEstimator):
    """Methods whose objective is the mean risk and a weighted penalty.

    Parameters
    ----------
    penalty_weight : float
        Weight of the penalty. 0 gives the model of ERM, bit for bit.

    penalty_anneal_iters : int, default=0
        Number of iterations at the beginning in which the penalty has another weight,
        see Notes. Training first finds what is predictive, then what is invariant.

    reset_optimizer : bool, default=False
        Whether the optimizer forgets its moments when the weight changes.
    """

    penalty_weight: float
    penalty_anneal_iters: int = 0
    reset_optimizer: bool = False

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "penalty_anneal_iters": [Interval(Integral, 0, None, closed="left")],
        "reset_optimizer": ["boolean"],
    }

    def _schedule(self, weight_before: Any) -> Schedule:
        """Return when the penalty has its weight, and when another one."""
        return Schedule(
            number(self.penalty_weight),
            self.penalty_anneal_iters,
            weight_before,
            self.reset_optimizer,
        )

    def _annealed(
        self, function: Callable, weight_before: Any, **options: Any
    ) -> Penalty:
        """Return the penalty with this schedule."""
        schedule = vars(self._schedule(weight_before))
        return Penalty(**schedule, function=function, **options)

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What is left of networks of several tasks after training, and how it predicts."""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg._training.data import Targets
from skdg._training.device import resolve_device
from skdg._training.estimators import NetworkEstimator
from skdg._training.state import NetworkState
from skdg.multitask._network_objective import MultiTaskNetworkObjective
from skdg.multitask._row_tasks import row_tasks
from skdg.multitask._task_states import own_layers


@estimator
class FittedTaskNetworks(MultiTaskNetworkObjective):
    """Networks as numpy arrays, with and without a task axis."""

    _optional_attributes: ClassVar[tuple[str, ...]] = (
        *NetworkEstimator._optional_attributes,
        "task_coef_",
        "task_intercept_",
    )

    def _fitted_state(self, task: int | slice) -> NetworkState:
        """Return the network of one task, or all with a leading task axis."""
        n_shared = len(self.coefs_) - len(self.task_coefs_)
        return NetworkState(
            [*self.coefs_[:n_shared], *(own[task] for own in self.task_coefs_)],
            [
                *self.intercepts_[:n_shared],
                *(own[task] for own in self.task_intercepts_),
            ],
            getattr(self, "module_state_", None),
        )

    def _state_attributes(
        self, state: NetworkState, targets: Targets
    ) -> dict[str, Any]:
        attributes = super()._state_attributes(own_layers(state, 0), targets)
        attributes["task_coefs_"] = [a for a in state.coefs if a.ndim == 3]
        attributes["task_intercepts_"] = [a for a in state.intercepts if a.ndim == 2]
        if "coef_" in attributes:
            coef = np.ascontiguousarray(state.coefs[0].mT)
            intercept = state.intercepts[0]
            if targets.attributes.get("_one_dimensional"):
                coef, intercept = coef[:, 0], intercept[:, 0]
            attributes |= {"task_coef_": coef, "task_intercept_": intercept}
        return attributes

    def _outputs(self, X: Any, groups: Any = None) -> np.ndarray:
        """Return the outputs for X, each row by its own task's network."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        device = resolve_device(self.device, fitting=False)
        module = getattr(self, "module_state_", None)
        shared = NetworkState(self.coefs_, self.intercepts_, module)
        if groups is None:
            return self._run(shared, X, device)
        tasks = row_tasks(groups, self.domains_, len(X))
        outputs = np.empty((len(X), len(self.intercepts_[-1])), self.coefs_[0].dtype)
        for task in np.unique(tasks):
            state = shared if task < 0 else self._fitted_state(task)
            rows = np.flatnonzero(tasks == task)
            outputs[rows] = self._run(state, X[rows], device)
        return outputs

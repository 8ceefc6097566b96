# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""How networks of several tasks are built and trained."""

from functools import partial
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch

from skdg._dataclass import estimator
from skdg._training.data import TrainingData
from skdg._training.state import NetworkState
from skdg._training.steps import DirectionStep, RiskStep, Step
from skdg.multitask._combinations import combine_shared
from skdg.multitask._network_fitted import FittedTaskNetworks
from skdg.multitask._network_hard import MultiHeadModuleNetwork, MultiHeadNetwork
from skdg.multitask._network_soft import TaskNetworks
from skdg.multitask._soft_step import SoftSharingStep
from skdg.multitask._task_states import own_layers


@estimator
class MultiTaskNetwork(FittedTaskNetworks):
    """What classifier and regressor share."""

    __metadata_request__predict: ClassVar[dict[str, bool]] = {"groups": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"groups": True}

    @property
    def partial_fit(self) -> NoReturn:
        """Not there: all tasks must be known from the beginning."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit, since all tasks must be known "
            f"from the beginning; warm_start=True goes on with the same domains."
        )

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        if self.sharing == "soft":
            return SoftSharingStep()
        if self.gradient_combination == "mean":
            return RiskStep()
        return DirectionStep(
            partial(
                combine_shared,
                rule=self.gradient_combination,
                random_state=random_state,
            ),
            on_host=True,
        )

    def _build_network(
        self,
        state: NetworkState,
        featurizer: torch.nn.Module | None,
        data: TrainingData,
    ) -> Any:
        dtype, device = data.rows.inputs.dtype, data.rows.inputs.device
        n_layers = len(state.coefs)
        if self.sharing == "soft":
            pull = self._pull(n_layers)
            state = own_layers(state, n_layers, len(data.places))
            return TaskNetworks(
                state, data.places, self.activation, pull, self.alpha, dtype, device
            )
        state = own_layers(state, 1, len(data.places))
        if featurizer is None:
            return MultiHeadNetwork(state, data.places, self.activation, dtype, device)
        return MultiHeadModuleNetwork(featurizer, state, data.places, dtype, device)

    def _pull(self, n_layers: int) -> np.ndarray:
        """Check that soft sharing is possible, and return its weight for each layer."""
        if self.gradient_combination != "mean":
            raise ValueError(
                f"gradient_combination={self.gradient_combination!r} is about "
                f"parameters that belong to several tasks; with sharing='soft' there "
                f"are none. Use sharing='hard' or gradient_combination='mean'."
            )
        if self.module is not None:
            raise ValueError(
                "module needs sharing='hard', which puts a head per task on the "
                "module's features; sharing='soft' is for networks of linear layers."
            )
        pull = np.asarray(self.sharing_weight, dtype=np.float64)
        if pull.ndim == 0:
            return np.full(n_layers, float(pull))
        if pull.shape != (n_layers,) or not (np.isfinite(pull) & (pull >= 0)).all():
            raise ValueError(
                f"sharing_weight must be one number, or one for each of the {n_layers} "
                f"layers, finite and not negative; got {self.sharing_weight!r}."
            )
        return pull

    def _decay(self, network: Any) -> torch.Tensor | None:
        if self.sharing == "soft":
            return None  # the step takes care of it
        decay = super()._decay(network)
        if decay is not None:
            *_, heads, _ = network.tensors(decay)
            heads /= len(network.places)
        return decay

    def _current_state(self, data: TrainingData) -> NetworkState:
        super()._current_state(data)  # for its checks
        if not np.array_equal(self.domains_, data.domains):
            raise ValueError(
                f"{type(self).__name__} cannot go on from the last fit, whose domains "
                f"were {self.domains_}: now they are {data.domains}. Set "
                f"warm_start=False, or fit a clone."
            )
        scale, offset = data.targets.scale, data.targets.offset
        return self._fitted_state(slice(None)).with_outputs(
            1.0 / scale, -offset / scale
        )

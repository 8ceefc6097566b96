# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What multi-task networks share: parameters, objective, prediction by task."""

from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skdg._dataclass import estimator
from skdg._training.device import resolve_device
from skdg._training.estimators import NetworkEstimator, Targets, TrainingData
from skdg._training.state import NetworkState
from skdg._training.steps import DirectionStep, RiskStep, Step
from skdg.base import encode_groups
from skdg.multitask._combinations import COMBINATIONS, combine_shared
from skdg.multitask._network_hard import MultiHeadModuleNetwork, MultiHeadNetwork
from skdg.multitask._network_soft import SoftSharingStep, TaskNetworks


@estimator
class MultiTaskNetwork(NetworkEstimator):
    r"""What classifier and regressor share.

    Parameters
    ----------
    sharing : {"hard", "soft"}, default="hard"
        "hard": all tasks share the hidden layers (or the `module`), and each has a last
        layer of its own, its head. "soft": each task has a network of its own, which is
        pulled towards the mean of all.

    sharing_weight : float or array-like of shape (n_layers,), default=0.1
        Weight of the pull, ``lambda`` in Notes, for all layers or for each, from the
        inputs to the outputs. 0: every task learns by itself. Large: all tasks have the
        same model. Only with ``sharing="soft"``.

    gradient_combination : {"mean", "pcgrad", "cagrad", "mgda"}, default="mean"
        The direction in which shared parameters move, made of the gradients of the
        tasks' risks, see Notes. Others than "mean" only with ``sharing="hard"``.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer; those that the tasks do not share are means over tasks.
        This is the model for rows of an unknown domain. With a `module`, those of the
        last layer alone.

    intercepts_ : list of ndarray of shape (n_out,)
        Offsets of each layer, as `coefs_`.

    task_coefs_ : list of ndarray of shape (n_domains, n_in, n_out)
        Weights, in the order of `domains_`, of the layers that the tasks do not share:
        the last one, or all with ``sharing="soft"``.

    task_intercepts_ : list of ndarray of shape (n_domains, n_out)
        Offsets, as `task_coefs_`.

    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty", with ``sharing="soft"``: the
        mean over tasks of the squared distance to the mean network, of shape (n_iter,).

    Notes
    -----
    Domains are tasks. With hard sharing [1]_ the objective is the mean risk,

    .. math:: \frac{1}{T} \sum_{t=1}^{T} R_t(\phi, h_t),

    of shared parameters :math:`\phi` and heads :math:`h_t`. For an unknown domain the
    mean of the heads is used. A linear model shares nothing. With soft sharing [2]_
    [3]_ it is

    .. math:: \frac{1}{T} \sum_{t=1}^{T} \Big( R_t(\theta_t) + \sum_l \lambda_l
       \|\theta_t^l - \bar\theta^l\|^2 \Big)

    with weights and offsets :math:`\theta_t^l` of layer l and their mean over tasks
    :math:`\bar\theta`, which is the network for an unknown domain. All tasks start from
    one network. Steps are gradients times a fixed positive definite matrix, which
    makes both limits hold for the training and not for the optimum alone: ERM on each
    task by itself for a weight of 0, and on all tasks for a large one. In both kinds of
    sharing `alpha` applies to the mean over tasks of the squared weights of a task's
    network.

    Where gradients :math:`g_t` of the shared parameters conflict, that is where inner
    products are negative, their mean can harm a task. With their mean :math:`g_0`:

    * "pcgrad" [4]_: each :math:`g_t` goes through the others in random order and loses
      its part along each that it opposes; then the mean is taken. (The authors and
      LibMTL take the sum. With the mean nothing changes where nothing conflicts.)
    * "cagrad" [5]_: the direction with the largest :math:`\min_t g_t^\top d` where
      :math:`\|d - g_0\| \le \frac{1}{2} \|g_0\|`, divided by 1.5. (LibMTL
      divides by 1.25, and so goes further than the mean where all tasks agree.)
    * "mgda" [6]_: the shortest vector in the convex hull of the :math:`g_t`, which
      harms no task. It follows the task with the smallest gradient, and ends at any
      point from which not all tasks can improve.

    Each head follows its own task in all of them. Iterations take longer than with
    "mean", since every task's gradient is needed by itself.

    There is no ``partial_fit``, since all tasks must be known from the beginning;
    ``warm_start`` goes on with the same domains.

    References
    ----------
    .. [1] R. Caruana, "Multitask learning", Machine Learning 28, 1997.

    .. [2] T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004.

    .. [3] L. Duong, T. Cohn, S. Bird and P. Cook, "Low resource dependency parsing:
       cross-lingual parameter sharing in a neural network parser", ACL 2015.

    .. [4] T. Yu, S. Kumar, A. Gupta, S. Levine, K. Hausman and C. Finn, "Gradient
       surgery for multi-task learning", NeurIPS 2020.

    .. [5] B. Liu, X. Liu, X. Jin, P. Stone and Q. Liu, "Conflict-averse gradient
       descent for multi-task learning", NeurIPS 2021.

    .. [6] O. Sener and V. Koltun, "Multi-task learning as multi-objective
       optimization", NeurIPS 2018.
    """

    sharing: str = "hard"
    sharing_weight: float | Sequence[float] = 0.1
    gradient_combination: str = "mean"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "sharing": [StrOptions({"hard", "soft"})],
        "sharing_weight": [Interval(Real, 0, None, closed="left"), "array-like"],
        "gradient_combination": [StrOptions({"mean", *COMBINATIONS})],
    }

    _optional_attributes: ClassVar[tuple[str, ...]] = (
        *NetworkEstimator._optional_attributes,
        "task_coef_",
        "task_intercept_",
    )

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
            )
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
            state = _own_layers(state, n_layers, len(data.places))
            return TaskNetworks(
                state, data.places, self.activation, pull, self.alpha, dtype, device
            )
        state = _own_layers(state, 1, len(data.places))
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
        attributes = super()._state_attributes(_own_layers(state, 0), targets)
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
        labels, codes = encode_groups(groups, len(X))
        known = {label: task for task, label in enumerate(self.domains_)}
        tasks = np.array([known.get(label, -1) for label in labels])[codes]
        outputs = np.empty((len(X), len(self.intercepts_[-1])), self.coefs_[0].dtype)
        for task in np.unique(tasks):
            state = shared if task < 0 else self._fitted_state(task)
            rows = np.flatnonzero(tasks == task)
            outputs[rows] = self._run(state, X[rows], device)
        return outputs


def _own_layers(state: NetworkState, n_own: int, n_tasks: int = 1) -> NetworkState:
    """Give the last `n_own` layers a task axis, and take the mean over it in others."""
    n_shared = len(state.coefs) - n_own

    def adapt(layer: int, array: np.ndarray, n_axes: int) -> np.ndarray:
        by_task = array.ndim > n_axes
        if layer < n_shared:
            # Sorted, so that not even rounding depends on the order of tasks.
            return np.sort(array, axis=0).mean(axis=0) if by_task else array
        return array if by_task else np.repeat(array[None], n_tasks, axis=0)

    return NetworkState(
        [adapt(layer, array, 2) for layer, array in enumerate(state.coefs)],
        [adapt(layer, array, 1) for layer, array in enumerate(state.intercepts)],
        state.module,
    )

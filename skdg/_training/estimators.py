# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Estimators that train a network: validate, train, keep what training leaves."""

from contextlib import ExitStack
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.base import _fit_context
from sklearn.utils.validation import _check_sample_weight, validate_data

from skdg._callbacks import CallbackSupportMixin, TrainingMonitor
from skdg._dataclass import estimator
from skdg._training.data import Targets, TrainingData, order_by_domain
from skdg._training.device import (
    few_threads,
    lack_of_memory_explained,
    resolve_device,
    resolve_dtype,
)
from skdg._training.drawing import (
    draw_batches,
    resolve_batch_size,
    resolve_max_iter,
    rows_per_batch,
    rows_to_see,
    spread_batches,
)
from skdg._training.loop import train, warn_if_useless
from skdg._training.networks import NetworkHolder
from skdg._training.optimizer import Optimizer
from skdg._training.passes import go_on_from, known_places, left_by_pass
from skdg._training.protocols import Network, Step, shared_gradients
from skdg._training.rows import DomainRows
from skdg._training.state import NetworkState, spawn_seeds, to_numpy

# Of the network, the batches, the method, and the constructor of a module and its runs.
N_SEEDS = 5


@estimator
class NetworkEstimator(CallbackSupportMixin, NetworkHolder):
    """Base of all estimators that train a network.

    A method says what its training step is (`_make_step`), and a task what its
    targets are (`_encode_targets`).

    Attributes
    ----------
    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty": the penalty before its
        weight, of shape (n_iter,), if the method has one that is at work.

    n_iter_ : int
        Number of iterations trained.
    """

    __metadata_request__partial_fit: ClassVar[dict[str, bool]] = {"groups": True}

    # Parameters that models must have in common to be trained side by side, although
    # they are numbers.
    _shared_by_models: ClassVar[tuple[str, ...]] = ()

    def _make_step(self, random_state: RandomState) -> Step:
        """Return what one iteration of the method does.

        Parameters that are numbers may be arrays with a value per model.
        """
        raise NotImplementedError

    def _encode_targets(
        self, y: np.ndarray, weight: np.ndarray, codes: np.ndarray, known: Any
    ) -> Targets:
        """Turn y into what the network's outputs are compared with.

        `known` says what earlier rows settled, as attributes; None if nothing.
        """
        raise NotImplementedError

    # How validate_data looks at y.
    _y_checks: ClassVar[dict[str, bool]] = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit the model to rows of several domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, best standardized. Computation is in its precision.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row, as labels of any hashable type.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its domain: 2 means the same as the row twice,
            and 0 the same as its absence. Domains count equally.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the input or the device cannot be used; the message says why.
        DivergenceError
            If training diverges.
        MemoryError
            If there is too little memory, with what to change.

        Warns
        -----
        ConvergenceWarning
            If the model ends far worse than a constant, as with columns of X that are
            not standardized.
        """
        with (
            self._unchanged_on_error(),
            lack_of_memory_explained(self.batch_size),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            encoded = self._encode_domains(X, groups)
            data = self._validate(X, y, sample_weight, *encoded)
            warm = self.warm_start and hasattr(self, "coefs_")
            start = self._current_state(data) if warm else None
            self._train(data, start, (X, y))
        return self

    def _partial_fit(
        self, X: Any, y: Any, groups: Any, sample_weight: Any, known: Any = None
    ) -> Self:
        """Train for one pass over the rows, from where the last call ended."""
        with (
            self._unchanged_on_error(),
            lack_of_memory_explained(self.batch_size),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            encoded = self._encode_domains(X, groups, method="partial_fit")
            fitted = hasattr(self, "coefs_")
            known = self if fitted else known
            data = self._validate(X, y, sample_weight, *encoded, known, not fitted)
            start = self._current_state(data) if fitted else None
            self._train(data, start, (X, y), one_pass=True)
        return self

    def _validate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        domains: np.ndarray,
        codes: np.ndarray,
        known: Any = None,
        reset: bool = True,
    ) -> TrainingData:
        """Check the input and put it on the device, ordered by domain."""
        X, y = validate_data(
            self, X, y, dtype=(np.float64, np.float32), reset=reset, **self._y_checks
        )
        weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        targets = self._encode_targets(y, weight, codes, known)
        device = resolve_device(self.device)
        dtype = resolve_dtype(X.dtype, device)
        present = domains[np.unique(codes[targets.weight > 0])]
        # A model that an earlier release stored has nothing of a last pass.
        left = getattr(self, "_left", {}) if known is self else {}
        order, places, sizes = order_by_domain(
            codes, targets.weight, known_places(left, present)
        )
        inputs, values, weights = (
            torch.as_tensor(array[order], dtype=dtype, device=device)
            for array in (X, targets.values, targets.weight)
        )
        rows = DomainRows(inputs, values, weights, sizes)
        return TrainingData(rows, targets, present, places)

    def _train(
        self,
        data: TrainingData,
        start: NetworkState | None,
        passed: tuple[Any, Any],
        *,
        one_pass: bool = False,
    ) -> None:
        """Train a network and set the fitted attributes."""
        rows, targets = data.rows, data.targets
        first_iter = getattr(self, "n_iter_", 0) if one_pass else 0
        seeds = spawn_seeds(self.random_state, N_SEEDS, first_iter)
        # A module is built again as it was built first.
        module_seed = seeds[3] if start is None else self._module_seed
        batch_size = resolve_batch_size(self.batch_size, rows.sizes)
        max_iter = resolve_max_iter(self.max_iter, rows.sizes, batch_size)
        if one_pass:
            per_batch = rows_per_batch(rows.sizes, batch_size)
            max_iter = max(n // m for n, m in zip(rows.sizes, per_batch, strict=True))
        with ExitStack() as stack:
            stack.enter_context(self._module_runs(seeds[4], rows.inputs.device))
            network = self._make_network(
                data, start, RandomState(seeds[0]), module_seed
            )
            step = self._make_step(RandomState(seeds[2]))
            rows = rows_to_see(rows, batch_size, max_iter, network, targets.loss, step)
            n_rows = sum(rows_per_batch(rows.sizes, batch_size))
            stack.enter_context(few_threads(n_rows * len(network.parameters)))
            optimizer = Optimizer(
                network.parameters,
                self.optimizer,
                self.learning_rate_init,
                decay=self._decay(network),
                declining=self.learning_rate == "cosine" and not one_pass,
            )
            if one_pass and start is not None:
                left = getattr(self, "_left", {})
                go_on_from(left, optimizer, step, data, network.parameters)

            def attributes() -> dict[str, Any]:
                own = {} if self.module is None else {"_module_seed": module_seed}
                return self._attributes(network.state(), targets) | own

            monitor = TrainingMonitor(self, max_iter, *passed, attributes)
            self._in_training = (network, rows, targets.loss)
            try:
                outcome = train(
                    network,
                    draw_batches(rows, batch_size, RandomState(seeds[1])),
                    targets.loss,
                    step,
                    optimizer,
                    max_iter=max_iter,
                    judged_on=spread_batches(rows, batch_size),
                    first_iter=first_iter,
                    iteration_ends=monitor.iteration_ends,
                )
            finally:
                del self._in_training
            self._keep(attributes(), data, outcome.history, first_iter)
            if not one_pass:
                warn_if_useless(self, outcome)
            else:
                self._left = left_by_pass(optimizer, step, data)
        monitor.fit_ends()

    def _keep(
        self,
        attributes: dict[str, Any],
        data: TrainingData,
        history: dict[str, np.ndarray],
        first_iter: int = 0,
    ) -> None:
        """Set the fitted attributes."""
        for name in self._optional_attributes:
            self.__dict__.pop(name, None)  # of a last fit with other layers
        self.__dict__.update(attributes)
        self.domains_ = data.domains
        self.n_domains_ = len(self.domains_)
        self.history_ = history | {"risk": history["risk"][:, data.places]}
        self.n_iter_ = first_iter + len(history["risk"])
        self._left = {}

    def _fitted_network(
        self, X: Any, y: Any, groups: Any
    ) -> tuple[Network, TrainingData]:
        """Return the fitted network and the given rows, to look at its gradients."""
        encoded = self._encode_domains(X, groups)
        data = self._validate(X, y, None, *encoded, self, reset=False)
        start = self._current_state(data)
        network = self._make_network(data, start, RandomState(0), self._module_seed)
        return network, data

    def _training_gradients(self) -> np.ndarray:
        """Return the gradients of all domains' risks, for a callback during fit.

        Over all training rows, of shape (n_domains, n_parameters).
        """
        return to_numpy(shared_gradients(*self._in_training))

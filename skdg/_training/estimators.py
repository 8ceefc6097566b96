# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What estimators that train a network share: validate, train, hold numpy, predict."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdg._callbacks import CallbackSupportMixin, TrainingMonitor
from skdg._dataclass import estimator
from skdg._training.dense import ACTIVATIONS, DenseNetwork
from skdg._training.device import few_threads, resolve_device, resolve_dtype
from skdg._training.loop import train
from skdg._training.losses import Loss
from skdg._training.module import ModuleNetwork, build_featurizer, featurizer_width
from skdg._training.optimizer import OPTIMIZERS, Optimizer
from skdg._training.rows import (
    DomainRows,
    draw_batches,
    order_by_domain,
    resolve_batch_size,
    resolve_max_iter,
    spread_batches,
)
from skdg._training.state import (
    NetworkState,
    check_layer_sizes,
    initial_dense_state,
    initial_module_state,
    spawn_random_states,
    to_numpy,
    torch_seed,
)
from skdg._training.steps import Network, Step, shared_gradients
from skdg.base import DomainEstimator

# Rows per forward pass of a prediction, which bounds its memory.
_PREDICT_ROWS = 2**16


class Targets(NamedTuple):
    """What y means to the network.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_outputs)
        What the outputs are compared with.

    loss : Loss
        How they are compared.

    weight : ndarray of shape (n_samples,)
        Sample weights, class weights included.

    scale, offset : ndarray of shape (n_outputs,) or float
        Predictions are ``scale * outputs + offset``.

    attributes : dict
        Fitted attributes that describe the targets.
    """

    values: np.ndarray
    loss: Loss
    weight: np.ndarray
    scale: Any
    offset: Any
    attributes: dict[str, Any]


class TrainingData(NamedTuple):
    """Checked input, on the device.

    Parameters
    ----------
    rows : DomainRows
        All rows, ordered by domain.

    targets : Targets
        What y means.

    domains : ndarray of shape (n_domains,)
        The labels of the domains, sorted.

    places : ndarray of shape (n_domains,)
        The position in `rows` of each of the sorted domains.
    """

    rows: DomainRows
    targets: Targets
    domains: np.ndarray
    places: np.ndarray


@estimator
class NetworkEstimator(CallbackSupportMixin, DomainEstimator):
    """Base of all estimators that train a network.

    A method says what its training step is (`_make_step`), and a task what its
    targets are (`_encode_targets`).

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each hidden layer. ``()`` is a linear model, which starts
        from 0 and has `coef_` and `intercept_`. Not used if `module` is given.

    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Activation of the hidden layers. Not used if `module` is given.

    module : callable, default=None
        ``module(n_features)`` returns a `torch.nn.Module` that maps rows of shape
        (n_rows, n_features) to features of shape (n_rows, n_hidden), in place of the
        hidden layers. A linear layer is put on top of it. To be pickled it must be
        importable by name.

    alpha : float, default=0.0001
        Weight of the L2 penalty: half of `alpha` times the sum of squared weights
        (offsets are free) is added to the objective.

    optimizer : {"adam", "sgd"}, default="adam"
        Rule that turns gradients into steps.

    learning_rate_init : float, default=0.01
        Step size at the beginning.

    learning_rate : {"constant", "cosine"}, default="cosine"
        Whether the step size stays as it is or falls to 0 along half a cosine over
        `max_iter` iterations, which lets few iterations end near an optimum.

    batch_size : int, "auto" or None, default="auto"
        Rows drawn *from each domain* in an iteration; a smaller domain contributes all
        of its rows. None takes all rows. "auto" takes all rows of tables of up to 1024
        rows, and else about 512 rows in total, at least 16 per domain.

    max_iter : int or "auto", default="auto"
        Number of iterations. "auto" is 160, or about 64 passes over the rows where
        these take more: from some 1300 rows on, with batches of the default size.

    warm_start : bool, default=False
        Whether `fit` starts from the parameters of the last fit.

    device : str, default="cpu"
        Where to train: "cpu", "cuda", "cuda:1", "mps", or "auto" for the best that is
        there. The fitted estimator holds numpy arrays, whatever the device.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights and of the order of rows. With an int the same data
        give the same model. None draws a new seed from the operating system; the
        global generators of numpy and torch are neither used nor changed.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. With a `module`, those of the last linear layer alone.

    intercepts_ : list of ndarray of shape (n_out,)
        Offsets of each layer, as `coefs_`.

    module_state_ : dict of ndarray
        Parameters and buffers of the user's module. Only if `module` is given.

    history_ : dict of ndarray
        "risk": the mean loss of each domain in every iteration, of shape (n_iter,
        n_domains), in the order of `domains_`; "penalty": the penalty before its
        weight, of shape (n_iter,), if the method has one that is at work.

    n_iter_ : int
        Number of iterations trained.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in fit. Only if X has feature names that are strings.
    """

    hidden_layer_sizes: Sequence[int] = (100,)
    activation: str = "relu"
    module: Callable[[int], torch.nn.Module] | None = None
    alpha: float = 0.0001
    optimizer: str = "adam"
    learning_rate_init: float = 0.01
    learning_rate: str = "cosine"
    batch_size: int | str | None = "auto"
    max_iter: int | str = "auto"
    warm_start: bool = False
    device: str = "cpu"
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "module": [callable, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions({"constant", "cosine"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "max_iter": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "warm_start": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
    }

    # Not every fit sets these.
    _optional_attributes: ClassVar[tuple[str, ...]] = (
        "coef_",
        "intercept_",
        "module_state_",
    )

    __metadata_request__partial_fit: ClassVar[dict[str, bool]] = {"groups": True}

    def _make_step(self, random_state: np.random.RandomState) -> Step:
        """Return what one iteration of the method does."""
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
            The input data, best standardised. Computation is in its precision.

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
        """
        with (
            self._unchanged_on_error(),
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
        order, places, sizes = order_by_domain(codes, targets.weight)
        inputs, values, weights = (
            torch.as_tensor(array[order], dtype=dtype, device=device)
            for array in (X, targets.values, targets.weight)
        )
        rows = DomainRows(inputs, values, weights, sizes)
        present = np.unique(codes[order])
        return TrainingData(rows, targets, domains[present], places)

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
        seeds = spawn_random_states(self.random_state, 4)
        batch_size = resolve_batch_size(self.batch_size, rows.sizes)
        max_iter = resolve_max_iter(self.max_iter, rows.sizes, batch_size)
        first_iter = 0
        if one_pass:
            max_iter = max(n // min(n, batch_size or n) for n in rows.sizes)
            first_iter = getattr(self, "n_iter_", 0)
        with ExitStack() as stack:
            stack.enter_context(self._module_seed(seeds[3], rows.inputs.device))
            network = self._make_network(data, start, seeds[0])
            n_rows = sum(min(n, batch_size or n) for n in rows.sizes)
            stack.enter_context(few_threads(n_rows * len(network.parameters)))
            optimizer = Optimizer(
                network.parameters,
                self.optimizer,
                self.learning_rate_init,
                decay=self._decay(network),
                declining=self.learning_rate == "cosine" and not one_pass,
            )
            if one_pass and start is not None:
                optimizer.set_state(self._optimizer_state)

            def attributes() -> dict[str, Any]:
                state = network.state().with_outputs(targets.scale, targets.offset)
                return self._state_attributes(state, targets) | targets.attributes

            monitor = TrainingMonitor(self, max_iter, *passed, attributes)
            self._in_training = (network, rows, targets.loss)
            try:
                history = train(
                    network,
                    draw_batches(rows, batch_size, seeds[1]),
                    targets.loss,
                    self._make_step(seeds[2]),
                    optimizer,
                    max_iter=max_iter,
                    judged_on=spread_batches(rows, batch_size),
                    first_iter=first_iter,
                    iteration_ends=monitor.iteration_ends,
                )
            finally:
                del self._in_training
            for name in self._optional_attributes:
                self.__dict__.pop(name, None)  # of a last fit with other layers
            self.__dict__.update(attributes())
        history["risk"] = history["risk"][:, data.places]
        self.domains_ = data.domains
        self.n_domains_ = len(self.domains_)
        self.history_ = history
        self.n_iter_ = first_iter + len(history["risk"])
        self._optimizer_state: dict[str, Any] = (
            optimizer.get_state() if one_pass else {}
        )
        monitor.fit_ends()

    def _make_network(
        self,
        data: TrainingData,
        start: NetworkState | None,
        random_state: np.random.RandomState,
    ) -> Network:
        """Make the network, from `start` or from newly drawn values."""
        inputs = data.rows.inputs
        n_features, n_outputs = inputs.shape[1], data.targets.values.shape[1]
        featurizer = None
        if self.module is not None:
            featurizer = build_featurizer(self.module, n_features)
            if start is None:
                width = featurizer_width(featurizer, inputs)
                start = initial_module_state(featurizer, width, n_outputs, random_state)
        elif start is None:
            hidden = check_layer_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
            sizes = (n_features, *hidden, n_outputs)
            start = initial_dense_state(sizes, self.activation, random_state)
        return self._build_network(start, featurizer, data)

    def _build_network(
        self,
        state: NetworkState,
        featurizer: torch.nn.Module | None,
        data: TrainingData,
    ) -> Network:
        """Make the network that is trained; without a featurizer it is dense."""
        inputs = data.rows.inputs
        if featurizer is None:
            return DenseNetwork.from_state(
                state, self.activation, inputs.dtype, inputs.device
            )
        return ModuleNetwork(featurizer, state, inputs.dtype, inputs.device)

    def _module_seed(
        self, random_state: np.random.RandomState, device: torch.device
    ) -> AbstractContextManager[None]:
        """Keep a user's module away from torch's global generators."""
        if self.module is None:
            return nullcontext()
        return torch_seed(int(random_state.randint(2**31 - 1)), device)

    def _fitted_network(
        self, X: Any, y: Any, groups: Any
    ) -> tuple[Network, TrainingData]:
        """Return the fitted network and the given rows, to look at its gradients."""
        encoded = self._encode_domains(X, groups)
        data = self._validate(X, y, None, *encoded, self, reset=False)
        start = self._current_state(data)
        return self._make_network(data, start, np.random.RandomState(0)), data

    def _training_gradients(self) -> np.ndarray:
        """Return the gradients of all domains' risks, for a callback during fit.

        Over all training rows, of shape (n_domains, n_parameters).
        """
        return to_numpy(shared_gradients(*self._in_training))

    def _decay(self, network: Network) -> torch.Tensor | None:
        """Return the factor of each parameter in the gradient of the L2 penalty."""
        if self.alpha == 0:
            return None
        decay = torch.zeros_like(network.parameters)
        for tensor in network.tensors(decay):
            if tensor.ndim > 1:
                tensor.fill_(self.alpha)
        return decay

    def _current_state(self, data: TrainingData) -> NetworkState:
        """Return the fitted network in the units of the new targets."""
        state = NetworkState(
            self.coefs_, self.intercepts_, getattr(self, "module_state_", None)
        )
        sizes = [len(self.coefs_[0]), *(len(offsets) for offsets in self.intercepts_)]
        n_outputs = data.targets.values.shape[1]
        if self.module is None:
            wanted = [data.rows.inputs.shape[1], *self.hidden_layer_sizes, n_outputs]
        else:
            wanted = [sizes[0], n_outputs]
        if sizes != wanted:
            raise ValueError(
                f"{type(self).__name__} cannot go on from the last fit: its layers "
                f"have sizes {sizes}, and the data and parameters ask for {wanted}. "
                f"Set warm_start=False, or fit a clone."
            )
        scale, offset = data.targets.scale, data.targets.offset
        return state.with_outputs(1.0 / scale, -offset / scale)

    def _state_attributes(
        self, state: NetworkState, targets: Targets
    ) -> dict[str, Any]:
        """Return the fitted attributes that hold the parameters."""
        attributes: dict[str, Any] = {
            "coefs_": state.coefs,
            "intercepts_": state.intercepts,
        }
        if state.module is not None:
            attributes["module_state_"] = state.module
        elif len(state.coefs) == 1:
            attributes["coef_"] = np.ascontiguousarray(state.coefs[0].T)
            attributes["intercept_"] = state.intercepts[0]
        return attributes

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the network's outputs for X, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        device = resolve_device(self.device, fitting=False)
        state = NetworkState(
            self.coefs_, self.intercepts_, getattr(self, "module_state_", None)
        )
        return self._run(state, X, device)

    def _run(
        self, state: NetworkState, X: np.ndarray, device: torch.device
    ) -> np.ndarray:
        """Return the outputs of a network for checked rows."""
        dtype = resolve_dtype(state.coefs[0].dtype, device)
        with torch.no_grad(), self._module_seed(np.random.RandomState(0), device):
            network: Network
            if self.module is not None:
                featurizer = build_featurizer(self.module, X.shape[1])
                network = ModuleNetwork(featurizer, state, dtype, device)
            else:
                network = DenseNetwork.from_state(state, self.activation, dtype, device)
            parts = [
                network.outputs(torch.tensor(part, dtype=dtype, device=device))
                for part in np.split(
                    np.ascontiguousarray(X), range(_PREDICT_ROWS, len(X), _PREDICT_ROWS)
                )
            ]
            return torch.cat(parts).cpu().numpy()

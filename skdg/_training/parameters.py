# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a user can set in every estimator that trains a network."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg._training.layers import ACTIVATIONS
from skdg._training.optimizer import OPTIMIZERS
from skdg.base import DomainEstimator


@estimator
class NetworkParameters(DomainEstimator):
    """The parameters that all networks share.

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
        hidden layers. A linear layer is put on top of it. Each fit trains a copy of
        what is returned, so that this may be a network that was trained before;
        parameters with ``requires_grad=False`` stay as they are. To be pickled it must
        be importable by name.

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

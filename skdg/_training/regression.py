# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Regression: what targets are to a network, and what predictions are."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils.validation import column_or_1d

from skdg._dataclass import estimator
from skdg._training.estimators import NetworkEstimator, Targets
from skdg._training.losses import SQUARED_ERROR
from skdg._training.state import NetworkState


@estimator
class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """Regressors: squared error, the mean over targets if there are several.

    Parameters
    ----------
    normalize_y : bool, default=True
        Whether targets are standardized for training (over all rows, domains counting
        equally). Risks, penalties and their weights are then in units of the targets'
        variance, so that the same weight means the same for prices and for grams.
        Predictions and fitted attributes are in the units of y.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Weights of a linear model; only if ``hidden_layer_sizes=()``.

    intercept_ : float or ndarray of shape (n_outputs,)
        Offset of a linear model; only if ``hidden_layer_sizes=()``.

    target_scale_ : ndarray of shape (n_outputs,)
        What targets were divided by in training.

    target_offset_ : ndarray of shape (n_outputs,)
        What was subtracted from targets in training.
    """

    normalize_y: bool = True

    _parameter_constraints: ClassVar[dict[str, list]] = {"normalize_y": ["boolean"]}

    _y_checks: ClassVar[dict[str, bool]] = {"multi_output": True, "y_numeric": True}

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one pass over the given rows, from where the last call ended.

        The optimizer goes on with its moments and the count of iterations, with a
        constant step size, and random draws go on, too; targets keep the scale of the
        first call. What a method remembers of the domains (the weights of GroupDRO, a
        discriminator, running averages) is kept as long as the domains are the same;
        with others it begins anew. `domains_` and `history_` are those of the last
        call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its domain.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(X, y, groups, sample_weight)

    def _encode_targets(
        self, y: np.ndarray, weight: np.ndarray, codes: np.ndarray, known: Any
    ) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        values = y.reshape(len(y), -1).astype(weight.dtype)
        if known is not None:
            scale, offset = known.target_scale_, known.target_offset_
            if values.shape[1] != len(scale):
                raise ValueError(
                    f"y has {values.shape[1]} targets, but {type(self).__name__} was "
                    f"fitted to {len(scale)}."
                )
        elif self.normalize_y:
            used = weight > 0
            scale, offset = _domain_balanced_scale(
                values[used], weight[used], codes[used]
            )
        else:
            scale, offset = np.ones(values.shape[1]), np.zeros(values.shape[1])
        attributes = {
            "target_scale_": scale,
            "target_offset_": offset,
            "_one_dimensional": y.ndim == 1,
        }
        values = ((values - offset) / scale).astype(weight.dtype)
        return Targets(values, SQUARED_ERROR, weight, scale, offset, attributes)

    def _state_attributes(
        self, state: NetworkState, targets: Targets
    ) -> dict[str, Any]:
        attributes = super()._state_attributes(state, targets)
        if "coef_" in attributes and targets.attributes["_one_dimensional"]:
            attributes["coef_"] = attributes["coef_"][0]
            attributes["intercept_"] = float(attributes["intercept_"][0])
        return attributes

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted values, in the shape of the y of fit.
        """
        return self._values(self._outputs(X))

    def _values(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into what `predict` returns."""
        return outputs[:, 0] if self._one_dimensional else outputs

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _domain_balanced_scale(
    values: np.ndarray, weight: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return standard deviation and mean, each domain counting equally."""
    mass = np.bincount(codes, weights=weight)
    share = np.divide(weight, mass[codes], where=weight > 0, out=np.zeros(len(weight)))
    share /= share.sum()
    offset = share @ values
    scale = np.sqrt(share @ (values - offset) ** 2)
    # What rounding leaves of a constant column is no target: it becomes 0.
    constant = scale <= 10 * np.finfo(values.dtype).eps * np.abs(offset)
    scale[constant], offset[constant] = 1.0, values[0, constant]
    return scale, offset

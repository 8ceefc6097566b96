# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Classification: what classes are to a network, and what predictions are."""

from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from skdg._class_weight import weigh_classes
from skdg._classes import classes_that_count
from skdg._dataclass import estimator
from skdg._probabilities import log_probabilities
from skdg._training.estimators import NetworkEstimator, Targets, TrainingData
from skdg._training.losses import CROSS_ENTROPY, LOG_LOSS
from skdg._training.state import NetworkState


@estimator
class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """Classifiers: log loss of one logit, or cross-entropy of one logit per class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights. "balanced" gives
        each class the same total weight over all rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    coef_ : ndarray of shape (1 or n_classes, n_features)
        Weights of a linear model; only if ``hidden_layer_sizes=()``.

    intercept_ : ndarray of shape (1 or n_classes,)
        Offsets of a linear model; only if ``hidden_layer_sizes=()``.
    """

    class_weight: dict | str | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one pass over the given rows, from where the last call ended.

        The optimizer goes on with its moments and the count of iterations, with a
        constant step size, and random draws go on, too. What a method remembers of the
        domains (the weights of GroupDRO, a discriminator, running averages) is kept as
        long as the domains are the same; with others it begins anew. `domains_` and
        `history_` are those of the last call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data.

        y : array-like of shape (n_samples,)
            The class labels.

        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed in the first call; optional later.

        groups : array-like of shape (n_samples,), default=None
            The domain of each row.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within its domain.

        Returns
        -------
        self : object
            The estimator.
        """
        fitted = hasattr(self, "coefs_")
        if not fitted and classes is None:
            raise ValueError(
                "The first call of partial_fit must be given all classes, "
                "classes=np.unique(y_all)."
            )
        if classes is not None:
            known = np.asarray(classes)
            known = classes_that_count(known, np.ones(known.shape), type(self).__name__)
            if fitted and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes={known} differ from those of the first call of "
                    f"partial_fit, {self.classes_}."
                )
            return self._partial_fit(
                X, y, groups, sample_weight, SimpleNamespace(classes_=known)
            )
        return self._partial_fit(X, y, groups, sample_weight)

    def _encode_targets(
        self, y: np.ndarray, weight: np.ndarray, codes: np.ndarray, known: Any
    ) -> Targets:
        if known is None:
            # Rows of weight 0, whose class may be none of these, are left out later.
            classes = classes_that_count(y, weight, type(self).__name__)
            index = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        else:
            classes = known.classes_
            strange = ~np.isin(y, classes)
            if strange.any():
                raise ValueError(
                    f"y has the label {y[strange].tolist()[0]!r} in row "
                    f"{np.argmax(strange)}, which is not among classes={classes}."
                )
            index = np.searchsorted(classes, y)
        weight = weigh_classes(self.class_weight, y, weight)
        if len(classes) == 2:
            values, loss = index[:, None].astype(weight.dtype), LOG_LOSS
        else:
            values = np.eye(len(classes), dtype=weight.dtype)[index]
            loss = CROSS_ENTROPY
        return Targets(values, loss, weight, 1.0, 0.0, {"classes_": classes})

    def _current_state(self, data: TrainingData) -> NetworkState:
        state = super()._current_state(data)
        classes = data.targets.attributes["classes_"]
        if not np.array_equal(self.classes_, classes):
            raise ValueError(
                f"{type(self).__name__} cannot go on from the last fit, whose classes "
                f"were {self.classes_}: now they are {classes}. Set warm_start=False, "
                f"or fit a clone."
            )
        return state

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a score per class.
        """
        return self._decision(self._outputs(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return logarithms of `predict_proba`, also of those that are 0 to rounding.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities, in the order of `classes_`.
        """
        return log_probabilities(self.decision_function(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The input data, of any domain.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        return self._labels(self._outputs(X))

    def _decision(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into what `decision_function` returns."""
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into what `predict_proba` returns."""
        if len(self.classes_) == 2:
            positive = expit(outputs)
            return np.hstack([1.0 - positive, positive])
        return softmax(outputs, axis=1)

    def _labels(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into what `predict` returns."""
        if len(self.classes_) == 2:
            return self.classes_[(outputs[:, 0] > 0).astype(np.intp)]
        return self.classes_[outputs.argmax(1)]

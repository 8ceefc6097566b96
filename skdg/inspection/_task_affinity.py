# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Which tasks are related, by four measures."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import (
    _num_samples,
    check_is_fitted,
    has_fit_parameter,
)

from skdg._label_lookup import find_labels, label_values
from skdg._training.protocols import shared_gradients
from skdg.base import encode_groups
from skdg.exceptions import SingleDomainWarning
from skdg.inspection._cosines import cosines
from skdg.inspection._models import last_step_hint
from skdg.metrics._group_scorer import with_groups


@validate_params(
    {
        "method": [StrOptions({"coefficient", "gradient", "lookahead", "transfer"})],
        "step_size": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def task_affinity(
    estimator: Any,
    X: Any,
    y: Any,
    groups: Any,
    *,
    method: str = "gradient",
    step_size: float = 0.1,
    cv: Any = 3,
) -> Bunch:
    r"""Measure how related the domains are as tasks.

    Parameters
    ----------
    estimator : estimator
        For "coefficient" a fitted linear multi-task model (with `task_coef_`) of the
        domains in `groups`, or of more; for "gradient" and "lookahead" a fitted model
        that trains a network; for "transfer" any model, which is cloned.

    X : array-like of shape (n_samples, n_features)
        The input data.

    y : array-like of shape (n_samples,)
        The targets.

    groups : array-like of shape (n_samples,)
        The domain of each row.

    method : {"coefficient", "gradient", "lookahead", "transfer"}, default="gradient"
        The measure, see Notes.

    step_size : float, default=0.1
        Length of the step of "lookahead", as a factor of the gradient.

    cv : int, splitter or iterable, default=3
        How "transfer" divides the rows of a task. A number of folds is stratified for
        classifiers, as in scikit-learn.

    Returns
    -------
    Bunch
        `affinity`, an array of shape (n_domains, n_domains) with the affinity from task
        i (row) to task j (column), and `domains`, the labels.

    See Also
    --------
    TaskAffinityDisplay : A heat map of it.

    Notes
    -----
    With w_i the coefficients and g_i the gradient of the risk R_i of task i at the
    model's parameters,

    * "coefficient": the cosine of the angle between w_i and w_j;
    * "gradient": the cosine of the angle between g_i and g_j, in weights alone, without
      offsets;
    * "lookahead" [1]_: :math:`1 - R_j(\theta - \eta g_i) / R_j(\theta)`, the relative
      gain of task j from a step of task i;
    * "transfer": the score on held-out rows of j of a model fitted to the rows of i and
      the training rows of j, minus that of a model fitted to the latter alone. A
      multi-task model is scored by its own model of j. It takes n_domains squared times
      `cv` fits. The diagonal is 0.

    The first two are symmetric. "gradient" and "lookahead" depend on where training
    stands: at a minimum of the mean risk the gradients of all tasks sum to 0.

    References
    ----------
    .. [1] C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil and C. Finn, "Efficiently
       identifying task groupings for multi-task learning", NeurIPS 2021.

    Examples
    --------
    >>> from skdg import ERMClassifier
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.inspection import task_affinity
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> model = ERMClassifier(hidden_layer_sizes=(), max_iter=10)
    >>> result = task_affinity(model.fit(X, y, groups=groups), X, y, groups)
    >>> result.affinity.shape
    (3, 3)
    """
    domains, codes = encode_groups(groups, _num_samples(X))
    if method == "transfer":
        affinity = _transfer_gain(estimator, X, y, codes, cv)
    elif method == "coefficient":
        affinity = _coefficient_cosine(estimator, domains)
    else:
        check_is_fitted(estimator)
        if not hasattr(estimator, "_fitted_network"):
            raise TypeError(
                f"method={method!r} needs a model of skdg that trains a network; "
                f"{type(estimator).__name__} is none.{last_step_hint(estimator)}"
            )
        network, data = estimator._fitted_network(X, y, groups)
        if method == "gradient":
            affinity = _gradient_cosine(network, data)
        else:
            affinity = _lookahead_gain(network, data, step_size)
        affinity = affinity[np.ix_(data.places, data.places)]
    return Bunch(affinity=affinity, domains=domains)


def _coefficient_cosine(estimator: Any, domains: np.ndarray) -> np.ndarray:
    check_is_fitted(estimator)
    if not hasattr(estimator, "task_coef_"):
        raise TypeError(
            f"method='coefficient' needs a linear multi-task model with task_coef_; "
            f"{type(estimator).__name__} has none.{last_step_hint(estimator)}"
        )
    known, labels = label_values(estimator.domains_), label_values(domains)
    places = find_labels(labels, known)
    if places.min() < 0:
        raise ValueError(
            f"method='coefficient' compares domains that the model was fitted to, "
            f"{known}; groups also holds {labels[int(places.argmin())]!r}."
        )
    coefs = estimator.task_coef_[places]
    return cosines(coefs.reshape(len(coefs), -1))


def _gradient_cosine(network: Any, data: Any) -> np.ndarray:
    gradients = shared_gradients(network, data.rows, data.targets.loss)
    weights = [part for part in network.tensors(gradients) if part.ndim > 2]
    return cosines(np.hstack([part.flatten(1).cpu().numpy() for part in weights]))


def _lookahead_gain(network: Any, data: Any, step_size: float) -> np.ndarray:
    rows, loss = data.rows, data.targets.loss
    batch = network.forward(rows, loss)
    before = batch.risks.cpu().numpy()
    start = network.parameters.clone()
    gains = []
    for gradient in network.domain_gradients(batch):
        network.parameters.copy_(start - step_size * gradient)
        gains.append(1.0 - network.forward(rows, loss).risks.cpu().numpy() / before)
    network.parameters.copy_(start)
    return np.array(gains)


def _takes_groups(model: Any) -> bool:
    """Whether groups that are passed to fit reach someone, say in a pipeline."""
    if has_fit_parameter(model, "groups"):
        return True
    wants = get_routing_for_object(model).consumes("fit", ["groups"])
    return bool(wants) and get_config()["enable_metadata_routing"]


def _transfer_gain(
    estimator: Any, X: Any, y: Any, codes: np.ndarray, cv: Any
) -> np.ndarray:
    if not isinstance(cv, Integral | None):
        cv = check_cv(cv)  # an iterable of splits may be read once only
    n_domains = codes.max() + 1
    gains = np.zeros((n_domains, n_domains))

    def score(train: np.ndarray, test: np.ndarray) -> float:
        model = clone(estimator)
        options = {"groups": codes[train]} if _takes_groups(model) else {}
        with warnings.catch_warnings():
            if options:
                # A task alone is one domain, on purpose.
                warnings.simplefilter("ignore", SingleDomainWarning)
            model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **options)
        of_task = with_groups(model, "score", codes[test])[1] if options else {}
        rows = (_safe_indexing(X, test), _safe_indexing(y, test))
        return float(model.score(*rows, **of_task))

    for target in range(n_domains):
        rows = np.flatnonzero(codes == target)
        y_rows = _safe_indexing(y, rows)
        splitter = check_cv(cv, y_rows, classifier=is_classifier(estimator))
        splits = list(splitter.split(rows, y_rows))
        for train, test in splits:
            alone = score(rows[train], rows[test])
            for source in range(n_domains):
                if source != target:
                    both = np.concatenate(
                        [rows[train], np.flatnonzero(codes == source)]
                    )
                    gain = score(both, rows[test]) - alone
                    gains[source, target] += gain / len(splits)
    return gains

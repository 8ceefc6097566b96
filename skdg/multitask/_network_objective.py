# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What networks of several tasks minimize."""

from collections.abc import Sequence
from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skdg._dataclass import estimator
from skdg._training.estimators import NetworkEstimator
from skdg.multitask._combinations import COMBINATIONS


@estimator
class MultiTaskNetworkObjective(NetworkEstimator):
    r"""What the networks of several tasks minimize.

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

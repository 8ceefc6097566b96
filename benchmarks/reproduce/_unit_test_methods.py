# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The methods of the Linear Unit-Tests, as linear models, and their hyperparameters."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

import skdg

Draw = Callable[[np.random.Generator], dict[str, Any]]


def log_uniform(**ranges: tuple[float, float]) -> Draw:
    """Return a function that draws each parameter as 10^u, with u uniform."""
    return lambda rng: {name: 10.0 ** rng.uniform(*r) for name, r in ranges.items()}


def uniform(**ranges: tuple[float, float]) -> Draw:
    """Return a function that draws each parameter uniformly."""
    return lambda rng: {name: rng.uniform(*r) for name, r in ranges.items()}


def soft_sharing(rng: np.random.Generator) -> dict[str, Any]:
    """Draw how near the networks of the domains stay to their mean."""
    return {"sharing": "soft"} | log_uniform(sharing_weight=(-3, 1))(rng)


def irm_sets(n_domains: int) -> list[dict[str, Any]]:
    """Return the authors' 20 sets of hyperparameters of IRM, in our terms.

    After their default they draw the logarithms of the step size, of the decay and of
    1 - a in turn, once for all data, from Python's generator. Their risk has the weight
    1 - a, the sum of penalties a.
    """
    found = [(1e-3, 0.0, 0.1)]
    for seed in range(1001, 1020):
        rng = random.Random(seed)
        ranges = ((-4.0, -2.0), (-6.0, -2.0), (-3.0, -0.3))
        step_size, decay, of_risk = (10.0 ** rng.uniform(*own) for own in ranges)
        found.append((step_size, decay, of_risk))
    return [
        {
            "learning_rate_init": step_size,
            "alpha": decay / of_risk,
            "penalty_weight": n_domains * (1.0 / of_risk - 1.0),
        }
        for step_size, decay, of_risk in found
    ]


# What is particular to a method: the ranges of the paper where it has the method, and
# otherwise one or two powers of ten around the default. None: the authors' sets.
NETWORKS: dict[str, Draw | None] = {
    "ERM": log_uniform(),
    "IRM": None,
    "VREx": log_uniform(penalty_weight=(-1, 3)),
    "IBERM": log_uniform(penalty_weight=(-2, 1)),
    "IBIRM": log_uniform(penalty_weight=(0, 4), bottleneck_weight=(-2, 1)),
    "GroupDRO": log_uniform(step_size=(-3, -1)),
    "EQRM": uniform(quantile=(0.5, 0.99)),
    "SpectralDecoupling": log_uniform(penalty_weight=(-5, -1)),
    "IDGM": log_uniform(gamma=(-4, -1)),
    "Fish": log_uniform(meta_learning_rate=(-2, 0)),
    "Fishr": log_uniform(penalty_weight=(-1, 3)),
    "IGA": log_uniform(penalty_weight=(1, 5)),
    "ANDMask": uniform(agreement_threshold=(0.8, 1.0)),
    "SANDMask": uniform(agreement_threshold=(0.0, 1.0), sharpness=(1.0, 100.0)),
    "Mixup": log_uniform(concentration=(-1, 1)),
    "CORAL": log_uniform(penalty_weight=(-1, 1)),
    "MMD": log_uniform(penalty_weight=(-1, 1)),
    "DANN": log_uniform(penalty_weight=(-1, 1)),
    "CDANN": log_uniform(penalty_weight=(-1, 1)),
    "CausIRL": log_uniform(penalty_weight=(-1, 1)),
    "MultiTaskNetwork": soft_sharing,
}
ALIGNING = {"CORAL", "MMD", "DANN", "CDANN", "CausIRL"}
# What published codes for these problems have.
AS_PUBLISHED = {
    "IRM": {"dummy": "affine"},
    "IGA": {"penalty_weight": 1000.0},
    "IBERM": {"bottleneck": "outputs"},
    "IBIRM": {"bottleneck": "outputs"},
}
# What is not trained by gradient descent.
SOLVED: dict[str, Draw] = {
    "Anchor": log_uniform(gamma=(-1, 3), alpha=(-6, -2)),
    "MultiTask": log_uniform(lambda_shared=(-4, 0), lambda_task=(-2, 2)),
    "MultiTaskSVM": log_uniform(lambda_shared=(-4, 0), lambda_task=(-2, 2)),
    "DomainRobust": log_uniform(step_size=(-1, 1)),
}
SPECIAL = {"exact": "both", "oracle": "both", "ISR": "classes", "ICP": "numbers"}


class SubspaceClassifier(Pipeline):
    """Subspace recovery by the gap in its spectrum, then logistic regression."""

    def __init__(self) -> None:
        super().__init__(
            [("recovery", skdg.InvariantSubspaceRecovery()), ("fit", exact(False))]
        )

    def fit(self, X: Any, y: Any, groups: Any) -> Any:
        """Choose the number of directions, then fit both parts."""
        recovery, classifier = self[0], self[1]
        scatter = np.maximum(recovery.fit(X, y, groups=groups).scatter_, 1e-300)
        n_most = min(len(np.unique(groups)) - 1, X.shape[1] - 1)
        ratios = scatter[:n_most] / scatter[1 : n_most + 1]
        recovery.set_params(n_spurious=int(ratios.argmax()) + 1)
        classifier.fit(recovery.fit(X, y, groups=groups).transform(X), y)
        return self


def exact(regression: bool) -> Any:
    """Return a solver of the risk over all rows, without a penalty."""
    if regression:
        return LinearRegression()
    return LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-8)


def estimator(method: str, regression: bool, max_iter: int, device: str) -> Any:
    """Return a method at its defaults, as a linear model."""
    kind = "Regressor" if regression else "Classifier"
    if method in ("exact", "oracle"):
        return exact(regression)
    if method == "ISR":
        return SubspaceClassifier()
    if method == "ICP":
        return skdg.InvariantCausalPrediction()
    if method == "Anchor":
        return skdg.AnchorRegression() if regression else skdg.AnchorClassifier()
    if method == "MultiTask":
        return getattr(skdg, f"MultiTaskLinear{kind}")()
    if method == "MultiTaskSVM":
        return skdg.MultiTaskLinearSVR() if regression else skdg.MultiTaskLinearSVC()
    if method == "DomainRobust":
        return getattr(skdg, f"DomainRobust{kind}")(exact(regression))
    model = getattr(skdg, f"{method}{kind}")(
        hidden_layer_sizes=(10,) if method in ALIGNING else (),
        activation="identity",
        max_iter=max_iter,
        # A kernel between all rows would take minutes.
        batch_size=32 if method == "MMD" else None,
        random_state=0,
        device=device,
    )
    return model.set_params(**AS_PUBLISHED.get(method, {}))


def draws(method: str, n_draws: int, seed: int, n_domains: int) -> list[dict[str, Any]]:
    """Return the defaults and then random hyperparameters, or those of the authors."""
    if method == "IRM":
        return irm_sets(n_domains)[: n_draws + 1]
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = [{}]
    for _ in range(0 if method in SPECIAL else n_draws):
        if of_network := NETWORKS.get(method):
            shared = log_uniform(learning_rate_init=(-3, -2), alpha=(-6, -2))(rng)
            found.append(shared | of_network(rng))
        else:
            found.append(SOLVED[method](rng))
    return found

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What users pass as the models to look at."""

from typing import Any

from sklearn.pipeline import Pipeline


def models_by_name(estimator: Any) -> dict[str, Any]:
    """Return models by name, of a dict of them or of a single one."""
    models = estimator
    if not isinstance(estimator, dict):
        models = {type(estimator).__name__: estimator}
    if not models or not all(hasattr(model, "fit") for model in models.values()):
        raise TypeError(
            f"estimator must be an estimator, or a dict of at least one by name, got "
            f"{estimator!r}. Pass several as {{'name': model, ...}}."
        )
    return models


def last_step_hint(estimator: Any) -> str:
    """Return what to pass instead of a pipeline."""
    if not isinstance(estimator, Pipeline):
        return ""
    return " Pass the last step of the pipeline, and X as the other steps transform it."

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Look at what domains share: scores, shifts, gradients and tasks by domain."""

from skdg.inspection._domain_scores import DomainScoreDisplay
from skdg.inspection._gradient_alignment import (
    GradientAlignmentDisplay,
    GradientAlignmentMonitor,
)
from skdg.inspection._shift_decomposition import ShiftDecompositionDisplay
from skdg.inspection._task_affinity import task_affinity
from skdg.inspection._task_affinity_display import TaskAffinityDisplay

__all__ = [
    "DomainScoreDisplay",
    "GradientAlignmentDisplay",
    "GradientAlignmentMonitor",
    "ShiftDecompositionDisplay",
    "TaskAffinityDisplay",
    "task_affinity",
]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Scores by domain: what a mean over all rows hides."""

from skdg.metrics._group_scorer import GroupScorer
from skdg.metrics._group_scores import group_scores, worst_group_score
from skdg.metrics._group_summary import GroupSummary, group_summary
from skdg.metrics._shift_decomposition import ShiftDecomposition, shift_decomposition

__all__ = [
    "GroupScorer",
    "GroupSummary",
    "ShiftDecomposition",
    "group_scores",
    "group_summary",
    "shift_decomposition",
    "worst_group_score",
]

# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Scores by domain: what a mean over all rows hides."""

from skdg.metrics._group_scorer import GroupScorer
from skdg.metrics._group_scores import group_scores, worst_group_score

__all__ = ["GroupScorer", "group_scores", "worst_group_score"]

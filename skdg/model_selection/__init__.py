# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Model selection that says which domains it looked at."""

from skdg.model_selection._batched_search import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
)
from skdg.model_selection._domain_holdout import DomainHoldout
from skdg.model_selection._domain_search import DomainSearchCV
from skdg.model_selection._domain_splits import DomainShuffleSplit, LeaveOneDomainOut
from skdg.model_selection._search_space import search_space

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "DomainHoldout",
    "DomainSearchCV",
    "DomainShuffleSplit",
    "LeaveOneDomainOut",
    "search_space",
]

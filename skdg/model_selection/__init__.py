# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Model selection that says which domains it looked at.

To hold out one domain after the other, or random sets of domains, take
:class:`~sklearn.model_selection.LeaveOneGroupOut` and
:class:`~sklearn.model_selection.GroupShuffleSplit`: they do what is needed, nested
cross-validation included.
"""

from skdg.model_selection._batched_search import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
)
from skdg.model_selection._domain_holdout import DomainHoldout
from skdg.model_selection._domain_search import DomainSearchCV
from skdg.model_selection._search_space import search_space

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "DomainHoldout",
    "DomainSearchCV",
    "search_space",
]

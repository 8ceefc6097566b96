# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A search that is interrupted leaves nothing behind that computes."""

import pickle
import time

import numpy as np
import pytest

from skdg import ERMClassifier
from skdg.model_selection import BatchedGridSearchCV
from skdg.model_selection._batches import Stop


class Interrupt(BaseException):
    """What Ctrl-C does to the thread that it reaches."""


def interrupting(estimator, X, y):
    raise Interrupt


@pytest.mark.usefixtures("two_threads")
def test_threads_end_with_the_search():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 5)), np.arange(600) % 2
    model = ERMClassifier(hidden_layer_sizes=(50,), batch_size=None, random_state=0)
    # One batch is there soon, the other would take minutes.
    grid = [
        {"max_iter": [2], "alpha": [0.1, 0.2]},
        {"max_iter": [10**6], "alpha": [0.1, 0.2]},
    ]
    search = BatchedGridSearchCV(model, grid, scoring=interrupting, cv=2)
    began = time.perf_counter()
    with pytest.raises(Interrupt), pytest.warns(UserWarning, match="one domain"):
        search.fit(X, y)
    assert time.perf_counter() - began < 60
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.25


def test_a_copy_in_another_process_never_stops():
    stop = Stop()
    copy = pickle.loads(pickle.dumps(stop))
    with copy.at_work():
        stop.wait()
    assert stop()
    assert not copy()

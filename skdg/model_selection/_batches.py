# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The fits that can be made beside others, and the batches that they make up."""

import copy
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

# So many numbers, about, are in the layers of the models of one batch: enough for the
# cost of a call to vanish beside its arithmetic, and little enough for the cache.
_NUMBERS_AT_ONCE = 2**20
# With fewer values in a pass, threads wait for each other more than they compute.
_VALUES_OF_A_THREAD = 2**15
# A GPU is the better the more it has to do, as long as there is memory for it.
_NUMBERS_ON_GPU = 2**28
# One batch fills it.
_gpu = threading.Lock()


class Job(NamedTuple):
    """A fit that can be made beside others.

    Parameters
    ----------
    key : tuple (candidate, split)
        Which fit of the search it is.

    whole : estimator instance
        The estimator of the search, with all its steps fitted but the last.

    model : NetworkEstimator
        The last step.

    data : TrainingData
        Its rows.

    kind : hashable
        What it has in common with models that can be trained beside it.

    fit_time : float
        Time that was spent on it so far, in seconds.
    """

    key: tuple[int, int]
    whole: Any
    model: Any
    data: Any
    kind: Hashable
    fit_time: float


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def kinds_of(chosen: Mapping[int, Any]) -> dict[int, Hashable]:
    """Return what each candidate has in common with those beside which it can train.

    Those with a bad parameter are left out: made one by one they fail, and say why.
    """
    from skdg._training.together import kind_of

    kinds = {}
    for number, whole in chosen.items():
        try:
            last_step(whole)._validate_params()
        except ValueError:
            continue
        kinds[number] = kind_of(last_step(whole))
    return kinds


def jobs_of(
    chosen: Mapping[int, Any],
    kinds: Mapping[int, Hashable],
    before: Mapping[int, Hashable],
    split: int,
    X: Any,
    y: Any,
    params: Mapping[str, Any],
) -> Iterator[Job]:
    """Yield the fits of a fold, with what comes before the networks done once."""
    for numbers in _grouped(kinds, before.__getitem__):
        began = time.time()
        whole = clone(chosen[numbers[0]])
        last = _Last()
        try:
            if isinstance(whole, Pipeline):
                last.stand_in_for(whole)
                whole.fit(X, y, **params)
            else:
                last.fit(X, y, **params)
        except Exception:
            continue  # made one by one these fits fail alike, and are reported
        share = (time.time() - began) / len(numbers)
        models = {number: clone(last_step(chosen[number])) for number in numbers}
        for alike in _grouped(numbers, kinds.__getitem__):
            began = time.time()
            first = models[alike[0]]
            try:
                encoded = first._encode_domains(last.X, last.groups)
                data = first._validate(last.X, last.y, last.sample_weight, *encoded)
            except ValueError:
                continue  # as above
            seen = {name: v for name, v in vars(first).items() if name.endswith("_in_")}
            share += (time.time() - began) / len(alike)
            for number in alike:
                vars(models[number]).update(seen)
                own = models[number]
                if isinstance(whole, Pipeline):
                    own = copy.copy(chosen[number])
                    own.steps = [*whole.steps[:-1], (own.steps[-1][0], models[number])]
                key = (number, split)
                yield Job(key, own, models[number], data, kinds[number], share)


class _Last(BaseEstimator):
    """Takes the place of the last step of a pipeline, and keeps what it is given."""

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    def stand_in_for(self, whole: Pipeline) -> None:
        """Take the place of a pipeline's last step, with its requests for metadata."""
        name, last = whole.steps[-1]
        if hasattr(last, "_metadata_request"):
            self._metadata_request = last._metadata_request
        whole.steps[-1] = (name, self)

    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> Self:
        """Keep the arguments."""
        self.X, self.y, self.groups, self.sample_weight = X, y, groups, sample_weight
        return self


def _grouped(items: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Put together items with the same key, in their order."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def before_last(whole: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that do not belong to the last step of a pipeline."""
    if not isinstance(whole, Pipeline):
        return {}
    last = whole.steps[-1][0]
    return {
        name: value
        for name, value in parameters.items()
        if name != last and not name.startswith(f"{last}__")
    }


def shape_of(job: Job) -> Hashable:
    """Return what models have in common that can be trained in one batch."""
    rows = job.data.rows
    return (
        job.kind,
        rows.sizes,
        rows.inputs.shape,
        rows.inputs.dtype,
        rows.targets.shape,
    )


def n_at_once(job: Job) -> int:
    """Return how many models like this one go into a batch."""
    from skdg._training.together import n_rows_seen

    inputs = job.data.rows.inputs
    n_rows = n_rows_seen(job.model, job.data)
    widths = (inputs.shape[1], *job.model.hidden_layer_sizes)
    numbers = _NUMBERS_AT_ONCE if inputs.device.type == "cpu" else _NUMBERS_ON_GPU
    return max(1, numbers // (n_rows * sum(widths)))


def batches_of(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs of one shape into batches of nearly one size.

    Several batches are an even number, so that no core waits for another's last one.
    """
    n_batches = -(-len(jobs) // n_at_once(jobs[0]))
    if n_batches > 1:
        n_batches = min(len(jobs), n_batches + n_batches % 2)
    batches = np.array_split(np.arange(len(jobs)), n_batches)
    return [[jobs[place] for place in batch] for batch in batches]


def is_worth_a_thread(jobs: Sequence[Job]) -> bool:
    """Tell whether a batch computes enough to be trained beside others."""
    from skdg._training.together import n_rows_seen

    model, data = jobs[0].model, jobs[0].data
    width = sum(model.hidden_layer_sizes) + data.rows.targets.shape[1]
    values = len(jobs) * n_rows_seen(model, data) * width
    return bool(values >= _VALUES_OF_A_THREAD)


class Stop:
    """Lets batches that train on other threads end early.

    It says whether they should. In another process there is a copy, which never does.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._at_work: list[None] = []

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self._is_set

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a batch among those that `wait` waits for."""
        self._at_work.append(None)
        try:
            yield
        finally:
            self._at_work.pop()

    def wait(self) -> None:
        """Stop all batches, and wait until none is at work."""
        self._is_set = True
        while self._at_work:
            time.sleep(0.01)


def train_batch(
    jobs: list[Job], stop: Callable[[], bool] = lambda: False
) -> dict[tuple[int, int], tuple[Any, float]]:
    """Train a batch; return its estimators, or errors, with their share of the time."""
    if stop():
        return {}
    from skdg._training.together import fit_models

    on_cpu = jobs[0].data.rows.inputs.device.type == "cpu"
    with nullcontext() if on_cpu else _gpu:
        began = time.time()
        try:
            models, data = [job.model for job in jobs], [job.data for job in jobs]
            errors = fit_models(models, data, stop)
        except ValueError:
            return {}
    share = (time.time() - began) / len(jobs)
    return {
        job.key: (error or job.whole, job.fit_time + share)
        for job, error in zip(jobs, errors, strict=True)
    }

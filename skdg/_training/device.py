# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Where training takes place."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def resolve_device(device: str, *, fitting: bool = True) -> torch.device:
    """Turn the parameter `device` into a torch device that is there.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps", or "auto" for the best that is there.

    fitting : bool, default=True
        Whether to train. A device that is not there is then an error; otherwise the
        CPU takes its place with a warning, so that a model that was trained on a GPU
        predicts anywhere.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not there and `fitting` is true.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError:
        resolved = None
    if resolved is None or resolved.type not in ("cpu", "cuda", "mps"):
        raise ValueError(
            f"device must be 'cpu', 'auto', 'cuda', 'cuda:0' (and so on) or 'mps', got "
            f"{device!r}."
        )
    if _is_there(resolved):
        return resolved
    if fitting:
        raise ValueError(
            f"device={device!r} is not available on this machine; torch sees "
            f"{torch.cuda.device_count()} CUDA devices. Use device='cpu', or "
            f"device='auto' for the best that is there."
        )
    warnings.warn(
        f"device={device!r} is not available on this machine; predicting on the CPU.",
        RuntimeWarning,
        stacklevel=4,
    )
    return torch.device("cpu")


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or torch.backends.mps.is_available()


def resolve_dtype(dtype: np.dtype, device: torch.device) -> torch.dtype:
    """Return the precision of the computation: that of X, where the device has it."""
    double = dtype == np.float64 and device.type != "mps"
    return torch.float64 if double else torch.float32


@contextmanager
def lack_of_memory_explained(batch_size: int | str | None) -> Iterator[None]:
    """Say what to change where memory is lacking within the context.

    Parameters
    ----------
    batch_size : int, "auto" or None
        The parameter that determines most of what training needs.

    Raises
    ------
    MemoryError
        In place of what torch and numpy raise, which is its cause.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        lacking = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not lacking and "can't allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"Training needs more memory than there is, with batch_size={batch_size!r} "
            f"(rows of each domain in an iteration): lower it, pass X as float32, or "
            f"train on another device. {error}"
        ) from error


# Multiplications per pass through the network up to which a second thread gains little.
_WORK_OF_ONE_THREAD = 2**24

# Reentrant: while a thread holds it, the collector may end a context in the same thread
# that an interrupt has left.
_lock = threading.RLock()
_users: set[object] = set()
_threads_found = 1


@contextmanager
def few_threads(work: int) -> Iterator[None]:
    """Compute on one thread within the context, if there is little to compute.

    How many threads share a matrix product can change its last bits. Small problems
    therefore give the same model whatever the number of threads is, in a worker
    process of a search too, where it is 1.

    Parameters
    ----------
    work : int
        Number of multiplications in a pass through the network.
    """
    global _threads_found
    if work > _WORK_OF_ONE_THREAD:
        yield
        return
    user = object()
    try:
        # Fits in other threads may overlap; the first to come saw the user's number.
        with _lock:
            if not _users:
                _threads_found = torch.get_num_threads()
            _users.add(user)
            torch.set_num_threads(1)
        yield
    finally:
        # Twice, since an interrupt may come in the first call; else it is done once.
        try:
            _leave(user)
        finally:
            _leave(user)


def _leave(user: object) -> None:
    with _lock:
        if user in _users:  # not if an interrupt came before
            torch.set_num_threads(_threads_found)
            _users.remove(user)

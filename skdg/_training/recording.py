# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""A program of tensor operators, recorded once and then replayed as a whole.

On a GPU a small network's step is a hundred kernels that take less time to run than to
start. A CUDA graph starts them at once.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import torch

Outcome = TypeVar("Outcome")
# Records a program without running it; returns its outcome, which each replay
# overwrites, and the function that replays it.
Recorder = Callable[[Callable[[], Outcome]], tuple[Outcome, Callable[[], None]]]

# Memory of a recording must not be mixed up with that of another thread's.
_lock = threading.Lock()


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records programs on a device; None where nothing is gained by it."""
    return record_cuda_graph if device.type == "cuda" else None


def record_cuda_graph(
    program: Callable[[], Outcome],
) -> tuple[Outcome, Callable[[], None]]:
    """Record a program as a CUDA graph.

    Parameters
    ----------
    program : callable
        Starts kernels on the current device, and does not wait for any. It was run
        before, so that libraries are loaded and memory that outlives it is there.

    Returns
    -------
    outcome : object
        What the program returned.

    replay : callable
        Runs the kernels, on the same memory.

    Raises
    ------
    RuntimeError
        If the program cannot be recorded, since it looks at values of the device on the
        host, or moves values to the device.
    """
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    # Not torch.cuda.graph, which collects garbage and empties the cache: that takes
    # longer than many a fit.
    with _lock, torch.cuda.stream(stream):
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            outcome = program()
        except BaseException as error:
            error.add_note(
                "This was while a step was recorded as a CUDA graph. A penalty or a "
                "direction that looks at values on the host must say on_host=True."
            )
            with suppress(RuntimeError):  # the first error is the one that counts
                graph.capture_end()
            raise
        graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)
    return outcome, graph.replay

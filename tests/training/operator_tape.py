# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What a CUDA graph does to a program, on the CPU.

A tape holds operators with the memory that they read and write, and nothing of the
Python around them. What a step keeps in a new tensor instead of in place, decides by a
value, or takes from the iteration's number is therefore lost in a replay, as on a GPU.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What a GPU cannot do while it records: tell the host a value, or take one from it.
FORBIDDEN = {"_local_scalar_dense", "is_nonzero", "nonzero", "lift_fresh", "equal"}
# They change the shape of a tensor and not its memory, once and for all.
RESHAPING = {"squeeze_", "unsqueeze_"}


def tensors(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def same_memory(first, second):
    return first.untyped_storage()._cdata == second.untyped_storage()._cdata


class OperatorTape(TorchDispatchMode):
    """Record operators while they run."""

    def __init__(self):
        super().__init__()
        self.calls, self.written, self.own = [], [], []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        name = operator.name().removeprefix("aten::").split(".")[0]
        indices = tensors(args[1]) if name in ("index", "index_put_") else []
        if name in FORBIDDEN or any(index.dtype == torch.bool for index in indices):
            raise RuntimeError(f"operation not permitted while recording: {name}")
        kwargs = kwargs or {}
        parameters = operator._schema.arguments
        values = dict(zip((p.name for p in parameters), args, strict=False)) | kwargs
        for parameter in parameters:
            if parameter.alias_info is not None and parameter.alias_info.is_write:
                for tensor in tensors(values.get(parameter.name)):
                    if not any(same_memory(tensor, own) for own in self.own):
                        self.written.append((tensor, tensor.clone()))
        outcome = operator(*args, **kwargs)
        if name not in RESHAPING:
            self.calls.append((operator, args, kwargs, tensors(outcome)))
        given = tensors((args, kwargs))
        self.own += [
            tensor
            for tensor in tensors(outcome)
            if not any(same_memory(tensor, other) for other in given)
        ]
        return outcome

    def undo(self):
        """Give back all memory the values that it had before the recording."""
        for tensor, value in reversed(self.written):
            tensor.copy_(value)

    def replay(self):
        """Run the operators again, on the same memory."""
        for operator, args, kwargs, outcome in self.calls:
            found = tensors(operator(*args, **kwargs))
            for old, new in zip(outcome, found, strict=True):
                if not same_memory(old, new):
                    old.copy_(new.reshape(old.shape))


class TapeRecorder:
    """Stands for `record_cuda_graph`; counts recordings and replays."""

    def __init__(self):
        self.n_recorded = self.n_replayed = 0

    def __call__(self, program):
        tape = OperatorTape()
        with tape:
            outcome = program()
        with torch.no_grad():
            tape.undo()
        self.n_recorded += 1

        def replay():
            self.n_replayed += 1
            with torch.no_grad():
                tape.replay()

        return outcome, replay

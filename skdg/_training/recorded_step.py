# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Training steps whose operators are recorded and replayed."""

from collections.abc import Callable, Hashable

from skdg._training.losses import Loss
from skdg._training.optimizer import Optimizer
from skdg._training.protocols import Network, Record, Step
from skdg._training.recording import Recorder, recorder_for
from skdg._training.rows import DomainRows


def recorded(step: Step, network: Network) -> Step:
    """Return a step with the same results that replays recordings, where that helps.

    Parameters
    ----------
    step : Step
        The method.

    network : Network
        What is trained.

    Returns
    -------
    Step
        `step` itself on a device without recordings, and for a network whose passes
        may depend on values.
    """
    recorder = recorder_for(network.parameters.device)
    if recorder is None or not network.is_fixed_program:
        return step
    return step.recorded(lambda program: RecordedStep(program, recorder))


class RecordedStep(Step):
    """Replays the operators of another step.

    The first iteration of each phase, and of each shape of rows, runs as it is; the
    second is recorded.

    Parameters
    ----------
    step : Step
        Its operators depend on nothing but its phase and the rows' sizes.

    recorder : callable
        See `skdg._training.recording.recorder_for`.
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self._step, self._recorder = step, recorder
        self.penalty_names = step.penalty_names
        self._phase: Hashable = None
        self._programs: dict[Hashable, _Program | None] = {}

    def phase(self, iteration: int) -> Hashable:
        """Return what the step returns."""
        return self._step.phase(iteration)

    def advance(
        self,
        network: Network,
        rows: DomainRows,
        loss: Loss,
        optimizer: Optimizer,
        iteration: int,
    ) -> Record:
        """Change the network's parameters once."""
        phase = self.phase(iteration)
        if phase != self._phase:
            # A phase does not come back, and recordings hold memory.
            self._phase, self._programs = phase, {}
        key = (rows.sizes, rows.inputs.shape)
        if key not in self._programs:
            self._programs[key] = None
            return self._step.advance(network, rows, loss, optimizer, iteration)
        program = self._programs[key]
        if program is None:
            program = _Program(
                rows,
                lambda own: self._step.advance(
                    network, own, loss, optimizer, iteration
                ),
                self._recorder,
            )
            self._programs[key] = program
        return program.run(rows)


class _Program:
    """A recording of what is done to rows, and the memory that it reads them from."""

    def __init__(
        self,
        rows: DomainRows,
        advance: Callable[[DomainRows], Record],
        recorder: Recorder,
    ) -> None:
        self._last = rows
        self._memory = [tensor.clone() for tensor in rows.tensors]
        # Of rows whose values change, all but the domains has to be derived anew.
        own = rows.over(*self._memory)
        self._outcome, self._replay = recorder(lambda: advance(own))

    def run(self, rows: DomainRows) -> Record:
        """Replay the recording on rows."""
        if rows is not self._last:
            for own, value in zip(self._memory, rows.tensors, strict=True):
                own.copy_(value)
            self._last = rows
        self._replay()
        # Of their own: the next replay writes over them.
        risks, penalties = self._outcome
        return Record(risks.clone(), tuple(value.clone() for value in penalties))

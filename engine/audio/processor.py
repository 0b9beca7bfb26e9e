"""Processors: what an insert, a send's return or a master effect is, and the chain that runs them one after the other.

Runs on: audio process. `process` belongs to the audio callback; a processor is made by the control thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from engine.audio.delay import Delay
from engine.core.messages import BLOCK
from engine.core.parameters import Parameter

DIP_BLOCKS = 4  # from what is heard to silence, when others take its place
_RISE = np.arange(1, DIP_BLOCKS * BLOCK + 1, dtype=np.float32).reshape(DIP_BLOCKS, BLOCK, 1) / (DIP_BLOCKS * BLOCK)
_FALL = 1 - _RISE


class Processor(Protocol):
    """One effect: a class with these members, in a file of its own, can be put anywhere in the mixer."""

    name: str
    latency_frames: int  # by which what comes out is later than what went in
    parameters: Sequence[Parameter]  # its knobs, by ids without a dot

    def process(self, block: np.ndarray) -> None:
        """Change one block in place; float32 (BLOCK, OUTPUTS). No logging, no waiting, no growth."""

    def set(self, parameter_id: str, value: float) -> None:
        """Turn a knob, between two blocks."""

    def state(self) -> bytes:
        """Return all that must be kept for it to sound the same another day."""

    def restore(self, state: bytes) -> None:
        """Take back what `state` returned."""


class Chain:
    """Processors one after the other, and the delay that keeps a track in time with one whose chain takes longer.

    A processor that raises is left out from there on, and `on_fault(name, error)` is called.
    """

    def __init__(self, on_fault: Callable[[str, Exception], None]) -> None:
        self.processors: list[Processor] = []
        self._next: list[Processor] | None = None  # others, that are to take their place
        self._then: list[Processor] | None = None  # others again, when that is done
        self._blocks = 0  # of a change: down to silence, and up again
        self._before = self._behind = 0  # so many of them stand before what changes, and behind it
        self._on_fault = on_fault
        self._delay = Delay()

    @property
    def latency_frames(self) -> int:
        """What all of them together delay."""
        last = next(these for these in (self._then, self._next, self.processors) if these is not None)
        return sum(processor.latency_frames for processor in last)

    @property
    def is_idle(self) -> bool:
        """Whether a block would pass as it is."""
        return not self.processors and self._delay.is_idle and not self._blocks

    @property
    def only_waits(self) -> bool:
        """Whether a block goes through nothing but the delay."""
        return not self.processors and not self._blocks

    def wait(self, frames: int, at_once: bool = False) -> None:
        """Put out everything so many frames later than the processors do; `at_once`: nothing has sounded yet."""
        self._delay.aim(frames, at_once)

    def arrange(self, processors: Sequence[Processor]) -> None:
        """Let these take the place of those there, so that nothing clicks.

        What comes out of those that change dips for some milliseconds, and so does what goes into each of them: an echo would
        bring back the edge. A change that is under way is brought to its end first.
        """
        if self._blocks:
            self._then = list(processors)
        else:
            self._begin(list(processors))

    def _begin(self, new: list[Processor]) -> None:
        now = self.processors
        self._before, self._behind = _common(now, new), _common(now[::-1], new[::-1])
        self._next, self._blocks = new, 2 * DIP_BLOCKS

    def process(self, block: np.ndarray) -> None:
        """Run one block through in place; float32 (BLOCK, OUTPUTS)."""
        if self._blocks:
            self._change(block)
        else:
            self._run(self.processors, block)
        if not self._delay.is_idle:
            self._delay.process(block)

    def _run(self, processors: Sequence[Processor], block: np.ndarray) -> None:
        for processor in processors:
            try:
                processor.process(block)
            except Exception as error:  # whatever an effect does wrong must not end the sound
                self.drop(processor, error)

    def _change(self, block: np.ndarray) -> None:
        """Go down to silence while what is to be replaced is still there, and up again around what has replaced it."""
        if self._next is not None and self._blocks <= DIP_BLOCKS:
            self.processors, self._next, self._blocks = self._next, None, DIP_BLOCKS
        now = self.processors
        behind = max(len(now) - self._behind, self._before)
        gains = _RISE[DIP_BLOCKS - self._blocks] if self._next is None else _FALL[2 * DIP_BLOCKS - self._blocks]
        self._run(now[: self._before], block)
        for processor in now[self._before : behind]:
            block *= gains
            self._run((processor,), block)
        block *= gains
        self._run(now[behind:], block)
        self._blocks -= 1
        if not self._blocks and self._then is not None:
            then, self._then = self._then, None
            self._begin(then)

    def drop(self, processor: Processor, error: Exception) -> None:
        """Leave a processor out because of what it did."""
        self.processors = [p for p in self.processors if p is not processor]
        self._on_fault(processor.name, error)


def _common(one: Sequence[Processor], other: Sequence[Processor]) -> int:
    """Return how many both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a is not b), min(len(one), len(other)))

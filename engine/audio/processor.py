"""Processors: what an insert, a send's return or a master effect is, and the chain that runs them one after the other.

Runs on: audio process. `process` belongs to the audio callback; a processor is made by the control thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS
from engine.core.parameters import Parameter


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
        self._on_fault = on_fault
        self._delay_frames = 0
        self._line = np.zeros((BLOCK, OUTPUTS), np.float32)

    @property
    def latency_frames(self) -> int:
        """What all of them together delay."""
        return sum(processor.latency_frames for processor in self.processors)

    @property
    def is_idle(self) -> bool:
        """Whether a block would pass as it is."""
        return not self.processors and not self._delay_frames

    def wait(self, frames: int) -> None:
        """Put out everything so many frames later than the processors do."""
        if frames != self._delay_frames:
            self._delay_frames = frames
            self._line = np.zeros((frames + BLOCK, OUTPUTS), np.float32)

    def process(self, block: np.ndarray) -> None:
        """Run one block through in place; float32 (BLOCK, OUTPUTS)."""
        for processor in self.processors:
            try:
                processor.process(block)
            except Exception as error:  # whatever an effect does wrong must not end the sound
                self.drop(processor, error)
        if self._delay_frames:
            self._line[self._delay_frames :] = block
            block[:] = self._line[:BLOCK]
            self._line[: self._delay_frames] = self._line[BLOCK:]

    def drop(self, processor: Processor, error: Exception) -> None:
        """Leave a processor out because of what it did."""
        self.processors = [p for p in self.processors if p is not processor]
        self._on_fault(processor.name, error)

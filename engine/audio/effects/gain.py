"""gain: louder or softer, in dB.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.core.messages import BLOCK
from engine.core.parameters import Parameter


class Effect:
    """See Processor. The gain goes to its new value in a straight line over one block after the other, and never clicks."""

    name = "gain"
    latency_frames = 0
    parameters: ClassVar = (Parameter("db", -60, 24, 0, "How much louder", "dB"),)

    def __init__(self, rate_hz: float) -> None:
        self._share = min(1.0, BLOCK / (0.02 * rate_hz))
        self._aim = self._gain = 1.0
        self._line = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None] / BLOCK

    def process(self, block: np.ndarray) -> None:
        """See Processor."""
        if self._gain == self._aim:
            if self._gain != 1.0:
                block *= np.float32(self._gain)
            return
        before = self._gain
        self._gain += (self._aim - before) * self._share
        if abs(self._gain - self._aim) < 1e-4:
            self._gain = self._aim
        block *= self._line * np.float32(self._gain - before) + np.float32(before)

    def set(self, parameter_id: str, value: float) -> None:
        """See Processor; it has one knob."""
        del parameter_id
        self._aim = 0.0 if value <= -60 else 10 ** (value / 20)

    def state(self) -> bytes:
        """Its knob is all of it."""
        return b""

    def restore(self, state: bytes) -> None:
        """Its knob is all of it."""

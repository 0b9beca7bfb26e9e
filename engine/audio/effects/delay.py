"""delay: an echo, with feedback.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS
from engine.core.parameters import Parameter

LONGEST_S = 2.0
_RISE = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None] / BLOCK


class Effect:
    """See Processor. Where the time is turned, the echo fades over from the old time to the new one within a block."""

    name = "delay"
    latency_frames = 0
    parameters: ClassVar = (
        Parameter("time", 0.01, LONGEST_S, 0.3, "From the sound to its echo", "s", scale="exponential"),
        Parameter("feedback", 0, 0.95, 0.3, "How much of an echo is echoed again"),
        Parameter("mix", 0, 1, 0.3, "How much of it is echo"),
    )

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._line = np.zeros((int(LONGEST_S * rate_hz) + 2 * BLOCK, OUTPUTS), np.float32)
        self._at = 0
        self._knobs = {parameter.id: parameter.default for parameter in self.parameters}
        self._frames = self._frames_of(self._knobs["time"])
        self._mix = self._knobs["mix"]

    def _frames_of(self, time_s: float) -> int:
        return max(BLOCK, round(time_s * self._rate_hz))

    def process(self, block: np.ndarray) -> None:
        """See Processor."""
        size = len(self._line)
        places = (self._at + np.arange(BLOCK)) % size
        echo = self._line[(places - self._frames) % size]
        wanted = self._frames_of(self._knobs["time"])
        if wanted != self._frames:
            other = self._line[(places - wanted) % size]
            echo += (other - echo) * _RISE
            self._frames = wanted
        self._line[places] = block + echo * np.float32(self._knobs["feedback"])
        before, self._mix = self._mix, self._knobs["mix"]
        share = np.float32(before) + (np.float32(self._mix - before)) * _RISE
        block += (echo - block) * share
        self._at = (self._at + BLOCK) % size

    def set(self, parameter_id: str, value: float) -> None:
        """See Processor."""
        self._knobs[parameter_id] = value

    def state(self) -> bytes:
        """Its knobs are all of it: an echo is not kept."""
        return b""

    def restore(self, state: bytes) -> None:
        """Its knobs are all of it."""

"""The last stage before the device: never above the ceiling, never not-a-number, no added latency.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

import math

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS

KNEE = 0.8  # share of the ceiling below which a sample passes untouched
AIM = 0.95  # share of the ceiling that the gain rides a loud block down to; the knee catches what is left
RUNAWAY = 1e6  # +120 dBFS: no sound, but something that broke
RELEASE_S = 0.25  # time constant of the gain's way back
_largest = np.maximum.reduce  # what .max() comes to after two detours through Python


class Limiter:
    """Rides the gain down over one block that is too loud, back over a quarter of a second, and rounds what still stands out.

    A block that needs nothing is passed on bit for bit.
    """

    def __init__(self, rate_hz: float, ceiling_db: float) -> None:
        self.ceiling = 10 ** (ceiling_db / 20)
        self.gain = 1.0
        self.peak = 0.0  # of the last block, after limiting
        self.broken_blocks = 0  # blocks that held NaN, infinity or a runaway and were silenced
        self._knee = KNEE * self.ceiling
        # One part in a million below the ceiling, so that rounding to float32 cannot pass it.
        self._room = self.ceiling * (1 - 1e-6) - self._knee
        self._recovery = 1 - math.exp(-BLOCK / (RELEASE_S * rate_hz))
        self._ramp = np.repeat(np.arange(1, BLOCK + 1, dtype=np.float32) / BLOCK, OUTPUTS).reshape(BLOCK, OUTPUTS)
        self._size = np.empty((BLOCK, OUTPUTS), np.float32)
        self._over = np.empty((BLOCK, OUTPUTS), np.float32)
        self._gains = np.empty((BLOCK, OUTPUTS), np.float32)

    def process(self, block: np.ndarray) -> None:
        """Limit one block in place; float32 (BLOCK, OUTPUTS)."""
        np.absolute(block, self._size)
        peak = float(_largest(self._size, None))
        if peak <= self._knee and self.gain == 1.0:
            self.peak = peak
        elif peak < RUNAWAY:  # False for what is no number
            self._ride(block, peak)
        else:
            block.fill(0.0)
            self.peak = 0.0
            self.broken_blocks += 1

    def _ride(self, block: np.ndarray, peak: float) -> None:
        """Move the gain to where this peak wants it, then round the rest off below the ceiling."""
        aim = min(1.0, AIM * self.ceiling / peak) if peak > self._knee else 1.0
        target = aim if aim < self.gain else self.gain + (aim - self.gain) * self._recovery
        if target > 1 - 1e-4:
            target = 1.0
        np.multiply(self._ramp, target - self.gain, out=self._gains)
        self._gains += self.gain
        self.gain = target
        block *= self._gains
        np.absolute(block, self._size)
        self.peak = float(_largest(self._size, None))
        if self.peak > self._knee:
            self._round(block)
            self.peak = self._knee + self._room * math.tanh((self.peak - self._knee) / self._room)

    def _round(self, block: np.ndarray) -> None:
        """Bend what is above the knee towards the ceiling: |x| > knee becomes knee + room * tanh((|x| - knee) / room)."""
        size, over = self._size, self._over
        np.subtract(size, self._knee, out=over)
        np.maximum(over, 0.0, out=over)
        np.minimum(size, self._knee, out=size)
        over /= self._room
        np.tanh(over, out=over)
        over *= self._room
        size += over
        np.copysign(size, block, out=block)

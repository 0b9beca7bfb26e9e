"""The mixing matrix: from stereo buses to one stereo sum, with gains that glide and never click.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

import numpy as np

from engine.audio.voices import GLIDE_S
from engine.core.messages import BLOCK, OUTPUTS


class Faders:
    """Gains (left, right) of each bus. While none moves a block is one product; while one does the gains are straight lines."""

    def __init__(self, buses: int, rate_hz: float) -> None:
        self._glide_blocks = max(1, round(GLIDE_S * rate_hz / BLOCK))
        self._gains = np.zeros((OUTPUTS * buses, OUTPUTS), np.float32)  # at the beginning of the block
        self._change = np.zeros_like(self._gains)  # until its end
        self._ramp = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None] / BLOCK
        self._added = np.zeros((BLOCK, OUTPUTS), np.float32)
        self._moving: dict[int, int] = {}  # bus -> blocks until it is there
        self._aims = [(0.0, 0.0)] * buses

    def aim(self, bus: int, left: float, right: float) -> None:
        """Glide to these gains within GLIDE_S."""
        if (left, right) == self._aims[bus]:
            return
        self._aims[bus] = (left, right)
        self._moving[bus] = self._glide_blocks

    @property
    def is_moving(self) -> bool:
        """Whether the gains will change over the next block."""
        return bool(self._moving)

    def gains(self) -> np.ndarray:
        """Return the gains at the beginning of the next block, one for each channel of the buses."""
        gains: np.ndarray = self._gains.sum(axis=1)  # each goes to one side alone
        return gains

    def mix(self, buses: np.ndarray, out: np.ndarray) -> None:
        """Write the sum of the buses, float32 (BLOCK, OUTPUTS * buses), to `out`, (BLOCK, OUTPUTS)."""
        np.dot(buses, self._gains, out)
        if self._moving:
            self._move()
            np.dot(buses, self._change, self._added)
            self._added *= self._ramp
            out += self._added
            self._gains += self._change
            self._arrive()

    def _move(self) -> None:
        """Find what each gain changes by over this block."""
        self._change.fill(0.0)
        for bus, left in self._moving.items():
            for side in range(OUTPUTS):
                row = OUTPUTS * bus + side
                self._change[row, side] = (self._aims[bus][side] - float(self._gains[row, side])) / left
            self._moving[bus] = left - 1

    def _arrive(self) -> None:
        """Put the gains that are there exactly where they belong."""
        for bus in [bus for bus, left in self._moving.items() if left == 0]:
            for side in range(OUTPUTS):
                self._gains[OUTPUTS * bus + side, side] = self._aims[bus][side]
            del self._moving[bus]

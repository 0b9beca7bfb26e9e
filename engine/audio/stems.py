"""The stems: each bus by itself as the faders leave it, before the master and the limiter, to be recorded or measured.

Runs on: audio process (audio callback). Every block where the configuration asks for stems; else while somebody measures them.
"""

from __future__ import annotations

import numpy as np

from engine.audio.faders import Faders
from engine.core.link import Ring, Writer
from engine.core.messages import BLOCK


class Stems:
    """Mixes as the faders do, and publishes what each bus gives to the sum; a record a block, as in `stems_dtype`."""

    def __init__(self, faders: Faders, writer: Writer, wanted: Ring | None = None) -> None:
        self._faders = faders
        self._writer = writer
        self._wanted = wanted
        self._stale = False  # the faders may have moved since the last block
        self._samples = np.zeros(writer.dtype["samples"].shape, np.float32)
        self._bytes = self._samples.reshape(-1).view(np.uint8).data
        self._gains = faders.gains()  # at the end of the block mixed last
        self._ramp = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None] / BLOCK

    @property
    def is_wanted(self) -> bool:
        """Whether somebody takes the parts of the next block."""
        wanted = self._wanted is None or self._wanted.count & 1 == 1
        self._stale |= not wanted
        return wanted

    def mix(self, buses: np.ndarray, out: np.ndarray) -> None:
        """Write the sum of the buses, float32 (BLOCK, OUTPUTS * buses), to `out`, (BLOCK, OUTPUTS); keep its parts."""
        if self._stale:
            self._stale = False
            self._gains = self._faders.gains()
        if not self._faders.is_moving:
            self._faders.mix(buses, out)
            np.multiply(buses, self._gains, self._samples)
            return
        begin = self._gains
        self._faders.mix(buses, out)
        self._gains = self._faders.gains()
        np.multiply(self._ramp, self._gains - begin, self._samples)
        self._samples += begin
        self._samples *= buses

    def publish(self, frame: int) -> None:
        """Publish the parts of the block mixed last, which begins at `frame` of what is heard."""
        self._writer.push_bytes(frame.to_bytes(8, "little"), self._bytes)

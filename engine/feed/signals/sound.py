"""The sound of every bus and of the master on its way to be measured: as far as it is heard, block by block.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.link import Link, Ring
from engine.core.messages import BLOCK, OUTPUTS
from engine.feed.signals.levels import WINDOW, Levels

STEREO = ("stems", "buses")  # rings with every bus by itself: that of the recording, or the one for this alone
BEHIND = 64  # blocks by which what is read may be behind, or one ring ahead of the other; older ones are not measured


class Sound:
    """Measures what the rings hold; where none has the buses by themselves, the master alone is measured."""

    def __init__(self, link: Link, rate_hz: float, voices: Sequence[str], stems: Sequence[str]) -> None:
        """`voices`: names of those that are measured; `stems`: names of all that the rings hold, in their order."""
        self.levels = Levels(rate_hz, len(voices) + 1)
        places = [stems.index(name) for name in voices]
        self._channels = np.array([OUTPUTS * place + side for place in places for side in range(OUTPUTS)], np.intp)
        name = next((name for name in STEREO if name in link), None)
        self._buses = None if name is None else _Taken(link[name])
        self._wave = _Taken(link["wave"])

    def advance(self, frame: float) -> None:
        """Measure what is there up to half a window behind a frame: the window's middle is then what is heard."""
        latest = frame + WINDOW // 2
        count = self._wave.look(latest)
        if self._buses is None:
            blocks = np.zeros((count, BLOCK, len(self._channels)), np.float32)
        else:
            count = min(count, self._buses.look(latest))
            blocks = self._buses.take(count)[:, :, self._channels]
        wave = self._wave.take(count)
        if count:
            self.levels.take(np.concatenate((blocks, wave), axis=2))


class _Taken:
    """Blocks taken from a ring, and not measured yet."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._reader = ring.reader()
        self._blocks = np.zeros(0, ring.dtype)

    def look(self, latest: float) -> int:
        """Take what has come; return how many of those that wait end no later than a frame."""
        if self._ring.count - self._reader.position > BEHIND:
            self._reader.position = self._ring.count - BEHIND // 2
            self._blocks = self._blocks[:0]
        new = self._reader.read() if self._reader.is_behind() else self._blocks[:0]
        self._blocks = np.concatenate((self._blocks, new))[-BEHIND:] if len(self._blocks) else new
        return int(np.searchsorted(self._blocks["frame"], latest - BLOCK, side="right"))

    def take(self, count: int) -> np.ndarray:
        """Return the samples of the first `count` that wait, (count, BLOCK, channels)."""
        taken, self._blocks = self._blocks[:count], self._blocks[count:]
        samples: np.ndarray = taken["samples"]
        return samples

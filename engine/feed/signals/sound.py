"""The sound of every bus and of the master on its way to be measured: as far as it is heard, block by block.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.link import Link
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
        channels = [OUTPUTS * place + side for place in places for side in range(OUTPUTS)]
        in_a_row = channels == list(range(len(channels)))
        self._channels = slice(len(channels)) if in_a_row else np.array(channels, np.intp)
        name = next((name for name in STEREO if name in link), None)
        self._rings = [link["wave"], *([] if name is None else [link[name]])]
        self._readers = [ring.reader() for ring in self._rings]
        self._samples = np.zeros((BEHIND, BLOCK, len(channels) + OUTPUTS), np.float32)

    def advance(self, frame: float) -> None:
        """Measure what is there up to half a window behind a frame: the window's middle is then what is heard."""
        count = self._due(frame + WINDOW // 2)
        if count <= 0:
            return
        samples = self._samples[:count]
        wave, *buses = (reader.read(count)["samples"] for reader in self._readers)
        if not len(wave) == count == len(buses[0] if buses else wave):  # overwritten while it was copied
            return
        samples[:, :, -OUTPUTS:] = wave
        if buses:
            samples[:, :, :-OUTPUTS] = buses[0][:, :, self._channels]
        self.levels.take(samples)

    def _due(self, latest: float) -> int:
        """Have every ring at the same block; return how many blocks all have that end no later than a frame."""
        for ring, reader in zip(self._rings, self._readers, strict=True):
            if ring.count - reader.position > BEHIND:
                reader.position = ring.count - BEHIND // 2
            if not reader.is_behind():
                return 0
        begins = [int(reader.upcoming("frame")) for reader in self._readers]
        first = max(begins)
        there = BEHIND
        for ring, reader, begin in zip(self._rings, self._readers, begins, strict=True):
            reader.position = min(reader.position + (first - begin) // BLOCK, ring.count)
            there = min(there, ring.count - reader.position)
        return min(there, int(latest - first) // BLOCK)

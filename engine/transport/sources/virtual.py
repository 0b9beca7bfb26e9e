"""A tempo map that is known beforehand: a MIDI file's, for the offline render.

Runs on: the caller of the offline render.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from engine.transport.sources import Reading


class VirtualSource:
    """Answers what a map says of the transport's beat: (beat, bpm) and (beat, numerator, denominator), both in order of beats.

    Before the first entry of a map that entry holds.
    """

    def __init__(self, tempi: Sequence[tuple[float, float]], metres: Sequence[tuple[float, int, int]] = ((0.0, 4, 4),)) -> None:
        self._tempi, self._metres = list(tempi), list(metres)
        self._beats = sorted({beat for beat, *_ in (*tempi, *metres)})

    def take_parameters(self, frame: int) -> None:
        """Nothing moves a map."""

    def read(self, _frame: float, beat: float) -> Reading:
        """Return tempo and metre at the beat."""
        tempo_bpm = self._tempi[max(bisect_right(self._tempi, beat, key=lambda entry: entry[0]) - 1, 0)][1]
        _, numerator, denominator = self._metres[max(bisect_right(self._metres, beat, key=lambda entry: entry[0]) - 1, 0)]
        following = bisect_right(self._beats, beat)
        until = self._beats[following] if following < len(self._beats) else math.inf
        return Reading(tempo_bpm, numerator, denominator, until=until)

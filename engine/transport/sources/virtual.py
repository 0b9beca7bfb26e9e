"""A tempo map that is known beforehand: a MIDI file's, for the offline render.

Runs on: the caller of the offline render.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, TypeVar

from engine.core.metre import of_code
from engine.transport.sources import Reading

_Entry = TypeVar("_Entry", bound=tuple[Any, ...])  # its beat is the first
AHEAD = 0.25  # beats before a metre at which it is known: a timestep


class VirtualSource:
    """Answers what a map says of the transport's beat: (beat, quarters a minute) and (beat, numerator, denominator[, code
    of the groups]), both in order of beats.

    Before the first entry of a map that entry holds.
    """

    def __init__(self, tempi: Sequence[tuple[float, float]], metres: Sequence[tuple[Any, ...]] = ((0.0, 4, 4),)) -> None:
        self._tempi, self._metres = list(tempi), list(metres)
        self._beats = sorted({beat for beat, *_ in (*tempi, *metres)} | {beat - AHEAD for beat, *_ in metres})

    def take_parameters(self, frame: int) -> None:
        """Nothing moves a map."""

    def start(self) -> bool:
        """It begins when it is told to."""
        return False

    def read(self, _frame: float, beat: float) -> Reading:
        """Return the tempo at the beat, and the metre that begins there or with the next timestep."""
        (_, tempo_bpm), (_, *now) = _entry(self._tempi, beat), _entry(self._metres, beat)
        begins, *told = _entry(self._metres, beat + AHEAD)
        metre = of_code(*told)
        following = bisect_right(self._beats, beat)
        until = self._beats[following] if following < len(self._beats) else math.inf
        counted = tempo_bpm / of_code(*now).tempo_beat
        return Reading(counted, metre.numerator, metre.denominator, until=until, groups=metre.code, metre_from=begins)


def _entry(table: list[_Entry], beat: float) -> _Entry:
    return table[max(bisect_right(table, beat, key=lambda entry: entry[0]) - 1, 0)]

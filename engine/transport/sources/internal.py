"""The beat of our own: the parameters tempo, tapped or turned, and metre, and the nudge.

Runs on: audio process, in the block loop.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.transport.sources import Reading, Rings

NUDGE = 0.1  # share of the tempo by which a nudge of 1 is faster
TAPS = 8  # at most so many are looked at
SLOWEST_TAPPED_BPM, FASTEST_TAPPED_BPM = 30, 300  # slower is a new beginning, faster a key that bounced
STRAY = 0.25  # share of the usual distance by which a tap may miss it before it counts as the first of a new tempo


class InternalSource:
    """Answers the parameters `tempo` and `metre`; a tap is a pull of its trigger."""

    def __init__(self, live: Live, rate_hz: float) -> None:
        self._live = live
        self._taps = Taps(rate_hz)
        self._tapped = live.get("transport.tap")
        self._nudge = 0.0

    def take_parameters(self, frame: int) -> None:
        """Take a tap."""
        tapped = self._live.get("transport.tap")
        if tapped != self._tapped:
            self._tapped = tapped
            tempo_bpm = self._taps.tap(frame)
            if tempo_bpm is not None:
                self._live.set("tempo", tempo_bpm)

    def read(self, _frame: float, _beat: float) -> Reading:
        """Return the tempo as it is turned; a nudge holds from this moment, or a short one would be missed."""
        nudge = self._live.get("transport.nudge")
        at_once, self._nudge = nudge != self._nudge, nudge
        metre = of_choice(int(self._live.get("metre")))
        tempo_bpm = self._live.get("tempo") * (1 + NUDGE * nudge)
        return Reading(tempo_bpm, metre.numerator, metre.denominator, at_once=at_once, groups=metre.code)

    def start(self) -> bool:
        """It begins when it is told to."""
        return False


def make(live: Live, rate_hz: float, _rings: Rings) -> InternalSource:
    """Return the source; its metre is the parameter's."""
    return InternalSource(live, rate_hz)


class Taps:
    """The last taps, at frames; two or more make a tempo."""

    def __init__(self, rate_hz: float) -> None:
        self._longest = 60 * rate_hz / SLOWEST_TAPPED_BPM
        self._shortest = 60 * rate_hz / FASTEST_TAPPED_BPM
        self._per_minute = 60 * rate_hz
        self._frames: list[int] = []

    def tap(self, frame: int) -> float | None:
        """Take a tap; return the tempo in bpm, to a tenth, None while there is none."""
        frames = self._frames
        if frames and frame - frames[-1] < self._shortest:
            return None  # bounced
        if frames and self._is_stray(frame):
            frames.clear()
        frames.append(frame)
        del frames[:-TAPS]
        return round(self._per_minute / _slope(frames), 1) if len(frames) > 1 else None

    def _is_stray(self, frame: int) -> bool:
        last = frame - self._frames[-1]
        if last > self._longest:
            return True
        between = [b - a for a, b in pairwise(self._frames)]
        return bool(between) and abs(last / median(between) - 1) > STRAY


def _slope(frames: list[int]) -> float:
    """Frames from one tap to the next, by linear regression."""
    middle = (len(frames) - 1) / 2
    return sum((n - middle) * frame for n, frame in enumerate(frames)) / sum((n - middle) ** 2 for n in range(len(frames)))

"""What a MIDI clock says of the beat: 24 ticks to a quarter note, that come early and late.

Runs on: audio process. A straight line is fitted to the last ticks: to the last 96 while the tempo is steady, to fewer where it
is not, down to 16, which is seen by how the ticks bend away from the line. A tick that seems to be lost is only believed to be
when the next one confirms it.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

PER_BEAT = 24
TICK, POSITION, START, CONTINUE, STOP = 0xF8, 0xF2, 0xFA, 0xFB, 0xFC  # the status bytes of a clock
WINDOWS = (16, 32, 64, 96)  # ticks
BENDS = 2.2  # times the jitter by which ticks may lie on a curve, before fewer of them are taken
LEANS = 2.1  # ... and by which the last ones may lie off the line
LAST = 8  # ticks that are looked at for that
LEARNS = 0.02  # of the jitter, from tick to tick
LOST = 1.6  # intervals after which a tick is suspected to be missing
SLOWED = 4  # times in a row that ticks seem to be lost, after which it is the tempo that fell
GONE_S = 1.0  # so long without a tick, the clock is gone
FIRST_JITTER_S = 1e-3


_Line = tuple[float, float, float]  # number of a tick, its time, seconds of a tick


class MidiClock:
    """Follows ticks: `tick` with the time of each; then `beat_at` and `tempo_bpm`.

    Beats are counted from the first tick, or from where `place` says that the next one is.
    """

    def __init__(self) -> None:
        self._jitter_s = FIRST_JITTER_S
        self._ticks: deque[tuple[int, float]] = deque(maxlen=WINDOWS[-1])  # number and time
        self._number = 0  # of the next tick
        self._placed = True  # ... as it was said, whatever time has passed
        self._suspected = 0  # ticks that may be missing before the last one
        self._line: _Line | None = None
        self._trusted: _Line | None = None  # the line before a tick that came suspiciously late
        self._losses: list[int] = []  # ticks that were believed to be lost, time after time with nothing in between
        self._since_loss = 0  # ticks

    def place(self, beat: float) -> None:
        """The next tick is this beat: a start, a continue. The tempo stays what it was."""
        by = round(beat * PER_BEAT) - self._number
        self._number += by
        self._ticks = deque(((number + by, at) for number, at in self._ticks), maxlen=WINDOWS[-1])
        if self._line is not None:
            number, at, period = self._line
            self._line = (number + by, at, period)
        self._suspected, self._trusted = 0, None
        self._losses.clear()
        self._placed = True

    def tick(self, time_s: float) -> None:
        """A tick came. Times that go back are taken for the last one's."""
        if self._ticks and time_s - self._ticks[-1][1] > GONE_S:
            self._begin_anew(time_s)
        time_s = max(time_s, self._ticks[-1][1]) if self._ticks else time_s
        self._count_lost(time_s)
        self._ticks.append((self._number, time_s))
        self._number += 1
        self._placed = False
        self._fit()

    def _begin_anew(self, time_s: float) -> None:
        """It was gone for a while: what was before tells nothing of the tempo. Where a cable was pulled it has gone on."""
        if self._line is not None and not self._placed:
            number, at, period = self._line
            self._number = max(self._number, round(number + (time_s - at) / period))
        self._ticks.clear()
        self._suspected, self._trusted = 0, None
        self._losses.clear()

    def _count_lost(self, time_s: float) -> None:
        """See whether ticks are missing before this one."""
        if self._line is None or len(self._ticks) < WINDOWS[0]:
            return
        self._since_loss += 1
        if self._since_loss > 2:
            self._losses.clear()
        number, at, period = self._trusted or self._line
        ahead = round((time_s - at) / period + number - self._number)  # ticks by which it comes later than it should
        if self._suspected and ahead >= self._suspected:
            # The one before came late by whole ticks and this one does, too: it was not the jitter.
            last_number, last_time = self._ticks.pop()
            self._ticks.append((last_number + self._suspected, last_time))
            self._number += self._suspected
            self._losses.append(self._suspected)
            self._suspected, self._trusted = 0, None
            self._since_loss = 0
            if len(self._losses) == SLOWED:
                self._slow_down()
        elif ahead > LOST - 1:
            self._suspected, self._trusted = ahead, self._line
        else:
            self._suspected, self._trusted = 0, None

    def _slow_down(self) -> None:
        """No tick was lost: they come further apart, and the last ones say how far."""
        self._number -= sum(self._losses)
        self._losses.clear()
        last = [at for _, at in self._ticks][-2 * SLOWED :]
        self._ticks.clear()
        self._ticks.extend(zip(range(self._number - len(last), self._number), last, strict=True))

    def _fit(self) -> None:
        if len(self._ticks) < 2:
            self._line = None if self._line is None else (self._ticks[-1][0], self._ticks[-1][1], self._line[2])
            return
        ticks = np.asarray(self._ticks)
        found = None
        for window in WINDOWS:
            window = min(window, len(ticks))
            number, times = ticks[-window:, 0], ticks[-window:, 1]
            off = number - number.mean()
            period = float(off @ (times - times.mean()) / (off @ off))
            at = float(times.mean() + period * (number[-1] - number.mean()))
            rest = times - (at + period * (number - number[-1]))
            if found is None:
                if window >= WINDOWS[0]:
                    self._jitter_s += LEARNS * (float(rest.std()) - self._jitter_s)
            elif self._bends(off, rest):
                break
            found = (float(number[-1]), at, max(period, 1e-4))
            if window == len(ticks):
                break
        self._line = found

    def _bends(self, off: np.ndarray, rest: np.ndarray) -> bool:
        """Whether what is left of the ticks beside a line is more than their jitter."""
        curve = off * off - (off * off).mean()
        bent = abs(float(curve @ rest)) / math.sqrt(float(curve @ curve))
        leans = abs(float(rest[-LAST:].mean())) * math.sqrt(LAST)
        return bent > BENDS * self._jitter_s or leans > LEANS * self._jitter_s

    @property
    def jitter_ms(self) -> float:
        """By how much ticks come early or late, a standard deviation."""
        return self._jitter_s * 1e3

    @property
    def tempo_bpm(self) -> float | None:
        """Quarter notes a minute; None before two ticks."""
        return None if self._line is None else 60 / (self._line[2] * PER_BEAT)

    def beat_at(self, time_s: float) -> float | None:
        """Beat at a time; None before two ticks."""
        if self._line is None:
            return None
        number, at, period = self._line
        return (number + (time_s - at) / period) / PER_BEAT

    def is_gone(self, time_s: float) -> bool:
        """Whether there has been no tick for so long that there will be none."""
        return not self._ticks or time_s - self._ticks[-1][1] > GONE_S

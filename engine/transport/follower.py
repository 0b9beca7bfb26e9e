"""The follower: where the beat of what is played is, from the times of its notes alone.

Runs on: network process, or the caller of the offline render. It hears the past only, and costs a fraction of a millisecond a
note.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.transport.onsets import Onset, Onsets
from engine.transport.pace import Pace
from engine.transport.rhythms import FINE, TEMPI_BPM, Rhythms, rhythms

MOST_TURN = 8  # tempi of the grid that it can change by, at most, within one rest
ANEW = 1e-4  # share of the weight that begins anew with each onset: nothing is lost for good
NEAR_TEMPO, NEAR_BEAT = 3, 0.12  # tempi of the grid, and beats, within which two opinions are one
TINY = 1e-12  # that has a logarithm
REMEMBERED = 0.06  # share of the newest onset in the evidence of a beat
HELD = 0.02  # weight around the line from which on it is put right


@dataclass(frozen=True, slots=True)
class Line:
    """Beat `beat` is at `second`, and the next `period_s` later; beats are counted on from where it began."""

    second: float
    beat: float
    period_s: float

    def beat_at(self, second: float) -> float:
        """Beat at a time."""
        return self.beat + (second - self.second) / self.period_s


class Opinions:
    """How likely each tempo and each place in the bar is, `weight` (K, J): a forward filter over onsets."""

    def __init__(self, table: Rhythms) -> None:
        self.table = table
        self._tuning = table.tuning
        self.weight = np.repeat(table.prior[:, None] / table.size, table.size, 1)
        self._restart = ANEW * self.weight
        self._usual = (table.prior / table.prior.max())[:, None]
        self._last = math.nan
        self._heard = 0  # onsets that there was something to expect of
        # (K,) of a beat: how much likelier the last onsets were with it than anywhere in the bar, in nats each
        self.evidence = np.zeros(len(TEMPI_BPM), np.float32)
        self._uniform = (1 / (table.bar * table.period_s)).astype(np.float32)  # (K,) a second: an onset that is anywhere in it
        self._rows = np.arange(len(TEMPI_BPM))
        self._columns = np.arange(table.size)

    def hear(self, onset: Onset) -> None:
        """Take one onset: what expected it there gains."""
        table, weight = self.table, self.weight
        if math.isnan(self._last):
            weight *= table.first
        else:
            passed = onset.second - self._last
            moved = passed / table.period_s * FINE  # (K,) places
            turned = self._tuning.turn * math.sqrt(passed / 2)  # half of it before the beat has gone on, half after
            self.weight = _turned(weight, turned)
            weight = _turned(self._slip(self._move(moved)), turned)
            weight += self._restart
            weight *= self._usual ** np.float32(self._tuning.pull * passed)
            anywhere = weight.sum(1) * self._uniform
            weight *= table.following[self._rows, np.round(moved).astype(np.int64) % table.size]
            self._heard += 1
            share = max(REMEMBERED, 1 / self._heard)
            self.evidence += share * (np.log((weight.sum(1) + TINY) / (anywhere + TINY)) - self.evidence)
        self._last = onset.second
        for likely, level in zip(table.features, onset.levels, strict=True):
            weight *= likely[level]
        weight /= weight.sum()
        self.weight = weight

    def _move(self, places: np.ndarray) -> np.ndarray:
        """Return the weights so many places on, each tempo by its own, (K,)."""
        whole = np.floor(places)
        rest = (places - whole).astype(np.float32)[:, None]
        source = (self._columns[None, :] - whole.astype(np.int64)[:, None]) % self.table.size
        rows = self._rows[:, None]
        moved: np.ndarray = self.weight[rows, source] * (1 - rest) + self.weight[rows, source - 1] * rest
        return moved

    def _slip(self, weight: np.ndarray) -> np.ndarray:
        """Return the weights after the beat may have slipped."""
        slip = np.minimum((self._tuning.drift_s / self.table.period_s * FINE) ** 2, 0.5).astype(np.float32)[:, None] / 2
        slipped: np.ndarray = weight * (1 - 2 * slip)
        slipped += slip * (np.roll(weight, 1, 1) + np.roll(weight, -1, 1))
        return slipped


def _turned(weight: np.ndarray, tempi: float) -> np.ndarray:
    """Return the weights (K, J) after the tempo may have changed, by a standard deviation of so many tempi of the grid."""
    reach = min(math.ceil(2.5 * tempi - 0.5), MOST_TURN)
    if reach < 1:
        return weight
    shares = [math.exp(-0.5 * (apart / tempi) ** 2) for apart in range(1, reach + 1)]
    total = 1 + 2 * sum(shares)
    turned: np.ndarray = weight * np.float32(1 / total)
    for apart, share in enumerate(shares, 1):
        gives = weight * np.float32(share / total)
        turned[apart:] += gives[:-apart]
        turned[:-apart] += gives[apart:]
    return turned


class Follower:
    """Hears notes, in seconds, and tells the `line` of beats that they are on; None before one is found."""

    def __init__(self, drums: bool, bar: int, compound: bool = False) -> None:
        """`bar`: beats in a bar; `compound`: they go in threes, as in 6/8."""
        self.line: Line | None = None
        self._pace: Pace | None = None
        self.confidence = 0.0
        self._onsets = Onsets(drums)
        self._opinions = Opinions(rhythms(drums, bar, compound))
        self._tuning = self._opinions.table.tuning
        self._began = self._doubted = math.nan
        self.heard = math.nan  # second of the last onset

    def hear(self, second: float, pitch: int, velocity: int) -> None:
        """Take a note."""
        onset = self._onsets.add(second, pitch, velocity)
        if onset is not None:
            self._take(onset)

    def wait(self, second: float) -> None:
        """Nothing else was played up to here."""
        if self._onsets.closes(second):
            self._take(self._onsets.close())

    def _take(self, onset: Onset) -> None:
        if math.isnan(self._began):
            self._began = onset.second
        self.heard = onset.second
        self._opinions.hear(onset)
        self._judge(onset.second)

    def _judge(self, second: float) -> None:
        """Put the line right by what is likely now."""
        weight = self._opinions.weight
        folded = weight.reshape(len(weight), -1, FINE).sum(1)  # (K, FINE): the place in the beat
        spread = _spread(folded)
        tempo, place = divmod(int(spread.argmax()), FINE)
        period, beat, best = self._centre(folded, tempo, place / FINE)
        pace = self._pace
        if pace is None:
            self.confidence = best
            known = second - self._began >= self._tuning.lock_s and self._opinions.evidence[tempo] >= self._tuning.evidence
            if known and best > self._tuning.lock:
                self._begin(second, beat, period)
            return
        pace.go_on(second)
        at = pace.beat
        mine_period, mine_beat, mine = self._centre(folded, *self._nearest(spread, pace.now_s, at % 1))
        self.confidence = mine
        if mine > HELD:
            pace.put_right((mine_beat - at + 0.5) % 1 - 0.5, mine_period)
        self.line = Line(second, pace.beat, pace.period_s)
        if best > self._tuning.switch * mine:
            if math.isnan(self._doubted):
                self._doubted = second
            if second - self._doubted >= self._tuning.switch_s:
                self._doubted = math.nan
                off = (beat - at + 0.5) % 1 - 0.5
                self._begin(second, at + off, period)
                self.confidence = best
        else:
            self._doubted = math.nan

    def _begin(self, second: float, beat: float, period_s: float) -> None:
        """Begin a line, or another one."""
        self._pace = Pace(second, beat, period_s, self._tuning)
        self.line = Line(second, beat, period_s)

    def _nearest(self, spread: np.ndarray, period_s: float, beat: float) -> tuple[int, float]:
        """Return the tempo and the place in the beat of the best opinion near those."""
        own = _row(period_s)
        first = max(own - self._tuning.own_tempo, 0)
        wide = round(self._tuning.own_beat * FINE)
        places = np.arange(round(beat * FINE) - wide, round(beat * FINE) + wide + 1) % FINE
        near = spread[first : own + self._tuning.own_tempo + 1][:, places]
        tempo, place = divmod(int(near.argmax()), len(places))
        return first + tempo, places[place] / FINE

    def bar_lines(self) -> np.ndarray:
        """Return (bar,) how likely each beat of the line, by its number within the bar, begins one. There must be a line."""
        line = self.line
        assert line is not None
        own = _row(line.period_s)
        rows = self._opinions.weight[max(own - self._tuning.own_tempo, 0) : own + self._tuning.own_tempo + 1].sum(0)
        number = round(line.beat_at(self.heard))
        off = line.beat_at(self.heard) - number
        bar = len(rows) // FINE
        wide = round(self._tuning.own_beat * FINE)
        found = np.empty(bar)
        for ago in range(bar):  # the bar began so many beats ago
            place = round((ago + off) * FINE)
            found[(number - ago) % bar] = rows[np.arange(place - wide, place + wide + 1) % len(rows)].sum()
        found /= found.sum() + 1e-12
        return found

    def _centre(self, folded: np.ndarray, tempo: int, beat: float) -> tuple[float, float, float]:
        """Return period, place in the beat and weight of the opinions around a tempo and a place in the beat."""
        first = max(tempo - NEAR_TEMPO, 0)
        rows = folded[first : tempo + NEAR_TEMPO + 1]
        wide = round(NEAR_BEAT * FINE)
        middle = round(beat * FINE)
        places = np.arange(middle - wide, middle + wide + 1)
        near = rows[:, places % FINE]
        total = float(near.sum()) + 1e-12
        periods = 60 / TEMPI_BPM[first : tempo + NEAR_TEMPO + 1]
        return float(near.sum(1) @ periods) / total, float(near.sum(0) @ places) / total / FINE, min(total, 1.0)


def _row(period_s: float) -> int:
    """Number of the tempo nearest to a period."""
    row = round(math.log(60 / period_s / TEMPI_BPM[0]) / math.log(TEMPI_BPM[1] / TEMPI_BPM[0]))
    return min(max(row, 0), len(TEMPI_BPM) - 1)


def _spread(folded: np.ndarray) -> np.ndarray:
    """Sum each opinion with its neighbours."""
    rows = np.zeros((len(folded) + 2, FINE), np.float32)
    rows[1:-1] = folded
    three = rows[:-2] + rows[1:-1] + rows[2:]
    return three + np.roll(three, 1, 1) + np.roll(three, -1, 1)

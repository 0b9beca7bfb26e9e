"""What comes round: the length of the loop that the player repeats, found from what was heard.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

HEARD, BELIEVED = 24, 24  # numbers of a beat: how much of each pitch class, its bass; roots and tones of the chord
LONGEST_BARS = 16
LEAST = 0.6  # likeness from which on something is a repetition
SURE = 0.95  # ... and from which on it is certain
WHOLE = 0.72  # ... and from which on it is a loop to be kept
COMPARED_BEATS = 32  # at most so many of the last beats are compared with those before
LEAST_BARS = 2  # so many bars have to be compared
LEFT = 0.2  # likeness of the last bar below which he has left what came round
LONGER = 0.03  # a longer loop has to be better by so much: twice the loop is a loop, too
EARLIER = (0.6, 0.4, 0.2)  # what the rounds before the last one are worth, beside it
NOTHING = np.zeros(HEARD + BELIEVED)


class Rounds:
    """Keeps the beats of the last minutes: what was heard, (HEARD,), and which chord, (BELIEVED,); finds what repeats."""

    def __init__(self, beats_per_bar: int) -> None:
        self._bar = beats_per_bar
        self._periods = np.arange(1, LONGEST_BARS + 1) * beats_per_bar
        self._kept = (1 + len(EARLIER)) * LONGEST_BARS * beats_per_bar  # beats; further back nobody looks
        self._beats: list[np.ndarray] = []  # (HEARD + BELIEVED,) each
        self._units: list[np.ndarray] = []  # what is compared of each, of length 1; nothing of one in which nothing was heard
        self._alike: list[np.ndarray] = []  # for the last beats: (2, periods), likeness and whether either of the two sounds
        self.period = 0  # beats; 0: nothing comes round, or not whole yet
        self.guess = 0  # the same from the first bars that came again on
        self.sure = 0.0  # 0..1, of the guess
        self.compared = 0.0  # share of COMPARED_BEATS that it was found by

    def __len__(self) -> int:
        return len(self._beats)

    def add(self, heard: np.ndarray, believed: np.ndarray) -> None:
        """One more beat is over; what was silent before the first that was not is of no round."""
        if not self._beats and not heard.any():
            return
        self._beats.append(np.concatenate([heard, believed]))
        self._units.append(_unit(self._beats[-1]))
        del self._beats[: -self._kept], self._units[: -self._kept]
        self._alike.append(self._compare(self._units[-1]))
        del self._alike[:-COMPARED_BEATS]
        self._find()

    def correct(self, beats_ago: int, believed: np.ndarray) -> None:
        """Which chord a beat was that is over (1: the last one), as it is known by now."""
        if beats_ago <= len(self._beats):
            beat = self._beats[-beats_ago]
            beat[HEARD:] = believed
            self._units[-beats_ago] = _unit(beat)

    def ahead(self, beats: int) -> np.ndarray:
        """What was heard and believed in the beat so many beats from now (0: the one that has not ended) a round ago, and, as
        far as that was like it, in the rounds before; zeros where nothing says."""
        at = len(self._beats) + beats - self.guess
        if not self.guess or not 0 <= at < len(self._beats):
            return NOTHING
        found, whole, unit = self._beats[at], 1.0, self._units[at]
        for earlier, weight in zip(range(at - self.guess, -1, -self.guess), EARLIER, strict=False):
            if unit.any():  # a pause is like everything
                weight *= max(float(unit @ self._units[earlier]), 0.0)
            found, whole = found + weight * self._beats[earlier], whole + weight
        return found / whole

    def _compare(self, unit: np.ndarray) -> np.ndarray:
        """The beat that was added last with the one each period before it."""
        at = len(self._units) - 1 - self._periods
        found = np.zeros((2, len(at)))
        known = int((at >= 0).sum())
        if known:
            earlier = np.array([self._units[i] for i in at[:known].tolist()])
            found[0, :known] = earlier @ unit
            found[1, :known] = unit.any() or earlier.any(1)
        return found

    def _find(self) -> None:
        self.guess, self.sure, self.compared = 0, 0.0, 0.0
        sums = np.cumsum(np.array(self._alike[::-1]), 0)  # (beats back, 2, periods)
        best = 0.0
        for at, period in enumerate(self._periods.tolist()):
            compared = min(COMPARED_BEATS, len(self._beats) - period)
            if compared < LEAST_BARS * self._bar:
                break
            alike, sounding = sums[self._bar - 1, :, at].tolist()
            if alike < LEFT * sounding:
                continue
            alike, sounding = sums[compared - 1, :, at].tolist()
            if sounding >= compared / 2 and alike / sounding > best + LONGER * (best > 0):
                best = alike / sounding
                self.guess, self.compared = period, compared / COMPARED_BEATS
        self.sure = min(max((best - LEAST) / (SURE - LEAST), 0.0), 1.0)
        if self.sure <= 0:
            self.guess, self.compared = 0, 0.0
        is_whole = self.compared * COMPARED_BEATS >= min(self.guess, COMPARED_BEATS)
        self.period = self.guess if is_whole and best >= WHOLE else 0


def _unit(beat: np.ndarray) -> np.ndarray:
    """What was heard and the roots that were believed, each at length 1 / sqrt(2)."""
    if not beat[:HEARD].any():
        return np.zeros(HEARD + 12)
    halves = beat[:HEARD], beat[HEARD : HEARD + 12]
    unit: np.ndarray = np.concatenate([half / max(float(np.linalg.norm(half)), 1e-9) for half in halves]) / np.sqrt(2)
    return unit

"""What comes round: the length of the loop that the player repeats, found from what was heard.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

LONGEST_BARS = 16
LEAST = 0.72  # likeness from which on something is a repetition
SURE = 0.9  # ... and from which on it is certain
COMPARED_BEATS = 32  # at most so many of the last beats are compared with those before


class Rounds:
    """Keeps the beats of the last minutes, (24,) each: what was heard and which chord that was; finds what they repeat."""

    def __init__(self, beats_per_bar: int) -> None:
        self._bar = beats_per_bar
        self._beats: list[np.ndarray] = []
        self.period = 0  # beats; 0: nothing comes round
        self.sure = 0.0  # 0..1

    def __len__(self) -> int:
        return len(self._beats)

    def add(self, beat: np.ndarray) -> None:
        """One more beat is over; what was silent before the first that was not is of no round."""
        if not self._beats and not beat.any():
            return
        self._beats.append(_unit(beat))
        self._find()

    def _find(self) -> None:
        count = len(self._beats)
        past = np.array(self._beats[-(LONGEST_BARS * self._bar + COMPARED_BEATS) :])
        best = (0.0, 0)
        for period in range(self._bar, LONGEST_BARS * self._bar + 1, self._bar):
            compared = min(COMPARED_BEATS, count - period)
            if compared < min(period, COMPARED_BEATS):
                break
            last, earlier = past[-compared:], past[len(past) - compared - period : len(past) - period]
            sounding = last.any(1) | earlier.any(1)
            if sounding.sum() < compared / 2:
                continue
            likeness = float((last * earlier).sum() / sounding.sum())
            if likeness > best[0] + 0.03:  # a longer one has to be better: twice the loop is a loop, too
                best = (likeness, period)
        likeness, period = best
        self.sure = min(max((likeness - LEAST) / (SURE - LEAST), 0.0), 1.0)
        self.period = period if self.sure > 0 else 0


def _unit(beat: np.ndarray) -> np.ndarray:
    """What was heard and the chord, each at length 1 / sqrt(2); nothing of a beat in which nothing was heard."""
    if not beat[:12].any():
        return np.zeros(len(beat))
    halves = [half / max(float(np.linalg.norm(half)), 1e-9) for half in np.split(beat.astype(float), 2)]
    unit: np.ndarray = np.concatenate(halves) / np.sqrt(2)
    return unit

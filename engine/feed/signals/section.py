"""Sections, by self-similarity: where a piece begins to sound otherwise, and which of what came before it then sounds like.

Runs on: signals process, or a thread of the replay.

Each bar is told by the pitch classes that began in it and by how much each voice played. A section ends where the last bars are
like each other and unlike those before them (Foote 2000: a checkerboard laid along the diagonal of the self-similarity matrix).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

HALF = 4  # bars on each side of a border
NOVELTY = 0.16  # how unlike both sides are where a border is
ALIKE = 0.90  # how like a section is that has the same letter
SHORTEST = 4  # bars
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Section:
    """Where a piece is."""

    letter: str = ""
    kind: int = -1  # number of the letter
    place: int = -1  # which section in a row
    likeness: float = 0.0  # of the newest bar to what has this letter, 0..1


class Sections:
    """Finds sections while it is played: a border is told HALF + 1 bars late, for only then is it known to be one."""

    def __init__(self) -> None:
        self._bars: deque[np.ndarray] = deque(maxlen=2 * HALF)
        self._novelty = 0.0  # of the place HALF bars back
        self._kinds: list[np.ndarray] = []  # sum of the bars of each letter
        self._kind = -1
        self._place = -1
        self._length = 0

    def end_bar(self, classes: np.ndarray, rates: np.ndarray) -> Section:
        """Take a bar: how often each pitch class began, (12,), and the notes a second of each voice. Return where it is."""
        if not classes.sum() + rates.sum():
            return Section()
        bar = np.concatenate([_unit(classes), _unit(np.sqrt(rates))])
        latest = [*self._bars][HALF:]  # the bars behind the place that was looked at last
        self._bars.append(bar)
        self._length += 1
        before, self._novelty = self._novelty, self._novelty_now()
        if self._kind < 0:
            self._begin(bar)
        elif self._length > SHORTEST + HALF and before > NOVELTY and before >= self._novelty:
            self._begin(np.sum([*latest, bar], axis=0))
            self._length = HALF + 1
        else:
            self._kinds[self._kind] += bar
        likeness = float(np.clip(_likeness(bar, self._kinds[self._kind]), 0, 1))
        return Section(LETTERS[self._kind], self._kind, self._place, likeness)

    def _novelty_now(self) -> float:
        """How much more the bars of each half are like each other than like those of the other half."""
        if len(self._bars) < 2 * HALF:
            return 0.0
        bars = np.array(self._bars)
        bars /= np.linalg.norm(bars, axis=1, keepdims=True)
        alike = bars @ bars.T
        within = (alike[:HALF, :HALF].mean() + alike[HALF:, HALF:].mean()) / 2
        return float(within - alike[:HALF, HALF:].mean())

    def _begin(self, bars: np.ndarray) -> None:
        likeness = [_likeness(bars, kind) for kind in self._kinds]
        before = self._kind
        best = int(np.argmax(likeness)) if likeness else -1
        full = len(self._kinds) == len(LETTERS)  # hours of music: what is new is told as what it is most like
        if best >= 0 and best != before and (full or likeness[best] > ALIKE):
            self._kind = best
            self._kinds[best] += bars
        elif not full:
            self._kind = len(self._kinds)
            self._kinds.append(bars.copy())
        self._place += 1


def _unit(values: np.ndarray) -> np.ndarray:
    size = float(np.linalg.norm(values))
    return values / size if size else values.astype(float)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9))

"""What is heard of a player: the beat that sounds, what sounded long before, and what is to come if it comes round again.

Runs on: network process, or the caller of the offline render; training hears by the same code.

A plane is a number for each pitch class, (12,). A beat has the planes HEARD; what the ear is told has more, and numbers that
belong to no pitch class: where in the bar it is, how much of the beat is over, how sure it is that something comes round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.jam.chords import TOLD_OF
from engine.jam.rounds import Rounds

HEARD = 5  # planes of a beat: how long, how often struck, struck on the beat, lowest and low, lowest of several
HORIZONS = 3  # of which the chord is judged: this beat, the next, one that is over
NOW, NEXT, AGO = range(HORIZONS)
AGO_BEATS = 3  # so long ago: a bar of four is over
AHEAD = 4  # beats, this one the first, of which it is told what was heard a round ago
# With what sounded long before; and of this beat and the next a round ago the bass, and the chord's root and tones.
PLANES = HEARD + 1 + AHEAD + 6
PLACES, METRES = 5, 4  # beats of a bar that are told apart, and lengths of a bar (2, 3, 4, other)
PLAIN = PLACES + METRES + 5
LOW = 53  # MIDI pitch below which a lowest note is a bass
STRUCK = 0.5  # what a stroke is worth, beside a note that sounds for the whole beat
KEEP = 0.98  # of what was heard before, from beat to beat: half of it is forgotten in half a minute
ADAPTS, MOSTLY = 0.3, 0.65  # of how often he plays where a beat begins: a share of the last time, and what is most of the time
SILENCE_BEATS = 16  # longer silences are all alike


class Beat:
    """What was heard of a beat so far. `planes` (HEARD, 12)."""

    __slots__ = ("lowest", "planes", "together")

    def __init__(self) -> None:
        self.planes = np.zeros((HEARD, 12), np.float32)
        self.lowest = 128
        self.together = 0  # most notes at once

    def copy(self) -> Beat:
        """The same, to be added to."""
        other = Beat()
        other.planes[:] = self.planes
        other.lowest, other.together = self.lowest, self.together
        return other

    def add(self, struck: Sequence[int], held: Sequence[int], is_first: bool, share: float) -> None:
        """Hear one step of it, which is this share of the beat: the pitches that begin, and those that go on."""
        planes = self.planes
        for pitch in struck:
            at = pitch % 12
            planes[0, at] = min(planes[0, at] + share, 1)
            planes[1, at] = min(planes[1, at] + STRUCK, 1)
            if is_first:
                planes[2, at] = 1
        for pitch in held:
            planes[0, pitch % 12] = min(planes[0, pitch % 12] + share, 1)
        sounding = [*struck, *held]
        if not sounding:
            return
        lowest = min(sounding)
        self.together = max(self.together, len(sounding))
        self.lowest = min(self.lowest, lowest)
        planes[3:] = 0
        if self.lowest < LOW:
            planes[3, self.lowest % 12] = 1
        elif self.together > 1:
            planes[4, self.lowest % 12] = 1

    def sum(self) -> np.ndarray:
        """What is kept of it, (24,): how much of each pitch class, and its bass."""
        planes = self.planes
        return np.concatenate([0.5 * (planes[0] + planes[1]), planes[3] + 0.5 * planes[4]])


class Hearing:
    """Keeps what was heard. For each beat in turn `told`, as often as more is heard of it, then `end`."""

    def __init__(self, beats_per_bar: int) -> None:
        self._bar = beats_per_bar
        self.rounds = Rounds(beats_per_bar)
        self.sounded = np.zeros(12)  # how much of each pitch class, the later the more
        self.silent_beats = 0
        self._struck = np.zeros(beats_per_bar)  # how often he plays where a beat begins, by beats of the bar
        self._before = np.zeros((PLANES - HEARD, 12), np.float32)  # what is told of the beats before

    def take_bar(self, beats_per_bar: int) -> None:
        """Bars have so many beats from here on; what came round before does not any more."""
        self._bar = beats_per_bar
        self.rounds = Rounds(beats_per_bar)
        self._struck = np.zeros(beats_per_bar)
        self._recall()

    def comes(self, place: int) -> bool:
        """Whether he is likely to play where a beat begins: he nearly always did in the last bars."""
        return bool(self._struck[place % self._bar] > MOSTLY)

    def told(self, beat: Beat, place: int, over: float) -> np.ndarray:
        """What the ear is told of a beat, float32 (12 * PLANES + PLAIN,): planes one after another, then the plain numbers.

        `place`: which beat of the bar it is; `over`: the share of it that is over.
        """
        rounds = self.rounds
        found = np.zeros(12 * PLANES + PLAIN, np.float32)
        planes = found[: 12 * PLANES].reshape(PLANES, 12)
        planes[:HEARD] = beat.planes
        planes[HEARD:] = self._before
        plain = found[12 * PLANES :]
        plain[min(place % self._bar, PLACES - 1)] = 1
        plain[PLACES + (self._bar - 2 if self._bar in (2, 3, 4) else 3)] = 1
        silent = 0 if beat.together else min(self.silent_beats, SILENCE_BEATS) / SILENCE_BEATS
        plain[PLACES + METRES :] = over, beat.together > 0, rounds.sure, rounds.compared, silent
        return found

    def end(self, beat: Beat, place: int, likely: np.ndarray) -> None:
        """A beat is over. `place`: which of the bar; `likely` (HORIZONS, classes + 1): Recognition.judge of all of it."""
        kept = beat.sum()
        self.sounded *= KEEP
        self.sounded += kept[:12]
        self.silent_beats = 0 if beat.together else self.silent_beats + 1
        struck = bool(beat.planes[2].any())
        self._struck[place % self._bar] += ADAPTS * (struck - self._struck[place % self._bar])
        believed = likely[[NOW, AGO], :-1] @ TOLD_OF
        self.rounds.add(kept, believed[0])
        self.rounds.correct(1 + AGO_BEATS, believed[1])
        self._recall()

    def _recall(self) -> None:
        """Say what sounded long before, and what came in the rounds before where the next beats will be."""
        self._before.fill(0)
        most = self.sounded.max()
        if most > 0:
            self._before[0] = self.sounded / most
        for ahead in range(AHEAD if self.rounds.guess else 0):
            kept = self.rounds.ahead(ahead).reshape(4, 12)
            self._before[1 + ahead] = kept[0]
            if ahead < 2:
                self._before[1 + AHEAD + 3 * ahead : 4 + AHEAD + 3 * ahead] = kept[1:]

"""Onsets: the notes that are struck together, and what is to be seen of them.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

from typing import NamedTuple

TOGETHER_S = 0.04  # notes no further apart than this are one onset
# Levels of each feature, by whether they are of drums: kick; snare (none, ghost, accented); hat or ride; tom; crash.
# Of notes: how many; whether the lowest is low; how loud.
FEATURES = {True: (2, 3, 2, 2, 2), False: (3, 3, 3)}
KICKS, SNARES, HATS, CRASHES = {35, 36}, {37, 38, 39, 40}, {22, 26, 42, 44, 46, 51, 53, 59}, {49, 52, 55, 57}
TOMS = {41, 43, 45, 47, 48, 50, 58}
ACCENT = 1.0  # times the usual velocity, from which on a snare is accented
LOW = 6  # semitones below the usual, from which on a note is low, and as many above high
LOUD = 0.08  # share of the usual velocity above which one is loud, and below which soft
SLOW = 0.1  # share by which the usual moves with each onset


class Onset(NamedTuple):
    """Notes that were struck together: when, and the level of each feature."""

    second: float
    levels: tuple[int, ...]


class Onsets:
    """Gathers notes, in their order, into onsets; knows what is usual of them."""

    def __init__(self, drums: bool) -> None:
        self._drums = drums
        self._notes: list[tuple[float, int, int]] = []
        self._usual_velocity = self._usual_pitch = -1.0

    def add(self, second: float, pitch: int, velocity: int) -> Onset | None:
        """Take a note; return the onset before it, where it begins another."""
        done = self.close() if self._notes and second - self._notes[0][0] > TOGETHER_S else None
        self._notes.append((second, pitch, velocity))
        return done

    def closes(self, second: float) -> bool:
        """Whether the onset that is gathered is complete by now."""
        return bool(self._notes) and second - self._notes[0][0] > TOGETHER_S

    def close(self) -> Onset:
        """Return the onset that was gathered; there must be one."""
        notes, self._notes = self._notes, []
        second = sum(note[0] for note in notes) / len(notes)
        velocity = max(note[2] for note in notes)
        if self._usual_velocity < 0:
            self._usual_velocity, self._usual_pitch = velocity, min(note[1] for note in notes)
        levels = self._of_drums(notes) if self._drums else self._of_notes(notes, velocity)
        self._usual_velocity += SLOW * (velocity - self._usual_velocity)
        self._usual_pitch += SLOW * (min(note[1] for note in notes) - self._usual_pitch)
        return Onset(second, levels)

    def _of_drums(self, notes: list[tuple[float, int, int]]) -> tuple[int, ...]:
        struck = {note[1] for note in notes}
        snare = max((note[2] for note in notes if note[1] in SNARES), default=0)
        toms = struck - KICKS - SNARES - HATS - CRASHES
        return (
            int(bool(struck & KICKS)),
            0 if not snare else 1 + (snare >= ACCENT * self._usual_velocity),
            int(bool(struck & HATS)),
            int(bool(toms)),
            int(bool(struck & CRASHES)),
        )

    def _of_notes(self, notes: list[tuple[float, int, int]], velocity: int) -> tuple[int, ...]:
        lowest = min(note[1] for note in notes) - self._usual_pitch
        louder = velocity / self._usual_velocity - 1
        return (
            min(len(notes), 3) - 1,
            0 if lowest < -LOW else 2 if lowest > LOW else 1,
            0 if louder < -LOUD else 2 if louder > LOUD else 1,
        )

"""A motif: what an answer keeps of its phrase; half of it is said again, moved, to the rhythm of the other half it is free.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from engine.jam.chords import SCALE, key_of
from engine.jam.roll import PlayedNote
from engine.network.noise import noise

STREAM = 4  # of the noise
LEAST_NOTES = 3  # fewer are no motif
HEAD_NOTES = 5  # at least so many are said again, where there are
LONGEST_BARS = 4  # of a phrase, from its end
MOVES = (0, 0, 0, 5, -5, 7, -7, 2, -2, 4, -3, 3, -4)  # semitones by which it may be moved; 0 where no other keeps to the key


class Motif:
    """The plan of an answer, round after round of the phrase: `at` says what its line does in a timestep."""

    def __init__(
        self,
        notes: Sequence[PlayedNote],
        past: np.ndarray,
        step: int,
        bar: int,
        beat: int,
        seed: int,
        reach: tuple[int, int] = (0, 127),
    ) -> None:
        """`notes`: the phrase, three at least. `past` (12,): pitch classes heard before, for the key. `step`: in which it may
        begin; `bar` and `beat`: timesteps in them. It begins where in the bar the phrase did, or in the beat if that is far.
        `reach`: lowest and highest pitch it may have."""
        self._reach = reach
        line = _highest(notes)
        first = line[0].begin
        wait = (first - step) % bar
        self.begin = step + (wait if 2 * wait <= bar else (first - step) % beat)
        ends = [min(note.end, following.begin) for note, following in pairwise(line)]
        ends.append(min(line[-1].end, max(step, line[-1].begin + 1)))
        self._notes = [(n.begin - first, end - first, n.pitch, n.velocity) for n, end in zip(line, ends, strict=True)]
        self._length = max(-(-(ends[-1] - first) // bar), 1) * bar
        split = self._notes[HEAD_NOTES][0] if len(self._notes) > HEAD_NOTES else self._length
        self._split = max(split, next((begin for begin, *_ in self._notes if 2 * begin >= self._length), self._length))
        classes = np.bincount([pitch % 12 for _, _, pitch, _ in self._notes], minlength=12)
        self._key = key_of(classes + 0.05 * past / max(past.sum(), 1) * classes.sum())
        self._seed = seed

    def at(self, step: int) -> tuple[tuple[int, float, bool] | None, bool]:
        """Return the note that is said again in a timestep (pitch, velocity, whether it begins there), None for a rest; and
        whether the line is free to begin one instead."""
        if step < self.begin:
            return None, False
        number, within = divmod(step - self.begin, self._length)
        again = (within < self._split) == (number % 2 == 0)
        found = next((note for note in self._notes if note[0] <= within < note[1]), None)
        if found is None:
            return None, False
        begins = found[0] == within
        if not again:
            return None, begins
        return (found[2] + self._moved(number), found[3], begins), False

    def is_free(self, step: int) -> bool:
        """Whether the line goes its own way in a timestep: it may hold what it began."""
        number, within = divmod(step - self.begin, self._length)
        return step >= self.begin and (within < self._split) != (number % 2 == 0)

    def _moved(self, number: int) -> int:
        """Semitones by which round `number` is moved: its notes stay in the key, so far as they were."""
        scale = {(self._key + tone) % 12 for tone in SCALE}
        again = [pitch for begin, _, pitch, _ in self._notes if (begin < self._split) == (number % 2 == 0)]
        low, high = self._reach
        fit = [
            move
            for move in MOVES
            if all((pitch + move) % 12 in scale for pitch in again if pitch % 12 in scale)
            and all(low <= pitch + move <= high for pitch in again)
        ] or [0]
        return fit[int(noise(self._seed, self.begin + number, 1, STREAM)[0] * len(fit))]


def _highest(notes: Sequence[PlayedNote]) -> list[PlayedNote]:
    """The highest of those that begin together, in their order."""
    best: dict[int, PlayedNote] = {}
    for note in notes:
        if note.begin not in best or note.pitch > best[note.begin].pitch:
            best[note.begin] = note
    return [best[step] for step in sorted(best)]

"""A progression of its own: the chords that a band goes by while nobody gives it any, section by section, song after song.

Runs on: network process, or the caller of the offline render.

A network that is told no chord sinks to one: what sounded makes the same likelier. So it is told a song: two sections of eight
bars as A A B A, the next song in another key. Where the player left a loop, that is the A of every other song. It sinks into
one way of playing, too, as what it heard last says the same again: with each song the network's states begin anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from engine.jam.chords import Chord, chord
from engine.network.noise import noise

T = TypeVar("T")
STREAM = 3  # of the noise
SECTION_BARS = 8
FORM = "AABA"
MOVES = (0, 5, 7, 2, 9, 3)  # semitones from a song's key to the next one's
AWAY = (5, 7, 9, 3, 0)  # ... and to that of its B
# Chords of a major key: root and quality, and what they go to, how often.
DEGREES: dict[str, tuple[int, str]] = {
    "I": (0, ""), "ii": (2, "m7"), "iii": (4, "m"), "IV": (5, ""), "V": (7, "7"), "vi": (9, "m"), "V/ii": (9, "7"),
    "V/V": (2, "7"), "V/vi": (4, "7"), "V/IV": (0, "7"), "iv": (5, "m"), "bVII": (10, ""),
}  # fmt: skip
GOES: dict[str, dict[str, float]] = {
    "I": {"IV": 3, "vi": 3, "ii": 2, "V": 2, "iii": 1, "I": 0.8, "V/ii": 0.6, "V/vi": 0.5, "V/IV": 0.5, "bVII": 0.4},
    "ii": {"V": 6, "IV": 0.5, "vi": 0.3, "V/V": 0.3},
    "iii": {"vi": 3, "IV": 2, "ii": 1},
    "IV": {"V": 3, "I": 3, "ii": 1, "iv": 0.7, "vi": 0.5, "bVII": 0.4},
    "V": {"I": 5, "vi": 2, "IV": 1, "iii": 0.3},
    "vi": {"IV": 3, "ii": 2, "V": 1, "iii": 1, "V/V": 0.6},
    "V/ii": {"ii": 1},
    "V/V": {"V": 3, "ii": 0.5},
    "V/vi": {"vi": 1},
    "V/IV": {"IV": 1},
    "iv": {"I": 2, "V": 1},
    "bVII": {"IV": 1, "I": 1},
}
BEGINS = {"A": ("I",), "B": ("IV", "vi", "ii")}
TURNS = ("ii", "IV", "V/V")  # a bar before the V that ends a section


class Progression:
    """`begin` a song; then `at` says the chord of any beat from there on."""

    def __init__(self) -> None:
        self._loop: tuple[Chord, ...] = ()  # what the player left, one a beat
        self._loop_beat = 0  # at which it began once
        self._begun = (0, 1, 1)  # seed, first beat, beats of a bar
        self._first_key = 0
        self._section = SECTION_BARS  # beats
        self._songs: list[tuple[int, dict[str, tuple[Chord, ...]]]] = []  # key and sections of those so far

    def learn(self, loop: Sequence[Chord], beat: int) -> None:
        """The player goes round these chords, one a beat; one round began at `beat`."""
        self._loop, self._loop_beat = tuple(loop), beat

    def forget(self) -> None:
        """Forget his loop."""
        self._loop = ()

    def begin(self, seed: int, beat: int, beats_per_bar: int, key: int | None) -> None:
        """Begin with the bar that begins at `beat`, in a major key 0..11, or in the seed's."""
        self._begun = seed, beat, beats_per_bar
        self._section = SECTION_BARS * beats_per_bar
        if self._loop:  # whole rounds of it
            self._section = -(-self._section // len(self._loop)) * len(self._loop)
        self._first_key = int(12 * self._draw(-1, 1)[0]) if key is None else key
        self._songs = []

    def begins_song(self, beat: int) -> bool:
        """Whether another song begins with a beat; the first one goes on from what was."""
        since = beat - self._begun[1]
        return since > 0 and since % (len(FORM) * self._section) == 0

    def at(self, beat: int) -> Chord:
        """The chord of a beat."""
        _, first, beats_per_bar = self._begun
        song, within = divmod(max(beat - first, 0), len(FORM) * self._section)
        while len(self._songs) <= song:
            self._songs.append(self._compose(len(self._songs)))
        section, place = divmod(within, self._section)
        if FORM[section] == "A" and self._loop and song % 2 == 0:
            return self._loop[(beat - self._loop_beat) % len(self._loop)]
        bars = self._songs[song][1][FORM[section]]
        return bars[place // beats_per_bar % len(bars)]

    def _draw(self, song: int, count: int) -> np.ndarray:
        return noise(self._begun[0], song + 1, count, STREAM)

    def _compose(self, song: int) -> tuple[int, dict[str, tuple[Chord, ...]]]:
        draws = iter(self._draw(song, 4 * SECTION_BARS).tolist())
        key = self._first_key
        if song:
            key = self._first_key if self._loop and song % 2 == 0 else (self._songs[-1][0] + _of(MOVES, next(draws))) % 12
        keys = {"A": key, "B": key + _of(AWAY, next(draws))}
        found = {}
        for name, tonic in keys.items():
            degrees = [_of(BEGINS[name], next(draws))]
            while len(degrees) < SECTION_BARS - 2:
                degrees.append(_weighed(GOES[degrees[-1]], next(draws)))
            degrees += [_of(TURNS, next(draws)), "V"]
            found[name] = tuple(chord(tonic + DEGREES[degree][0], DEGREES[degree][1]) for degree in degrees)
        return key, found


def _of(words: Sequence[T], draw: float) -> T:
    return words[int(draw * len(words))]


def _weighed(weights: dict[str, float], draw: float) -> str:
    edges = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(edges, draw * edges[-1], "right"))]

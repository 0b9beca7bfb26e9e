"""Chord symbols, the classes made of them, and the notes that sound for each class.

A chord is a root 0..11 (C is 0) and a quality; `NO_CHORD` is the class of silence. Runs without torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from engine.jam import chords

# Semitones above the root. The order is that of preference where a set of notes could be read in two ways.
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "min7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "hdim7": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "aug7": (0, 4, 8, 10),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "sus2": (0, 2, 7),
    "5": (0, 7),
}
# What a quality becomes where the training data has too little of it.
SIMPLER = {"aug7": "7", "7sus4": "sus4", "sus2": "maj", "5": "maj", "hdim7": "min7", "dim7": "dim", "min6": "min",
           "aug": "maj", "6": "maj", "sus4": "maj", "dim": "min", "maj7": "maj", "min7": "min", "7": "maj"}  # fmt: skip

NO_CHORD = -1  # root of silence
BASS = range(36, 48)  # MIDI pitches the root is played at
CLOSE = range(55, 67)  # and the octave in which every chord tone has its one place, so that voices move little
PITCHES = tuple(range(36, 84))  # of the track `chords`
PLAYER = tuple(range(21, 109))  # of the track `player`

_HARTE = {
    "maj": "maj", "min": "min", "7": "7", "min7": "min7", "maj7": "maj7", "maj6": "6", "6": "6", "min6": "min6",
    "dim": "dim", "dim7": "dim7", "hdim7": "hdim7", "aug": "aug", "sus4": "sus4", "sus2": "sus2", "9": "7",
    "maj9": "maj7", "min9": "min7", "11": "7sus4", "min11": "min7", "maj11": "maj7", "13": "7", "maj13": "maj7",
    "min13": "min7", "minmaj7": "min", "5": "5", "1": "5", "": "maj",
}  # fmt: skip
_SEVENTHS = {"maj": "7", "min": "min7", "aug": "aug7", "sus4": "7sus4", "sus2": "7sus4", "5": "7", "dim": "hdim7"}
_KINDS = {
    "major": "maj", "minor": "min", "dominant": "7", "minor-seventh": "min7", "major-seventh": "maj7",
    "major-sixth": "6", "minor-sixth": "min6", "diminished": "dim", "diminished-seventh": "dim7",
    "half-diminished": "hdim7", "augmented": "aug", "augmented-seventh": "aug7", "suspended-fourth": "sus4",
    "suspended-second": "sus2", "dominant-ninth": "7", "dominant-11th": "7sus4", "dominant-13th": "7",
    "major-ninth": "maj7", "major-11th": "maj7", "major-13th": "maj7", "minor-ninth": "min7", "minor-11th": "min7",
    "minor-13th": "min7", "augmented-ninth": "aug7", "major-minor": "min", "minor-major": "min", "maj69": "6",
    "power": "5", "none": "N",
}  # fmt: skip
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Chord = tuple[int, str]  # root, quality; (NO_CHORD, "") is silence
SILENCE: Chord = (NO_CHORD, "")


def parse_root(text: str) -> int:
    """Pitch class of a root such as "C", "F#" or "Bbb". Raises ValueError."""
    match = re.fullmatch(r"([A-G])([#b]*)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a root")
    return (_STEPS[match[1]] + match[2].count("#") - match[2].count("b")) % 12


def parse_harte(text: str) -> Chord:
    """Read a symbol of the Billboard annotations such as "A:min7/b3". Raises ValueError for what is none."""
    if text in ("N", "X", "&pause"):
        return SILENCE
    root, colon, rest = text.partition(":")
    match = re.fullmatch(r"([a-z0-9]*)(\([^)]*\))?(/.*)?", rest)
    if not colon or match is None:
        raise ValueError(f"{text!r} is not a chord")
    quality = _HARTE.get(match[1])
    if quality is None:
        raise ValueError(f"{text!r}: unknown quality")
    if "b7" in re.split(r"[(),]", match[2] or ""):
        quality = _SEVENTHS.get(quality, quality)
    return parse_root(root), quality


def parse_name(text: str) -> Chord:
    """Read a chord as the engine reads charts, such as "C", "F#m7", "Bbmaj7". Raises ValueError with what is understood."""
    found = chords.parse(text)
    return found.root, next(quality for quality, tones in QUALITIES.items() if tones == found.intervals)


def parse_kind(step: str, alter: int, kind: str) -> Chord:
    """Read a MusicXML harmony: root step, its alteration and the kind. Raises ValueError."""
    quality = _KINDS.get(kind)
    if quality is None or step not in _STEPS:
        raise ValueError(f"{step} {kind!r} is not a chord")
    return SILENCE if quality == "N" else ((_STEPS[step] + alter) % 12, quality)


def name_notes(pitches: Sequence[int]) -> Chord:
    """The chord that a set of MIDI pitches spells: same pitch classes, root in the bass where that is possible."""
    return _spelled(frozenset(p % 12 for p in pitches), min(pitches) % 12) if pitches else SILENCE


@cache
def _spelled(sounding: frozenset[int], bass: int) -> Chord:
    def distance(chord: Chord) -> tuple[int, bool]:
        return len(sounding ^ {(chord[0] + i) % 12 for i in QUALITIES[chord[1]]}), chord[0] != bass

    # min() keeps the first of equals, so the order of QUALITIES decides
    return min(((root, quality) for quality in QUALITIES for root in range(12)), key=distance)


class Classes:
    """The set of chords a network knows: class 0 is silence, then every root of every quality."""

    def __init__(self, qualities: Sequence[str]) -> None:
        self.qualities = tuple(qualities)

    def __len__(self) -> int:
        return 1 + 12 * len(self.qualities)

    def of(self, chord: Chord) -> int:
        """Class of a chord; a quality outside the set becomes the simpler one that is in it."""
        root, quality = chord
        if root == NO_CHORD:
            return 0
        while quality not in self.qualities:
            quality = SIMPLER[quality]
        return 1 + 12 * self.qualities.index(quality) + root

    def chord(self, index: int) -> Chord:
        """The chord of a class."""
        if index == 0:
            return SILENCE
        return (index - 1) % 12, self.qualities[(index - 1) // 12]

    def names(self) -> list[str]:
        """Names such as "F#:min7"; "N" is silence."""
        roots = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
        return ["N"] + [f"{roots[r]}:{q}" for r, q in map(self.chord, range(1, len(self)))]

    def moved(self, classes: np.ndarray, semitones: int) -> np.ndarray:
        """Transpose an array of classes."""
        up = (classes - 1) // 12 * 12 + (classes - 1 + semitones) % 12 + 1
        return np.where(classes == 0, 0, up)

    def tones(self) -> np.ndarray:
        """Chord tones: float32 (K, 12), 1 where the pitch class belongs to the chord."""
        out = np.zeros((len(self), 12), np.float32)
        for index in range(1, len(self)):
            root, quality = self.chord(index)
            out[index, [(root + i) % 12 for i in QUALITIES[quality]]] = 1
        return out

    def roots(self) -> np.ndarray:
        """Roots: float32 (K, 12), one 1 for each class but silence."""
        out = np.zeros((len(self), 12), np.float32)
        index = np.arange(1, len(self))
        out[index, (index - 1) % 12] = 1
        return out

    def voicings(self) -> np.ndarray:
        """The notes that sound for each class: float32 (K, PITCHES). The root below, every tone once in CLOSE."""
        out = np.zeros((len(self), len(PITCHES)), np.float32)
        tones = self.tones()
        for index in range(1, len(self)):
            root, _ = self.chord(index)
            sounding = [BASS[root % 12]] + [p for p in CLOSE if tones[index, p % 12]]
            out[index, [p - PITCHES[0] for p in sounding]] = 1
        return out

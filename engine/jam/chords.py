"""Chords: their names and their tones, and the key that what sounds is in.

Runs on: network process, or the caller of the offline render; whoever reads a chart.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

ROOTS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Semitones above the root, by what is written behind it. Of chords that fit equally well the first is taken.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "6": (0, 4, 7, 9),
    "sus4": (0, 5, 7),
    "dim": (0, 3, 6),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "5": (0, 7),
    "sus2": (0, 2, 7),
    "m6": (0, 3, 7, 9),
    "dim7": (0, 3, 6, 9),
    "7sus4": (0, 5, 7, 10),
}
SPELLED = {
    "maj": "", "M": "", "min": "m", "-": "m", "mi": "m", "min7": "m7", "-7": "m7", "mi7": "m7", "M7": "maj7", "j7": "maj7",
    "ma7": "maj7", "Δ": "maj7", "Δ7": "maj7", "o": "dim", "°": "dim", "o7": "dim7", "°7": "dim7", "ø": "m7b5", "ø7": "m7b5",
    "hdim7": "m7b5", "+": "aug", "sus": "sus4", "7sus": "7sus4", "min6": "m6", "-6": "m6", "dom7": "7", "9": "7", "13": "7",
    "m9": "m7", "maj9": "maj7", "add9": "", "69": "6", "6/9": "6", "7b9": "7", "7#9": "7", "7#11": "7", "7b13": "7",
    "7alt": "7", "alt": "7", "maj7#11": "maj7", "maj13": "maj7", "m11": "m7", "m13": "m7", "11": "7sus4", "9sus4": "7sus4",
    "13sus4": "7sus4", "aug7": "aug", "7#5": "aug", "mMaj7": "m", "mmaj7": "m", "madd9": "m",
}  # fmt: skip
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
HEARD = ("", "m", "7", "m7", "maj7", "6", "dim", "m7b5", "aug", "sus4")  # what the ear tells apart
_RARITY = {"": 0.0, "m": 0.0, "7": 0.15, "m7": 0.15, "maj7": 0.15, "6": 0.2, "dim": 0.2, "m7b5": 0.25, "aug": 0.3, "sus4": 0.25}
ROOT, ROOT_ABOVE = 0.35, 0.05  # what it is worth when the lowest note is a chord's root: of a low one, of another
LOW = 53  # MIDI pitch below which a lowest note is a bass
MISSED = 0.12  # what each tone of a chord costs that nobody plays
FEATURES = 24  # of a chord, as networks are told it: its root, then its tones, each by pitch class


class Chord(NamedTuple):
    """A chord: root 0..11 (C is 0), the semitones above it, and its name as musicians write it."""

    root: int
    intervals: tuple[int, ...]
    name: str

    @property
    def tones(self) -> frozenset[int]:
        """Pitch classes."""
        return frozenset((self.root + i) % 12 for i in self.intervals)

    @property
    def code(self) -> tuple[int, int]:
        """Root and 1 + index of the quality: how an EVENT tells of it."""
        return self.root, 1 + list(QUALITIES).index(self.name.removeprefix(ROOTS[self.root]))

    def features(self) -> np.ndarray:
        """What a network is told of it, float32 (FEATURES,)."""
        told = np.zeros(FEATURES, np.float32)
        told[self.root] = 1
        told[[12 + tone for tone in self.tones]] = 1
        return told


def chord(root: int, quality: str) -> Chord:
    """Return the chord of a quality of QUALITIES on a root."""
    return Chord(root % 12, QUALITIES[quality], ROOTS[root % 12] + quality)


def of_code(root: int, number: int) -> Chord | None:
    """Return the chord that an EVENT tells of; None: none is known."""
    qualities = list(QUALITIES)
    return chord(root, qualities[number - 1]) if 1 <= number <= len(qualities) else None


def parse(text: str) -> Chord:
    """Read a chord as it is written in charts: C, F#m7, Bbmaj7, G/B (the bass note is left out).

    Raises ValueError that says what is understood.
    """
    match = re.fullmatch(r"([A-G])([#b♯♭]*)(.*?)(/[A-G][#b♯♭]*)?", text.strip())
    quality = None if match is None else SPELLED.get(match[3], match[3] if match[3] in QUALITIES else None)
    if match is None or quality is None:
        known = ", ".join([*filter(None, QUALITIES), *SPELLED])
        raise ValueError(f"{text!r} is no chord that is known here; write a root (C, F#, Bb) and nothing or one of: {known}")
    root = _LETTERS[match[1]] + sum({"#": 1, "♯": 1}.get(sign, -1) for sign in match[2])
    return chord(root, quality)


CLASSES = tuple(chord(root, quality) for quality in HEARD for root in range(12))
TONES = np.array([[tone in of.tones for tone in range(12)] for of in CLASSES], float)  # (classes, 12)
ROOT_OF = np.array([of.root for of in CLASSES])
RARITY = np.array([_RARITY[quality] for quality in HEARD for _ in range(12)])  # what a chord costs that is rare
_SIZES = TONES.sum(1)
TOLD_OF = np.array([of.features() for of in CLASSES])  # (classes, FEATURES)


def made_of(sounding: np.ndarray, lowest: int) -> Chord:
    """The chord that notes make, (12,) how many of each pitch class, over the lowest, a MIDI pitch."""
    inside = TONES @ sounding / sounding.sum()
    missed = _SIZES - TONES @ (sounding > 0)
    score = 2 * inside - MISSED * missed + (ROOT if lowest < LOW else ROOT_ABOVE) * (lowest % 12 == ROOT_OF)
    return CLASSES[int((score - RARITY).argmax())]


SCALE = (0, 2, 4, 5, 7, 9, 11)
# What each tonic's major scale holds, and a little of what its triad does; (12, 12).
_KEYS = np.array([[(tone - of) % 12 in SCALE for tone in range(12)] for of in range(12)], float)
_KEYS += 0.1 * np.array([[(tone - of) % 12 in (0, 4, 7) for tone in range(12)] for of in range(12)], float)


def key_of(sounded: np.ndarray) -> int:
    """Return the tonic 0..11 of the major scale that holds most of what sounded, (12,) by pitch class.

    Of two that hold the same the one whose tonic, third and fifth sounded more.
    """
    return int(np.argmax(_KEYS @ sounded))

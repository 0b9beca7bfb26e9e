"""Progressions that nobody wrote down: loops in every mode, blues, chains of fifths, and chords that follow no key.

A progression is a class of CLASSES a beat, on C; the ear hears all keys alike. Runs without torch.
"""

from __future__ import annotations

import numpy as np

from models.music.sounding_chords import CLASSES

Array = np.ndarray
# Semitones of a scale's degrees, and the triad or seventh that stands on each.
MODES = {
    "major": ((0, 2, 4, 5, 7, 9, 11), ("maj", "min", "min", "maj", "maj", "min", "dim"),
              ("maj7", "min7", "min7", "maj7", "7", "min7", "hdim7")),
    "minor": ((0, 2, 3, 5, 7, 8, 10), ("min", "dim", "maj", "min", "min", "maj", "maj"),
              ("min7", "hdim7", "maj7", "min7", "min7", "maj7", "7")),
    "harmonic": ((0, 2, 3, 5, 7, 8, 11), ("min", "dim", "maj", "min", "maj", "maj", "dim"),
                 ("min7", "hdim7", "maj7", "min7", "7", "maj7", "dim")),
    "minor with its dominant": ((0, 2, 3, 5, 7, 8, 10), ("min", "dim", "maj", "min", "maj", "maj", "maj"),
                                ("min7", "hdim7", "maj7", "min7", "7", "maj7", "7")),
    "dorian": ((0, 2, 3, 5, 7, 9, 10), ("min", "min", "maj", "maj", "min", "dim", "maj"),
               ("min7", "min7", "maj7", "7", "min7", "hdim7", "maj7")),
    "mixolydian": ((0, 2, 4, 5, 7, 9, 10), ("maj", "min", "dim", "maj", "min", "min", "maj"),
                   ("7", "min7", "hdim7", "maj7", "min7", "min7", "maj7")),
    "lydian": ((0, 2, 4, 6, 7, 9, 11), ("maj", "maj", "min", "dim", "maj", "min", "min"),
               ("maj7", "7", "min7", "hdim7", "maj7", "min7", "min7")),
    "phrygian": ((0, 1, 3, 5, 7, 8, 10), ("min", "maj", "maj", "min", "dim", "maj", "min"),
                 ("min7", "maj7", "7", "min7", "hdim7", "maj7", "min7")),
}  # fmt: skip
MODE_SHARES = (0.33, 0.18, 0.07, 0.15, 0.08, 0.11, 0.04, 0.04)
DEGREE_SHARES = np.array([0.26, 0.13, 0.07, 0.18, 0.18, 0.12, 0.06])
DIMINISHED = 0.25  # how often a degree is taken whose triad is diminished, beside another
DOMINANT, ALONE = 4, 0.4  # degree, and how often it alone has its seventh
BLUES = (0, 0, 0, 0, 5, 5, 0, 0, 7, 5, 0, 7)
CHORDS_IN_LOOP = (2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 8)

Chord = tuple[int, str]


def progression(rng: np.random.Generator, beats: int, bar: int = 4) -> Array:
    """Classes of so many beats: a loop that comes round, or one that is varied as it goes."""
    kind = rng.choice(5, p=(0.6, 0.1, 0.14, 0.08, 0.08))
    if kind == 0:
        loop = _diatonic(rng)
    elif kind == 1:
        loop = _blues(rng)
    elif kind == 2:
        loop = _fifths(rng)
    elif kind == 3:  # of no key
        loop = [(int(rng.integers(12)), str(rng.choice(["maj", "min"]))) for _ in range(int(rng.integers(2, 7)))]
    else:
        loop = [(int(rng.integers(12)), str(rng.choice(CLASSES.qualities))) for _ in range(int(rng.integers(2, 7)))]
    lengths = _lengths(rng, len(loop), bar)
    round_ = np.concatenate([np.full(n, CLASSES.of(chord)) for chord, n in zip(loop, lengths, strict=True)])
    return np.tile(round_, -(-beats // len(round_)))[:beats].astype(np.int64)


def _lengths(rng: np.random.Generator, chords: int, bar: int) -> list[int]:
    """Beats of each chord, so that the loop fills whole bars."""
    kind = rng.choice(4, p=(0.6, 0.12, 0.13, 0.15))
    if kind == 0:
        return [bar] * chords
    if kind == 1:
        return [2 * bar] * chords
    halves = [bar // 2, bar - bar // 2]
    if kind == 2:
        found = [halves[at % 2] for at in range(chords)]
    else:  # some bars hold two
        found = []
        while len(found) < chords:
            found += halves if rng.random() < 0.35 and len(found) + 2 <= chords else [bar]
    found[-1] += -sum(found) % bar
    return found


def _diatonic(rng: np.random.Generator) -> list[Chord]:
    """Chords of one mode, the tonic nearly always the first; now and then the dominant of the one that follows is before it."""
    scale, triads, sevenths = list(MODES.values())[rng.choice(len(MODES), p=MODE_SHARES)]
    seventh = rng.choice([0.0, 0.2, 1.0], p=(0.55, 0.25, 0.2))
    shares = DEGREE_SHARES * np.where((np.array(triads) == "dim") & (seventh < 1), DIMINISHED, 1)
    shares /= shares.sum()
    degrees = [0 if rng.random() < 0.7 else int(rng.choice(7, p=shares))]
    count = int(rng.choice(CHORDS_IN_LOOP))
    while len(degrees) < count:
        degree = int(rng.choice(7, p=shares))
        if degree != degrees[-1] or rng.random() < 0.1:
            degrees.append(degree)
    loop = [(scale[d], (sevenths if rng.random() < seventh else triads)[d]) for d in degrees]
    if triads[DOMINANT] == "maj" and rng.random() < ALONE:
        loop = [(root, "7" if d == DOMINANT else quality) for d, (root, quality) in zip(degrees, loop, strict=True)]
    for at in range(len(loop)):
        if rng.random() < 0.08:  # a secondary dominant
            loop[at - 1] = ((loop[at][0] + 7) % 12, "7" if rng.random() < 0.6 else "maj")
        elif rng.random() < 0.04:  # borrowed, or suspended
            root = loop[at][0]
            loop[at] = (root, str(rng.choice(["maj", "min", "sus4", "7", "6", "aug", "dim"])))
    return loop


def _blues(rng: np.random.Generator) -> list[Chord]:
    quality = str(rng.choice(["7", "7", "maj", "min"]))
    loop = [(root, quality) for root in BLUES]
    if rng.random() < 0.4:
        loop[1] = loop[9] = (5, quality)
    if quality == "min":
        loop[8] = (7, "7")
    if rng.random() < 0.3:
        loop[8:10] = [(2, "min7"), (7, "7")]
    return loop


def _fifths(rng: np.random.Generator) -> list[Chord]:
    """ii V I and longer chains, in major and minor, one or two of them."""
    loop: list[Chord] = []
    for _ in range(int(rng.integers(1, 3))):
        tonic = 0 if not loop or rng.random() < 0.5 else int(rng.choice([2, 3, 4, 5, 7, 8, 10]))
        minor = rng.random() < 0.35
        chain: list[Chord] = [(2, "hdim7" if minor else "min7"), (7, "7"), (0, "min" if minor else "maj7")]
        if rng.random() < 0.3:
            chain[-1] = (0, "min7" if minor else "6" if rng.random() < 0.5 else "maj")
        if rng.random() < 0.5:
            chain.insert(0, (9, "7" if rng.random() < 0.5 else "min7") if not minor else (8, "maj7"))
        if rng.random() < 0.25:
            chain.insert(0, (4, "7" if rng.random() < 0.5 else "min7"))
        if rng.random() < 0.4:
            chain = chain[-1:] + chain[:-1]
        loop += [((root + tonic) % 12, quality) for root, quality in chain]
    return loop

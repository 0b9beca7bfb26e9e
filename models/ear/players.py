"""Players: what somebody plays over a song's chords. A tune as it is, blocks, arpeggios, a left hand, a bass; mistakes too.

Notes (n, 3): start and end in beats, pitch. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from models.ear.progressions import progression
from models.evaluation.songs import Tune
from models.music.chord_symbols import QUALITIES
from models.music.sounding_chords import CLASSES

Array = np.ndarray
Note = tuple[float, float, int]
STEPS = 4  # in a beat, on which everything begins
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
CONTEXT = 8  # beats about a beat whose chords are the scale of a made-up tune


def spans(tune: Tune) -> list[tuple[int, int, tuple[int, ...]]]:
    """Begin and end in beats of each chord, and its tones, the root first; without those of silence."""
    edges = [0, *(np.flatnonzero(np.diff(tune.classes)) + 1).tolist(), len(tune.classes)]
    found = []
    for begin, end in pairwise(edges):
        if tune.classes[begin]:
            root, quality = CLASSES.chord(int(tune.classes[begin]))
            found.append((begin, end, tuple((root + i) % 12 for i in QUALITIES[quality])))
    return found


def _near(pitch_class: int, centre: float) -> int:
    """The pitch of a class that is nearest to a centre."""
    return int(pitch_class + 12 * round((centre - pitch_class) / 12))


def _voiced(rng: np.random.Generator, tones: Sequence[int], centre: float) -> list[int]:
    """A chord's tones close about a centre; sometimes without the fifth, or with a tone doubled."""
    kept = list(tones)
    if len(kept) > 3 and rng.random() < 0.3:
        kept.pop(2)
    pitches = sorted({_near(tone, centre + rng.uniform(-3, 3)) for tone in kept})
    if rng.random() < 0.2:
        pitches.append(pitches[0] + 12)
    return pitches


def blocks(tune: Tune, rng: np.random.Generator) -> list[Note]:
    """Chords struck together: as they change, in halves, quarters or off the beat."""
    centre, every = rng.uniform(54, 70), rng.choice([0.0, 2.0, 1.0, 0.5, 4.0])
    late, short = (0.5 if rng.random() < 0.12 else 0.0), rng.choice([0.45, 0.9, 1.0])
    open_bass, position = rng.random() < 0.35, rng.random() < 0.3
    notes: list[Note] = []
    for begin, end, tones in spans(tune):
        length = float(every or end - begin)
        pitches = [_near(tone, 64) for tone in tones] if position else _voiced(rng, tones, centre)
        if open_bass:
            pitches = [_near(tones[0], 42), *pitches]
        at = begin + late
        while at < end:
            until = max(min(at + length, end) - (1 - short) * min(length, 1), at + 0.25)
            notes += [(at, until, pitch) for pitch in pitches]
            at += length
    return notes


def arpeggios(tune: Tune, rng: np.random.Generator) -> list[Note]:
    """A chord's tones one after another in a pattern that stays."""
    centre, pace = rng.uniform(48, 76), float(rng.choice([0.5, 0.5, 0.25, 1.0]))
    pattern = rng.permutation(8) if rng.random() < 0.3 else np.asarray([[0, 1, 2, 3, 4, 3, 2, 1], [0, 2, 1, 2] * 2,
                [0, 1, 2, 3] * 2, [0, 1, 2] * 3, [3, 2, 1, 0] * 2][int(rng.integers(5))])  # fmt: skip
    rooted, hold = rng.random() < 0.6, rng.random() < 0.3
    notes: list[Note] = []
    for begin, end, tones in spans(tune):
        low = _near(tones[0], centre)
        up = sorted(low + (tone - low) % 12 for tone in tones) if rooted else sorted(_near(tone, centre) for tone in tones)
        up += [pitch + 12 for pitch in up]
        for k in range(round((end - begin) / pace)):
            at = begin + k * pace
            notes.append((at, float(end) if hold else at + pace, up[pattern[k % len(pattern)] % len(up)]))
    return notes


def basses(tune: Tune, rng: np.random.Generator) -> list[Note]:
    """A bass: the root as a chord begins, then root, fifth, third, or a step to the next one."""
    kind = rng.integers(4)
    notes: list[Note] = []
    parts = spans(tune)
    for (begin, end, tones), (_, _, after) in zip(parts, [*parts[1:], parts[0]] if parts else [], strict=True):
        root = _near(tones[0], 40)
        if kind == 0:
            notes.append((begin, end, root))
            continue
        for beat in range(begin, end):
            if beat == begin:
                pitch = root
            elif kind == 1:
                pitch = root if (beat - begin) % 2 == 0 else root + (7 if len(tones) > 2 else 0)
            elif kind == 2 and beat == end - 1:
                pitch = _near(after[0], root) + int(rng.choice([-1, 1, 2, -2]))
            else:
                pitch = _near(int(rng.choice(tones)), 42)
            notes.append((beat, beat + 1, pitch))
    return notes


def left_hand(tune: Tune, rng: np.random.Generator) -> list[Note]:
    """Bass and chord by turns."""
    centre = rng.uniform(55, 62)
    notes: list[Note] = []
    for begin, end, tones in spans(tune):
        upper = _voiced(rng, tones, centre)
        for beat in range(begin, end):
            if (beat - begin) % 2 == 0:
                fifth = len(tones) > 2 and (beat - begin) % 4 == 2 and rng.random() < 0.5
                notes.append((beat, beat + 1, _near(tones[2] if fifth else tones[0], 43)))
            else:
                notes += [(beat, beat + 0.9, pitch) for pitch in upper]
    return notes


def tunes(tune: Tune, rng: np.random.Generator) -> list[Note]:
    """A made-up melody: a rhythm that comes again, tones of the chord on strong places, the scale's between them."""
    bar = tune.bar
    rhythms = [_rhythm(rng, bar) for _ in range(int(rng.choice([1, 1, 2, 3])))]
    inside, jumps = rng.choice([1.0, 0.95, 0.8, 0.65]), rng.random() < 0.35
    centre = rng.uniform(62, 80)
    fixed = rng.integers(0, 4, 16) if jumps else None
    lowest = 3 if rng.random() < 0.6 else 4  # of the tones, in the position of the hand: the root may be left out
    parts = spans(tune)
    tones_at: list[tuple[int, ...]] = [()] * len(tune.classes)
    for begin, end, tones in parts:
        tones_at[begin:end] = [tones] * (end - begin)
    notes: list[Note] = []
    pitch = round(centre)
    for number, first in enumerate(range(0, len(tune.classes), bar)):
        rhythm = rhythms[number % len(rhythms)]
        for place, (at, length) in enumerate(rhythm):
            beat = first + int(at)
            if beat >= len(tones_at) or not tones_at[beat]:
                continue
            tones = tones_at[beat]
            if fixed is not None:
                up = sorted(round(centre) + (tone - round(centre)) % 12 for tone in tones)[:lowest]
                pitch = up[int(fixed[place % 16]) % len(up)]
            else:
                strong = at == int(at)
                if rng.random() < (inside if strong else inside - 0.35):
                    allowed: Sequence[int] = tones
                else:
                    allowed = _scale(tune.classes, beat)
                pitch = _stepped(rng, allowed, pitch, centre)
            notes.append((first + at, first + at + length, pitch))
    return notes


def _scale(classes: Array, beat: int) -> list[int]:
    """The major scale that holds most of the chords about a beat, its tones."""
    about = classes[max(beat - CONTEXT, 0) : beat + CONTEXT]
    sum_ = CLASSES.tones()[about].sum(0)
    best = max(range(12), key=lambda tonic: sum_[[(tonic + i) % 12 for i in SCALES[0]]].sum())
    return [(best + i) % 12 for i in SCALES[0]]


def _stepped(rng: np.random.Generator, allowed: Sequence[int], pitch: int, centre: float) -> int:
    """A pitch of the allowed classes, near to the last and not far from the centre."""
    near = [p for p in range(pitch - 7, pitch + 8) if p % 12 in allowed]
    cost = np.asarray([abs(p - pitch) * 0.35 + abs(p - centre) * 0.12 + (1.0 if p == pitch else 0.0) for p in near])
    share = np.exp(-cost)
    return int(rng.choice(near, p=share / share.sum()))


def _rhythm(rng: np.random.Generator, bar: int) -> list[tuple[float, float]]:
    """Starts and lengths of a bar's notes."""
    found: list[tuple[float, float]] = []
    at = float(rng.choice([0.0, 0.0, 0.0, 0.5, 1.0]))
    pace = rng.choice([0.25, 0.5, 1.0], p=(0.15, 0.5, 0.35))
    while at < bar:
        length = float(rng.choice([pace, 2 * pace, pace / 2 if pace > 0.25 else pace, 3 * pace], p=(0.6, 0.22, 0.1, 0.08)))
        if rng.random() < 0.88:
            found.append((at, min(length, bar - at)))
        at += length
    return found or [(0.0, float(bar))]


MADE: dict[str, Callable[[Tune, np.random.Generator], list[Note]]] = {
    "blocks": blocks,
    "arpeggios": arpeggios,
    "basses": basses,
    "left_hand": left_hand,
    "tunes": tunes,
}


def perform(tune: Tune, rng: np.random.Generator) -> Array:
    """What one player plays of a song, (n, 3): tracks of it, or something made up over its chords, or both."""
    notes: list[Note] = []
    own = {name: track for name, track in tune.tracks.items() if len(track)}
    if "lead" in own and rng.random() < 0.62:
        up = int(rng.choice([0, 0, 0, -12, 12]))
        notes += [(a, b, round(p) + up) for a, b, p in own["lead"].tolist()]
        if rng.random() < 0.3:
            notes += MADE[str(rng.choice(["blocks", "left_hand", "basses"]))](tune, rng)
    elif own and rng.random() < 0.45:
        for name in rng.permutation(sorted(own))[: int(rng.integers(1, 3))]:
            notes += [(a, b, round(p)) for a, b, p in own[str(name)].tolist()]
    else:
        kind = str(rng.choice(list(MADE), p=(0.22, 0.2, 0.06, 0.12, 0.4)))
        notes += MADE[kind](tune, rng)
        if kind == "tunes" and rng.random() < 0.25:
            notes += MADE[str(rng.choice(["blocks", "left_hand", "basses"]))](tune, rng)
    found = np.asarray(sorted(notes), float).reshape(-1, 3)
    return found[found[:, 0] > -0.01]


def scene(rng: np.random.Generator, tunes_: Sequence[Tune], beats: int) -> tuple[Array, Array, int]:
    """So many beats of somebody playing: notes (n, 3), classes (beats,) and beats in a bar.

    A song from some bar on, or a few of its bars over and over, or a progression that nobody wrote down; with mistakes, pauses
    and changes of key now and then; once in a while nothing that has a chord.
    """
    if rng.random() < 0.04:
        return (*_nothing(rng, beats), 4)
    if rng.random() < 0.3 or not tunes_:
        bar = int(rng.choice([4, 3, 2, 5], p=(0.84, 0.09, 0.05, 0.02)))
        tune = Tune("", "train", bar, progression(rng, beats, bar))
        if rng.random() < 0.5:
            tune = _looped(tune, rng, beats)
    else:
        tune = tunes_[int(rng.integers(len(tunes_)))]
        bars = len(tune.classes) // tune.bar
        if rng.random() < 0.3:
            tune = _looped(tune, rng, beats)
        elif bars * tune.bar > beats:
            first = tune.bar * int(rng.integers(0, bars - beats // tune.bar + 1)) if rng.random() < 0.6 else 0
            tune = cut(tune, first, first + beats)
    notes, classes = perform(tune, rng), tune.classes[:beats]
    if (rng.random() < 0.35 and len(classes) < beats) or rng.random() < 0.2:  # over and over, as it was played
        length = len(classes) // tune.bar * tune.bar
        if rng.random() < 0.6:
            length = min(length, tune.bar * int(rng.integers(2, 9)))
        notes, classes = _again(notes, classes, length, beats)
    if rng.random() < 0.1:
        notes, classes = _moved(rng, notes, classes, tune.bar)
    return _mistaken(rng, notes, tune.bar), classes[:beats], tune.bar


def cut(tune: Tune, first: int, last: int) -> Tune:
    """The beats [first, last) of a song."""
    tracks = {}
    for name, notes in tune.tracks.items():
        own = notes[(notes[:, 0] >= first - 0.01) & (notes[:, 0] < last - 0.01)] - np.asarray([first, first, 0])
        own[:, 1] = np.minimum(own[:, 1], last - first)
        tracks[name] = own
    return Tune(tune.name, tune.split, tune.bar, tune.classes[first:last], tracks)


def _looped(tune: Tune, rng: np.random.Generator, beats: int) -> Tune:
    """A few bars of a song over and over; what is made up over them is not the same each time."""
    bars = len(tune.classes) // tune.bar
    count = min(int(rng.choice([2, 3, 4, 4, 4, 5, 6, 7, 8, 8, 12])), bars)
    first = tune.bar * int(rng.integers(0, bars - count + 1))
    part = cut(tune, first, first + count * tune.bar)
    length, times = len(part.classes), -(-beats // (count * tune.bar))
    tracks = {
        name: np.concatenate([notes + np.asarray([k * length, k * length, 0]) for k in range(times)])
        for name, notes in part.tracks.items()
    }
    return Tune(tune.name, tune.split, tune.bar, np.tile(part.classes, times)[:beats], tracks)


def _again(notes: Array, classes: Array, length: int, beats: int) -> tuple[Array, Array]:
    own = notes[notes[:, 0] < length - 0.01].copy()
    own[:, 1] = np.minimum(own[:, 1], length)
    times = -(-beats // max(length, 1))
    return (
        np.concatenate([own + np.asarray([k * length, k * length, 0]) for k in range(times)]),
        np.tile(classes[:length], times)[:beats],
    )


def _moved(rng: np.random.Generator, notes: Array, classes: Array, bar: int) -> tuple[Array, Array]:
    """In another key from some bar on."""
    at = bar * int(rng.integers(1, max(len(classes) // bar, 2)))
    up = int(rng.choice([1, 2, 3, 5, -2, -3, -5, 6]))
    notes, classes = notes.copy(), classes.copy()
    notes[notes[:, 0] >= at - 0.01, 2] += up
    classes[at:] = CLASSES.moved(classes[at:], up)
    return notes, classes


def _mistaken(rng: np.random.Generator, notes: Array, bar: int) -> Array:
    """Wrong notes, missing ones, pauses, and notes a step early or late, each now and then."""
    notes = notes.copy()
    if rng.random() < 0.25:
        wrong = rng.random(len(notes)) < rng.uniform(0.02, 0.1)
        notes[wrong, 2] += rng.choice([-1, 1], int(wrong.sum()))
    if rng.random() < 0.25:
        notes = notes[rng.random(len(notes)) > rng.uniform(0.03, 0.2)]
    if rng.random() < 0.2 and len(notes):
        begin = bar * int(rng.integers(0, max(int(notes[-1, 0]) // bar, 1)))
        end = begin + bar * int(rng.integers(1, 5))
        notes = notes[(notes[:, 0] < begin) | (notes[:, 0] >= end)]
    if rng.random() < 0.15:
        off = rng.random(len(notes)) < 0.08
        shift = rng.choice([-0.25, 0.25], int(off.sum()))
        notes[off, :2] += shift[:, None]
    return notes[notes[:, 0] > -0.01]


def _nothing(rng: np.random.Generator, beats: int) -> tuple[Array, Array]:
    """What has no chord, clusters and notes at random, and what has always the same, a drone."""
    kind = rng.integers(3)
    centre = int(rng.integers(45, 75))
    notes: list[Note] = []
    length = float(rng.choice([0.5, 1.0, 2.0, 4.0, 16.0]))
    fifth = rng.random() < 0.4
    for k in range(int(beats / length)):
        at = k * length
        if kind == 0:  # a drone
            notes += [(at, at + length, centre)] + [(at, at + length, centre + 7)] * fifth
        elif kind == 1:
            low = centre + int(rng.integers(-8, 8))
            size = int(rng.integers(4, 7))
            notes += [(at, at + length, low + i) for i in range(size) if rng.random() < 0.9]
        elif rng.random() < 0.85:
            notes.append((at, at + length, centre + int(rng.integers(-12, 13))))
    of = CLASSES.of((centre % 12, "maj")) if kind == 0 else 0
    return np.asarray(notes, float).reshape(-1, 3), np.full(beats, of, np.int64)

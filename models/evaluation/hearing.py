"""Measures the ear alone: which chord it hears, before a beat's notes and after them, and which it expects.

    python -m models.evaluation.hearing [--songs PATH ...] [--split valid] [--json FILE]
    python -m models.evaluation.hearing --progression 'Em | D | C | B7'

Players repeat progressions in some keys as melodies, blocks, arpeggios, a bass with a tune, a left hand; some of them with
mistakes; and play the melodies of songs whose chords are known. Or one progression alone, as the plain tune, in all keys.
Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.jam.chart import read
from engine.jam.chords import Chord
from engine.jam.ear import Ear
from models.evaluation.songs import Tune, sheets
from models.music.chord_symbols import QUALITIES
from models.music.sounding_chords import CLASSES

Array = np.ndarray
STEPS = 4
PITCHES = tuple(range(24, 108))
ROUNDS = 3
# By name, bar by bar.
PROGRESSIONS = {
    "pop": "C | G | Am | F",
    "pop, from the sixth": "Am | F | C | G",
    "fifties": "C | Am | F | G",
    "minor, dominant with a third": "Em | D | C | B7",
    "andalusian": "Am | G | F | E",
    "ii V I": "Dm7 | G7 | Cmaj7 | Cmaj7",
    "ii V i": "Dm7b5 | G7 | Cm | Cm",
    "turnaround, two a bar": "C Am | Dm G7",
    "rhythm, two a bar": "Cmaj7 A7 | Dm7 G7 | Em7 A7 | Dm7 G7",
    "blues": "C7 | F7 | C7 | C7 | F7 | F7 | C7 | C7 | G7 | F7 | C7 | G7",
    "minor blues": "Cm7 | Fm7 | Cm7 | Cm7 | Fm7 | Fm7 | Cm7 | Cm7 | Ab7 | G7 | Cm7 | G7",
    "autumn": "Am7 | D7 | Gmaj7 | Cmaj7 | F#m7b5 | B7 | Em | Em",
    "canon": "C | G | Am | Em | F | C | F | G",
    "dorian": "Dm | G",
    "mixolydian": "C | Bb | F | C",
    "lydian": "C | D",
    "phrygian": "Em | F | Em | F",
    "secondary dominants": "C | E7 | Am | D7 | G7",
    "three bars": "C | F | G",
    "five bars": "Am | Dm | G | C | E7",
    "six bars": "C | Em | F | Fm | C | G",
    "seven bars": "Dm | Bb | F | C | Gm | Dm | A7",
    "half bars": "C G | Am | F G | C",
    "chromatic thirds": "C | E | Ab | C",
    "borrowed": "C | Ab | Bb | C",
    "minor, six": "Cm | Eb | Bb | Fm | Ab | G7",
    "plagal": "F | C | G | D",
    "suspended": "Csus4 | C | F | G",
    "fast": "C F | G Am | Dm G | C C",
    "tritones": "Dm7 | Db7 | Cmaj7 | A7",
    "one minor": "Am | Am | Dm | E7",
    "house": "Fm | Db | Ab | Eb",
}
KEYS = (0, 3, 8)  # semitones up, and one more for each progression


@dataclass(frozen=True, slots=True)
class Player:
    """One player: notes (n, 3) and classes of CLASSES by beats; the beats in which the round is counted begin at `first`."""

    name: str
    group: str
    notes: Array
    classes: Array
    bar: int
    parts: dict[str, tuple[int, int]]  # what is counted by itself: beats from, to


def progressions() -> Iterator[Player]:
    """Every progression with every texture, each in one key; three times round."""
    for at, (name, text) in enumerate(PROGRESSIONS.items()):
        loop, _ = read(f"| {text} |", 4)
        times = ROUNDS if len(loop) > 8 else 2 * ROUNDS
        for number, (texture, play) in enumerate(TEXTURES.items()):
            up = (at + KEYS[(at + number) % len(KEYS)]) % 12
            rng = np.random.default_rng(zlib.crc32(f"{name} {texture}".encode()))
            yield _player(f"{name}, {texture}", texture, play, loop, up, times, rng)


def in_all_keys(text: str) -> Iterator[Player]:
    """A progression as the plain tune, in each of twelve keys, three times round. Raises ValueError."""
    loop, faults = read(text, 4)
    if faults or not loop:
        raise ValueError("; ".join(faults) or "a progression has chords, such as Em | D | C | B7")
    for up in range(12):
        yield _player(f"{text}, {up} up", text, _plain, loop, up, ROUNDS, np.random.default_rng(up))


def _player(
    name: str,
    group: str,
    play: Callable[[Chords, np.random.Generator], Array],
    loop: Sequence[Chord],
    up: int,
    times: int,
    rng: np.random.Generator,
) -> Player:
    """Who plays a loop so many semitones up, so many times round; a third of that is the first, the last the third."""
    chords = [_moved(chord, up) for chord in loop] * times
    length = len(loop) * times // ROUNDS
    parts = {"first": (0, length), "third": (2 * length, 3 * length)}
    return Player(name, group, play(chords, rng), _classes(chords), 4, parts)


def songs(paths: Sequence[Path], split: str) -> Iterator[Player]:
    """The melodies of songs."""
    for path in paths:
        for tune in sheets(path):
            if tune.split == split:
                yield Player(
                    tune.name, f"{path.name}, {tune.bar}/4", tune.tracks["lead"], tune.classes, tune.bar, _thirds(tune)
                )


def _thirds(tune: Tune) -> dict[str, tuple[int, int]]:
    return {"first": (0, len(tune.classes) // 3), "third": (2 * len(tune.classes) // 3, len(tune.classes))}


def _moved(chord: Chord, up: int) -> tuple[int, tuple[int, ...]]:
    return (chord.root + up) % 12, chord.intervals


def _classes(chords: Sequence[tuple[int, tuple[int, ...]]]) -> Array:
    named = {intervals: name for name, intervals in QUALITIES.items()}
    return np.asarray([CLASSES.of((root, named[intervals])) for root, intervals in chords])


Chords = Sequence[tuple[int, tuple[int, ...]]]


def _bars(chords: Chords) -> Iterator[tuple[int, Chords]]:
    for first in range(0, len(chords), 4):
        yield first, chords[first : first + 4]


def _up(of: tuple[int, tuple[int, ...]], low: int) -> list[int]:
    return sorted(low + (of[0] + i - low) % 12 for i in of[1])


def _plain(chords: Chords, _: np.random.Generator) -> Array:
    """Tones of the chord from the lowest, the same rhythm in each bar."""
    rhythm = ((0, 1, 0), (1, 0.5, 1), (1.5, 0.5, 2), (2, 1, 1), (3, 0.5, 2), (3.5, 0.5, 0))
    notes = []
    for first, bar in _bars(chords):
        for at, length, k in rhythm:
            up = _up(bar[int(at)], 72)
            notes.append((first + at, first + at + 0.9 * length, up[k % len(up)]))
    return np.asarray(notes, float)


def _sung(chords: Chords, rng: np.random.Generator) -> Array:
    """A tune that is another in each round: half of its notes pass between tones of the chord."""
    notes, pitch = [], 74
    for beat, of in enumerate(chords):
        tones = {(of[0] + i) % 12 for i in of[1]}
        for half in (0.0, 0.5):
            if rng.random() < 0.2:
                continue
            near = [p for p in range(pitch - 4, pitch + 5) if 65 <= p <= 86 and (p % 12 in tones) == (half == 0.0)]
            if half:  # what passes is of the tones of the chords about
                about = {(r + i) % 12 for r, intervals in chords[max(beat - 6, 0) : beat + 6] for i in intervals}
                near = [p for p in near if p % 12 in about] or [pitch]
            pitch = int(rng.choice(near or [pitch]))
            notes.append((beat + half, beat + half + 0.5, pitch))
    return np.asarray(notes, float)


def _blocks(chords: Chords, _: np.random.Generator) -> Array:
    notes = []
    for first, bar in _bars(chords):
        for half in (0, 2):
            notes += [(first + half, first + half + 1.9, p) for p in _up(bar[half], 60)]
    return np.asarray(notes, float)


def _arpeggios(chords: Chords, _: np.random.Generator) -> Array:
    notes = []
    for beat, of in enumerate(chords):
        up = _up(of, 52)
        notes += [(beat + k / 2, beat + k / 2 + 0.5, up[(2 * beat + k) % len(up)]) for k in (0, 1)]
    return np.asarray(notes, float)


def _left_hand(chords: Chords, _: np.random.Generator) -> Array:
    notes: list[tuple[float, float, int]] = []
    for beat, of in enumerate(chords):
        if beat % 2 == 0:
            notes.append((beat, beat + 1, 36 + (of[0] - 36) % 12))
        else:
            notes += [(beat, beat + 0.9, p) for p in _up(of, 55)]
    return np.asarray(notes, float)


def _bass_and_tune(chords: Chords, rng: np.random.Generator) -> Array:
    bass = [(beat, beat + 0.9, 36 + (of[0] - 36) % 12) for beat, of in enumerate(chords)]
    both: Array = np.concatenate([_sung(chords, rng), np.asarray(bass, float)])
    return both


def _mistaken(chords: Chords, rng: np.random.Generator) -> Array:
    """The plain tune with a wrong note in twelve, some left out, and a bar's pause in eight."""
    notes = _plain(chords, rng)
    wrong = rng.random(len(notes)) < 1 / 12
    notes[wrong, 2] += rng.choice([-1, 1], int(wrong.sum()))
    played: Array = notes[(rng.random(len(notes)) > 0.1) & (notes[:, 0] // 4 % 8 != 5)]
    return played


TEXTURES: dict[str, Callable[[Chords, np.random.Generator], Array]] = {
    "plain tune": _plain,
    "sung tune": _sung,
    "blocks": _blocks,
    "arpeggios": _arpeggios,
    "left hand": _left_hand,
    "bass and tune": _bass_and_tune,
    "tune with mistakes": _mistaken,
}


def nothing() -> Iterator[Player]:
    """Music without a chord: one that always sounds, clusters, notes at random."""
    rng = np.random.default_rng(7)
    parts = {"all": (0, 64)}
    drone = np.asarray([(4 * bar, 4 * bar + 4, 45) for bar in range(16)], float)
    yield Player("drone", "drone", drone, np.full(64, CLASSES.of((9, "maj"))), 4, parts)
    clusters = [(2 * k, 2 * k + 2, low + i) for k in range(32) for low in [int(rng.integers(50, 70))] for i in range(5)]
    yield Player("clusters", "clusters", np.asarray(clusters, float), np.zeros(64, int), 4, parts)
    stray = [(k / 2, k / 2 + 0.5, int(rng.integers(55, 80))) for k in range(128)]
    yield Player("at random", "at random", np.asarray(stray, float), np.zeros(64, int), 4, parts)


def card(bar: int) -> Card:
    """Of a network whose player may play every key."""
    tracks = [{"name": "drums", "kind": "drums", "pitches": [36]}, {"name": "player", "pitches": list(PITCHES)}]
    return Card.model_validate(
        {"contract": 1, "name": "ear", "steps_per_beat": STEPS, "beats_per_bar": bar, "noise": 1, "tracks": tracks}
    )


def hear(player: Player, make: Callable[[Card], Any] = Ear) -> list[tuple[Any, Any, Any]]:
    """What the ear says at each step: the chord before the step's notes are known, after, and the one that it expects."""
    of = card(player.bar)
    ear = make(of)
    steps = STEPS * len(player.classes)
    roll = np.zeros((steps + 1, of.slots, 2), np.float32)
    for start, end, pitch in player.notes.tolist():
        first = round(start * STEPS)
        if 0 <= first < steps and PITCHES[0] <= pitch <= PITCHES[-1]:
            slot = 1 + int(pitch) - PITCHES[0]
            roll[first + 1 : round(end * STEPS), slot] = np.maximum(roll[first + 1 : round(end * STEPS), slot], 1)
            roll[first, slot] = 1, 0
    roll[:, :, HOLD] *= roll[:, :, PLAY]
    found = []
    silent, before = np.zeros_like(roll[0]), np.zeros_like(roll[0])
    for step in range(steps):
        ear.listen(step, step, before, silent)
        blind = ear.now
        ear.listen(step, step, before, roll[step])
        found.append((blind, ear.now, ear.following))
        before = roll[step]
    return found


def count(player: Player, said: list[tuple[Any, Any, Any]]) -> dict[str, Counter[str]]:
    """For each part: how often each was asked and right, and how often the chord changed."""
    found: dict[str, Counter[str]] = {}
    classes = player.classes
    for name, (begin, end) in player.parts.items():
        counts = found[name] = Counter()
        for beat in range(begin, end):
            truth = int(classes[beat])
            first = STEPS * beat
            blind, after, whole = said[first][0], said[first][1], said[first + STEPS - 1][1]
            expected = said[first - 1][2] if first else None
            if beat and beat % player.bar == 0:
                counts["bars"] += 1
            for step in range(first, first + STEPS):
                counts["changes"] += bool(step and said[step][1] != said[step - 1][1])
                counts["flips"] += bool(said[step][0] != said[step][1])
            counts["truly"] += bool(beat and truth != classes[beat - 1])
            if not truth:
                continue
            downbeat = beat % player.bar == 0 and beat > 0
            for what, of in (("before", blind), ("after", after), ("whole", whole), ("expected", expected)):
                for place in ("beat", *["down"] * downbeat, *["new"] * bool(downbeat and truth != classes[beat - 1])):
                    counts[f"{what} {place} of"] += 1
                    if of is not None:
                        counts[f"{what} {place} root"] += of.root == (truth - 1) % 12
                        counts[f"{what} {place} majmin"] += _is_like(of, truth)
                        tones = CLASSES.tones()[truth]
                        counts[f"{what} {place} tones"] += sum(tones[t] for t in of.tones) / len(of.tones)
    return found


def _is_like(of: Any, truth: int) -> bool:
    root, quality = CLASSES.chord(truth)
    return bool(of.root == root and (3 in of.intervals) == (3 in QUALITIES[quality]))


def measure(players: Sequence[Player], make: Callable[[Card], Any] = Ear) -> dict[str, dict[str, Counter[str]]]:
    """Counts by group and part."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for player in players:
        for part, counts in count(player, hear(player, make)).items():
            found.setdefault(player.group, {}).setdefault(part, Counter()).update(counts)
    return found


ROWS = ("before new root", "after new root", "before down root", "after down root", "before beat root", "whole beat root",
        "whole beat majmin", "whole beat tones", "expected beat root")  # fmt: skip


def table(found: dict[str, dict[str, Counter[str]]]) -> list[str]:
    """As lines of text."""
    lines = [f"{'':34}" + "".join(f"{row.replace(' ', chr(10)).split()[0][:6]:>7}" for row in ROWS) + "  changes/true"]
    lines.append(f"{'':34}" + "".join(f"{row.split()[1] + ' ' + row.split()[2][0]:>7}" for row in ROWS))
    total: dict[str, Counter[str]] = {}
    for group, parts in found.items():
        for part, counts in parts.items():
            lines.append(f"{group[:26]:27}{part:7}" + _row(counts))
            if group in TEXTURES:
                total.setdefault(part, Counter()).update(counts)
    return lines + [f"{'progressions':27}{part:7}" + _row(counts) for part, counts in total.items()]


def _row(counts: Counter[str]) -> str:
    cells = []
    for row in ROWS:
        of = counts[f"{row.rsplit(' ', 1)[0]} of"]
        cells.append(f"{counts[row] / of:7.2f}" if of else f"{'-':>7}")
    return "".join(cells) + f"{counts['changes']:8} /{counts['truly']:5}"


def main() -> None:
    """Console entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", nargs="*", type=Path, default=[])
    parser.add_argument("--split", default="valid")
    parser.add_argument("--progression", action="append", default=[], help="this one alone, as the plain tune, in all keys")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    asked = [player for text in args.progression for player in in_all_keys(text)]
    found = measure(asked or [*progressions(), *songs(args.songs, args.split), *nothing()])
    print("\n".join(table(found)))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()

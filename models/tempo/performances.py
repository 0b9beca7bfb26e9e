"""Performances whose beats are known: drums played to a click, and lead sheets and bands played with a person's timing.

Runs without torch.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.core.metre import Metre
from models.music.data import read_tables, split_of
from models.music.files import LEAD_SHEETS, MIDI, find_files
from models.music.musicxml import read_lead_sheet
from models.music.representation import Song, SongError, read_song

JITTER_S = 0.012  # standard deviation of a note's time
RUBATO = 0.08  # share of the tempo by which it goes faster and slower
RUBATO_BEATS = (16.0, 64.0)  # one swing of it lasts between these: 4 to 16 bars
SLOWEST_BPM, FASTEST_BPM = 72.0, 160.0  # tempi that lead sheets are played at
LONGEST_S = 40.0
FOUR = Metre()
RANDOM = ("exponential", "even", "fast", "unsteady")  # how far apart notes are that have no beat
RANDOM_S = 12.0  # for which they are played
STYLES = ("melody", "chords", "both")


@dataclass(frozen=True, slots=True)
class Performance:
    """What was played, and where its beats were."""

    name: str
    split: str
    kind: str  # drums, or a word of STYLES
    notes: np.ndarray  # float64 (notes, 3): seconds, MIDI pitch, velocity; in order of time
    places: np.ndarray  # float64 (notes,): where each stands in the score, in beats; beat 0 is a bar line
    beats: np.ndarray  # float64 (beats,): seconds of the beats; those at a multiple of `bar` begin a bar
    first: int  # number of the first of `beats`
    metre: Metre

    @property
    def bar(self) -> int:
        """Beats in a bar."""
        return beats_in(self.metre)


def beats_in(metre: Metre) -> int:
    """Beats of the tempo in a bar of a metre that has whole ones."""
    return round(metre.bar / metre.tempo_beat)


def read_drums(path: Path) -> Iterator[Performance]:
    """Yield the drum performances of a collection whose table tells tempo and split: those that are beats, in 4/4."""
    files = list(find_files(path, (*MIDI, "info.csv")))
    table = read_tables([file for file in files if file.is_called(".csv")])
    for file in files:
        row = next((r for key, r in table.items() if file.name.endswith(key)), None)
        if row is None or row.get("beat_type") != "beat" or row.get("time_signature") != "4-4":
            continue
        song = read_song(file.content())
        start, pitch, velocity = _onsets(song, range(len(song.parts)))
        period = 60 / float(row["bpm"])
        notes = np.stack([start * period, pitch, velocity], 1)
        notes, start = notes[notes[:, 0] < LONGEST_S], start[start * period < LONGEST_S]
        beats = np.arange(0, notes[-1, 0] + period, period)
        yield Performance(file.name, split_of(file.name, row), "drums", notes, start, beats, 0, FOUR)


def read_sheets(path: Path, takes: int = 1, metre: Metre = FOUR, straight: bool = False) -> Iterator[Performance]:
    """Yield lead sheets in a metre as a person plays them, each `takes` times in another way and tempo.

    Those in 9/8 and 12/8 are few: sheets in 3/4 and 4/4 are swung to them. `straight`: without jitter and rubato.
    """
    for file in find_files(path, (*LEAD_SHEETS, *MIDI)):
        try:
            song = read_lead_sheet(file.content()) if file.is_called(*LEAD_SHEETS) else read_song(file.content())
        except SongError:
            continue
        swings = metre.is_compound and beats_in(metre) > 2 and _is_in(song, Metre(beats_in(metre), 4))
        if not (swings or _is_in(song, metre)) or len(song.parts) < 2:
            continue
        beat = 1.0 if swings else metre.tempo_beat
        for take in range(takes):
            yield _played(file.name, song, STYLES[take % len(STYLES)], metre, _chance(file.name, take), beat, straight)


def read_bands(path: Path, metre: Metre) -> Iterator[Performance]:
    """Yield drums and melody of bands in a metre, each by itself, as a person plays them.

    Bands are MIDI files with the melody as last part, as models/music/generated.py writes them.
    """
    for file in find_files(path, MIDI):
        try:
            song = read_song(file.content())
        except SongError:
            continue
        if not _is_in(song, metre) or not any(part.drum for part in song.parts):
            continue
        drums = tuple(part for part in song.parts if part.drum)
        for take, (style, parts) in enumerate((("drums", drums), ("melody", song.parts[-1:]))):
            own = replace(song, parts=parts)
            yield _played(file.name, own, style, metre, _chance(file.name, take), metre.tempo_beat)


def at_random(kind: str, number: int, drums: bool) -> np.ndarray:
    """Return notes without a beat, (n, 3) as those of a performance: of one of RANDOM, player `number`."""
    rng = np.random.default_rng(number)
    apart = {
        "exponential": lambda: 0.1 + rng.exponential(0.5, 300),
        "even": lambda: rng.uniform(0.15, 1.2, 300),
        "fast": lambda: rng.uniform(0.05, 0.3, 300),
        "unsteady": lambda: 0.6 * np.exp(rng.normal(0, 0.25, 300)),
    }
    seconds = np.cumsum(apart[kind]())
    seconds = seconds[seconds < seconds[0] + RANDOM_S]
    pitches = rng.choice([36, 38, 42], len(seconds)) if drums else rng.integers(55, 80, len(seconds))
    return np.stack([seconds, pitches, np.full(len(seconds), 90)], 1)


def _is_in(song: Song, metre: Metre) -> bool:
    """Whether a song is in a metre, or in one whose bars are as long and whose beats go alike."""
    _, above, below = song.played_metres[1 if song.pickup and len(song.played_metres) > 1 else 0]
    return 4 * above / below == metre.bar and (below == 8) == metre.is_compound


def _swung(places: np.ndarray) -> np.ndarray:
    """Beats whose eighths swing: what lay in the middle of one lies on its last third."""
    beats = np.floor(places + 1e-6)
    swung: np.ndarray = beats + np.interp(places - beats, (0, 0.5, 1), (0, 2 / 3, 1))
    return swung


def _chance(name: str, take: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), take])


def _onsets(song: Song, parts: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = np.concatenate([song.parts[i].start for i in parts])
    order = np.argsort(start, kind="stable")
    pitch = np.concatenate([song.parts[i].pitch for i in parts])[order]
    return start[order], pitch, np.concatenate([song.parts[i].velocity for i in parts])[order]


def _played(
    name: str, song: Song, style: str, metre: Metre, rng: np.random.Generator, beat: float, straight: bool = False
) -> Performance:
    """One way to play a sheet: the melody, the chords struck by turns with it, or both; some louder on the beat. Or drums.

    `beat`: quarters of one, as the song has them; where they are fewer than the metre's it is swung.
    """
    bar = beats_in(metre)
    parts = {"melody": range(1), "chords": range(1, 2), "both": range(2), "drums": range(len(song.parts))}[style]
    places, pitch, struck = _onsets(song, parts)
    if style == "chords":  # a chord that stays is struck again on every beat or every other
        places, pitch = _struck_again(song, beat * float(rng.choice([1, 3 if bar == 3 else 2])))
    places = (places - song.pickup) / beat
    if beat < metre.tempo_beat:
        places = _swung(places)
    tempo_bpm = float(np.exp(rng.uniform(np.log(SLOWEST_BPM), np.log(FASTEST_BPM))))
    swing, phase = rng.uniform(*RUBATO_BEATS), rng.uniform(0, 2 * np.pi)
    grid = np.arange(np.floor(places[0]) - bar, places[-1] + 2, 1 / 96)
    speed = tempo_bpm / 60 * (1 + (0 if straight else RUBATO) * np.sin(2 * np.pi * grid / swing + phase))
    passed = np.concatenate([[0.0], np.cumsum(1 / 96 / speed[:-1])])
    zero = np.interp(places[0], grid, passed) - 0.5
    seconds = np.interp(places, grid, passed) - zero
    if not straight:
        seconds = seconds + rng.normal(0, JITTER_S, len(seconds))
    accent = np.where(np.isclose(places % bar, 0), 8, 0) + np.where(np.isclose(places % 1, 0), 6, 0)
    velocity = np.clip(80 + rng.choice([0.0, 0.5, 1.0]) * (accent + rng.normal(0, 8, len(seconds))), 1, 127).round()
    if style == "drums":
        velocity = struck
    order = np.argsort(seconds, kind="stable")
    order = order[seconds[order] < LONGEST_S]
    notes = np.stack([seconds, pitch, velocity], 1)[order]
    numbers = np.arange(np.ceil(places[0]), np.floor(places[order].max()) + 2)
    beats = np.interp(numbers, grid, passed) - zero
    return Performance(name, split_of(name, None), style, notes, places[order], beats, int(numbers[0]), metre)


def _struck_again(song: Song, every: float) -> tuple[np.ndarray, np.ndarray]:
    part = song.parts[1]
    rows = []
    for start, end, pitch in zip(part.start, part.end, part.pitch, strict=True):
        again = np.arange(song.pickup + np.ceil((start - song.pickup) / every + 1e-6) * every, end - 1e-6, every)
        rows += [(float(at), int(pitch)) for at in (start, *again)]
    rows.sort()
    return np.array([at for at, _ in rows]), np.array([pitch for _, pitch in rows])

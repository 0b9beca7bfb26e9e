"""Performances whose beats are known: drums played to a click, and lead sheets played with a person's timing.

Runs without torch.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.music.data import read_tables, split_of
from models.music.files import LEAD_SHEETS, MIDI, find_files
from models.music.musicxml import read_lead_sheet
from models.music.representation import Song, SongError, read_song

JITTER_S = 0.012  # standard deviation of a note's time
RUBATO = 0.08  # share of the tempo by which it goes faster and slower
RUBATO_BEATS = (16.0, 64.0)  # one swing of it lasts between these: 4 to 16 bars
SLOWEST_BPM, FASTEST_BPM = 72.0, 160.0  # tempi that lead sheets are played at
LONGEST_S = 40.0
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
    bar: int  # beats in a bar


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
        yield Performance(file.name, split_of(file.name, row), "drums", notes, start, beats, 0, 4)


def read_sheets(path: Path, takes: int = 1, bar: int = 4, straight: bool = False) -> Iterator[Performance]:
    """Yield lead sheets in a metre of `bar` quarters as a person plays them, each `takes` times in another way and tempo.

    `straight`: without jitter and rubato.
    """
    for file in find_files(path, (*LEAD_SHEETS, *MIDI)):
        try:
            song = read_lead_sheet(file.content()) if file.is_called(*LEAD_SHEETS) else read_song(file.content())
        except SongError:
            continue
        metre = song.played_metres[1 if song.pickup and len(song.played_metres) > 1 else 0]
        if 4 * metre[1] / metre[2] != bar or metre[2] == 8 or len(song.parts) < 2:
            continue
        for take in range(takes):
            rng = np.random.default_rng([zlib.crc32(file.name.encode()), take])
            yield _played(file.name, song, STYLES[take % len(STYLES)], bar, rng, straight)


def _onsets(song: Song, parts: range | list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = np.concatenate([song.parts[i].start for i in parts])
    order = np.argsort(start, kind="stable")
    pitch = np.concatenate([song.parts[i].pitch for i in parts])[order]
    return start[order], pitch, np.concatenate([song.parts[i].velocity for i in parts])[order]


def _played(name: str, song: Song, style: str, bar: int, rng: np.random.Generator, straight: bool) -> Performance:
    """One way to play a sheet: the melody, the chords struck by turns with it, or both; some louder on the beat."""
    parts = {"melody": [0], "chords": [1], "both": [0, 1]}[style]
    places, pitch, _ = _onsets(song, parts)
    if style == "chords":  # a chord that stays is struck again on every beat or every other
        places, pitch = _struck_again(song, float(rng.choice([1, 2 if bar == 4 else 3])))
    places = places - song.pickup
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
    order = np.argsort(seconds, kind="stable")
    order = order[seconds[order] < LONGEST_S]
    notes = np.stack([seconds, pitch, velocity], 1)[order]
    numbers = np.arange(np.ceil(places[0]), np.floor(places[order].max()) + 2)
    beats = np.interp(numbers, grid, passed) - zero
    return Performance(name, split_of(name, None), style, notes, places[order], beats, int(numbers[0]), bar)


def _struck_again(song: Song, every: float) -> tuple[np.ndarray, np.ndarray]:
    part = song.parts[1]
    rows = []
    for start, end, pitch in zip(part.start, part.end, part.pitch, strict=True):
        again = np.arange(song.pickup + np.ceil((start - song.pickup) / every + 1e-6) * every, end - 1e-6, every)
        rows += [(float(at), int(pitch)) for at in (start, *again)]
    rows.sort()
    return np.array([at for at, _ in rows]), np.array([pitch for _, pitch in rows])

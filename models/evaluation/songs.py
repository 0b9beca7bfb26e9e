"""Songs whose chords are known, a chord a beat, and the tracks that were played over them: for training and measuring the ear.

Lead sheets and tunes tell their chords themselves; of bands they are told from what the whole band plays. Runs without torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.evaluation.takes import notes_of
from models.music.chord_symbols import NO_CHORD, name_notes
from models.music.data import DAMAGED, read_band, split_of
from models.music.files import LEAD_SHEETS, MIDI, find_files
from models.music.grid import FOUR, STEPS_PER_QUARTER, Grid, read_grid
from models.music.musicxml import read_lead_sheet
from models.music.representation import BAND, Part, Song, SongError, read_song, sections
from models.music.songbook import read_songs
from models.music.sounding_chords import CLASSES, sounding_chords

Array = np.ndarray
METRES = (FOUR, read_grid("3/4"))  # of the songs that are read: a beat is a quarter
LEAST_BEATS = 16


@dataclass(frozen=True, slots=True)
class Tune:
    """One song: `classes` of CLASSES, int64 (beats,), 0 where there is no chord; notes (n, 3): start, end in beats, pitch."""

    name: str
    split: str
    bar: int  # beats
    classes: Array
    tracks: dict[str, Array] = field(default_factory=dict)


def bands(paths: Sequence[Path], cache: Path | None = None) -> Iterator[Tune]:
    """What bands play; the chords are told from all of it."""
    where, pitches, at = {}, {}, 0
    for track in BAND:
        where[track.name] = slice(at, at := at + len(track.pitches))
        pitches[track.name] = np.asarray(track.pitches)
    for piece in read_band(paths, cache).pieces:
        if piece.metre not in METRES:
            continue
        rolls = {name: piece.roll[:, slots] for name, slots in where.items() if name != "drums"}
        tracks = {name: notes_of(roll, pitches[name], STEPS_PER_QUARTER)[:, :3] for name, roll in rolls.items()}
        found = {name: notes for name, notes in tracks.items() if len(notes) >= LEAST_BEATS}
        if found:
            classes = sounding_chords(piece.roll, metre=piece.metre)
            yield Tune(piece.name, piece.split, piece.metre.beats, classes, found)


def sheets(path: Path) -> Iterator[Tune]:
    """Melodies with their chord symbols: lead sheets, and MIDI files of a melody and a track of chords."""
    for file in find_files(path, (*LEAD_SHEETS, *MIDI)):
        if {"melody", "chords"} & set(Path(file.name).parts[:-1]):
            continue  # one track of a tune that is read whole
        try:
            song = (read_lead_sheet if file.is_called(*LEAD_SHEETS) else read_song)(file.content())
        except (SongError, *DAMAGED):
            continue
        if len(song.parts) != 2:
            continue
        # As the songs are named of which bands were made, so that one song stands on one side of the split.
        name = re.sub(r"[^A-Za-z0-9]+", "_", Path(file.name).stem).strip("_")
        for metre in METRES:
            for start, end in sections(song, metre):
                tune = _tune(name, song, metre, start, end)
                if tune is not None:
                    yield tune


def _tune(name: str, song: Song, metre: Grid, start: float, end: float) -> Tune | None:
    chords = max(song.parts, key=_voices)
    melody = next(part for part in song.parts if part is not chords)
    beats = round(end - start)
    classes = np.zeros(beats, np.int64)
    for beat in range(beats):
        middle = start + beat + 0.5
        sounding = chords.pitch[(chords.start <= middle) & (chords.end > middle)].tolist()
        of = name_notes(sounding) if len(sounding) > 1 else None
        classes[beat] = 0 if of is None or of[0] == NO_CHORD else CLASSES.of(of)
    classes = np.concatenate([classes[: classes.nonzero()[0][0] if classes.any() else 0], _filled(classes)])[-beats:]
    notes = np.stack([melody.start - start, melody.end - start, melody.pitch], 1).astype(float)
    notes = notes[(notes[:, 0] > -0.01) & (notes[:, 0] < beats)]
    if len(notes) < 8 or classes.astype(bool).sum() < LEAST_BEATS:
        return None
    return Tune(name, split_of(name, None), metre.beats, classes, {"lead": notes})


def _filled(classes: Array) -> Array:
    """From the first chord on; a rest between two chords is the first one dying away."""
    known = classes != 0
    last = np.maximum.accumulate(np.where(known, np.arange(len(classes)), 0))
    found: Array = classes[last]
    return found[int(known.argmax()) :] if known.any() else classes


def _voices(part: Part) -> float:
    """How many notes begin together."""
    return len(part.start) / max(len(np.unique(part.start)), 1)


def charts(path: Path) -> Iterator[Tune]:
    """Songs of which only the chords are known."""
    for song in read_songs([path]).songs:
        classes = np.asarray([CLASSES.of(chord) for chord in song.chords], np.int64)
        begin = int(-song.position[0] % 4) if len(song.position) else 0
        if (classes[begin:] != 0).sum() >= LEAST_BEATS:
            yield Tune(song.name, song.split, 4, classes[begin:])

"""MIDI files to rolls of timesteps and back: what the networks read and write.

A **roll** is uint8 (steps, slots): 0 silent, 1 held on from the step before, 2 struck. Slots are the pitches of the
first track, then those of the second, and so on, as models/CONTRACT.md says. Time is counted in ticks, never in
seconds, so tempo maps change nothing. How hard and how early a note was struck stands beside the roll (Expression).
Runs without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import symusic

from engine.core.contract import Track
from engine.core.errors import MidiFileError
from engine.core.metre import Metre
from engine.midi import smf
from engine.midi.ranges import DRUM_OF, fold
from engine.midi.roles import ROLES, assign_roles, voices
from engine.midi.song import Part, Song, song_of
from models.music.grid import FOUR, GRIDS, STEPS_PER_QUARTER, Grid, grid_of, read_grid

__all__ = [
    "DRUM_OF",
    "ROLES",
    "Part",
    "Song",
    "assign_roles",
    "fold",
    "voices",
]  # found by the engine's reader, used by all that read music

SILENT, HELD, ONSET = 0, 1, 2
TWO = read_grid("2/4")
OFFSETS = 120  # offsets are counted in this fraction of a step, -60..60
UNKNOWN_OFFSET = -128

# Twelve voices of a drum kit. Every General MIDI drum note is played by the nearest of them.
DRUMS = (36, 38, 37, 42, 46, 51, 49, 41, 47, 39, 54, 70)
BAND = (
    Track(name="drums", kind="drums", pitches=DRUMS),
    Track(name="bass", pitches=tuple(range(28, 60))),
    Track(name="chords", pitches=tuple(range(40, 88))),
    Track(name="pad", pitches=tuple(range(40, 88))),
    Track(name="lead", pitches=tuple(range(48, 96))),
)


class SongError(Exception):
    """A file that cannot be used; `reason` is one of a few short phrases, fit to be counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}{': ' if detail else ''}{detail}")
        self.reason = reason


@dataclass(slots=True, frozen=True)
class Expression:
    """How the notes of a roll were struck; what was never played by hand is not known."""

    velocity: np.ndarray  # uint8 (steps, slots): 1..127 where struck, 0 elsewhere and where it is not known
    offset: np.ndarray  # int8 (steps, slots): 1 / OFFSETS of a step, early to late; UNKNOWN_OFFSET where not known

    def __getitem__(self, steps: slice | np.ndarray) -> Expression:
        return Expression(self.velocity[steps], self.offset[steps])


def read_song(data: bytes) -> Song:
    """Parse a MIDI file. Raises SongError("unreadable" or "no notes")."""
    try:
        song = song_of(smf.parse(data))
    except MidiFileError as error:
        raise SongError("unreadable", str(error)) from error
    if not song.parts:
        raise SongError("no notes")
    return song


def sections(song: Song, grid: Grid = FOUR) -> list[tuple[float, float]]:
    """Stretches (start, end in quarters) whose bars are those of a metre, and begin at its start.

    A pickup ends one stretch and begins the next, as an odd bar in the middle does.
    """
    found: list[tuple[float, float]] = []
    for start, end, metre in stretches(song):
        if not counts_as(metre, grid):
            continue
        # The same metre said again on a bar line changes nothing.
        if found and found[-1][1] == start and (start - found[-1][0]) % (grid.bar / STEPS_PER_QUARTER) == 0:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    if found and found[0][0] == 0 and song.pickup:
        found[0] = (song.pickup, found[0][1])
    return found


def grid_of_song(song: Song) -> Grid | None:
    """The metre that most of a song is in; None where that is one that no music is read in."""
    lengths: dict[Grid, float] = {}
    for start, end, metre in stretches(song):
        for grid in (g for g in GRIDS if counts_as(metre, g)):
            lengths[grid] = lengths.get(grid, 0.0) + end - start
    if lengths.get(FOUR) == lengths.get(TWO):
        lengths.pop(FOUR, None)  # 2/4 throughout
    longest = max(lengths, key=lambda grid: lengths[grid], default=None)
    others = sum(end - start for start, end, metre in stretches(song) if not any(counts_as(metre, g) for g in GRIDS))
    return longest if longest is None or lengths[longest] >= others else None


def stretches(song: Song) -> list[tuple[float, float, tuple[int, int]]]:
    """Where each metre of a song lasts: start and end in quarters, numerator and denominator."""
    edges = [*(m[0] for m in song.metres), max(song.end, song.metres[-1][0])]
    rows = zip(song.metres, edges[1:], strict=True)
    return [(start, end, (numerator, denominator)) for (start, numerator, denominator), end in rows if end > start]


def counts_as(metre: tuple[int, int], grid: Grid = FOUR) -> bool:
    """Whether bars of a metre are bars of a grid: 2/2 is 4/4, and two bars of 2/4 are one of it."""
    if grid == FOUR:
        return metre[0] * 4 / metre[1] in (4, 2)
    try:
        return grid_of(Metre(*metre)) == grid
    except ValueError:
        return False


def grid_fit(parts: Sequence[Part], start: float = 0.0, steps_per_beat: int = 4, tolerance: float = 0.25) -> float:
    """Share of the onsets that lie within `tolerance` of a step from the grid (chance gives 2 x tolerance)."""
    steps = (np.concatenate([p.start for p in parts]) - start) * steps_per_beat
    return float(np.mean(np.abs(steps - np.round(steps)) <= tolerance))


def empty_roll(steps: int, tracks: Sequence[Track] = BAND) -> np.ndarray:
    """Silence: uint8 (steps, slots)."""
    return np.zeros((steps, sum(len(t.pitches) for t in tracks)), np.uint8)


def quantise(
    parts: Sequence[Part],
    roles: Sequence[str | None],
    start: float,
    end: float,
    tracks: Sequence[Track] = BAND,
    steps_per_beat: int = 4,
) -> tuple[np.ndarray, Expression]:
    """Put the notes that start in [start, end) quarters on the grid; returns the roll, and how each note was struck.

    A note starts at the step nearest to it, lasts at least one step, and is cut where its pitch is struck again.
    Drums last one step. Pitches out of a track's range are folded into it by octaves. Where two strikes fall on one step,
    the louder one tells how it was struck.
    """
    steps = max(round((end - start) * steps_per_beat), 0)
    roll = empty_roll(steps, tracks)
    expression = Expression(np.zeros_like(roll), np.full(roll.shape, UNKNOWN_OFFSET, np.int8))
    base = 0
    for track in tracks:
        slot_of = {pitch: base + i for i, pitch in enumerate(track.pitches)}
        base += len(track.pitches)
        for part, role in zip(parts, roles, strict=True):
            if role != track.name:
                continue
            at = (part.start - start) * steps_per_beat
            first = np.floor(at + 0.5).astype(int)
            last = np.maximum(np.floor((part.end - start) * steps_per_beat + 0.5).astype(int), first + 1)
            offset = np.round((at - first) * OFFSETS).astype(int)
            rows = zip(*(v.tolist() for v in (part.pitch, first, last, part.velocity, offset)), strict=True)
            for pitch, a, b, velocity, late in rows:
                drum = track.kind == "drums"
                if not 0 <= a < steps or (drum and pitch not in DRUM_OF):
                    continue
                slot = slot_of[DRUM_OF[pitch] if drum else fold(pitch, track.pitches)]
                roll[a, slot] = ONSET
                if velocity > expression.velocity[a, slot]:
                    expression.velocity[a, slot], expression.offset[a, slot] = velocity, late
                if not drum:
                    tail = roll[a + 1 : b, slot]
                    tail[tail == SILENT] = HELD
    _close_gaps(roll)
    return roll, expression


def _close_gaps(roll: np.ndarray) -> None:
    """Strike what is held without a note before it (cannot come from well-formed notes; folding may do it)."""
    orphan = roll == HELD
    orphan[1:] &= roll[:-1] == SILENT
    roll[orphan] = ONSET


def trim(roll: np.ndarray, bar: int = 16) -> np.ndarray:
    """Drop the silent bars at both ends; returns a whole number of bars."""
    first, last = sounding_bars(roll, bar)
    return np.pad(roll, ((0, max(0, last - len(roll))), (0, 0)))[first:last]


def sounding_bars(roll: np.ndarray, bar: int = 16) -> tuple[int, int]:
    """First step of the first bar that sounds, and the end of the last one (which may lie beyond the roll)."""
    sounding = np.flatnonzero(roll.any(axis=1))
    return (int(sounding[0]) // bar * bar, -(-(int(sounding[-1]) + 1) // bar) * bar) if len(sounding) else (0, 0)


def transpose(roll: np.ndarray, semitones: int, tracks: Sequence[Track] = BAND) -> np.ndarray:
    """The roll with every pitched track moved by `semitones`; what leaves a range comes back an octave away."""
    out = _moved(roll, semitones, tracks)
    _close_gaps(out)
    return out


def transpose_expression(expression: Expression, semitones: int, tracks: Sequence[Track] = BAND) -> Expression:
    """How the notes of `transpose` were struck."""
    return Expression(
        _moved(expression.velocity, semitones, tracks), _moved(expression.offset, semitones, tracks, UNKNOWN_OFFSET)
    )


def _moved(values: np.ndarray, semitones: int, tracks: Sequence[Track], nothing: int = 0) -> np.ndarray:
    """Slots of the pitched tracks moved by `semitones`; where two meet, the greater value stays."""
    out = np.full_like(values, nothing)
    base = 0
    for track in tracks:
        width = len(track.pitches)
        part, moved = values[:, base : base + width], out[:, base : base + width]
        if track.kind == "drums":
            moved[:] = part
        else:
            target = np.asarray([fold(p + semitones, track.pitches) - track.pitches[0] for p in track.pitches])
            for source in np.flatnonzero((part != nothing).any(axis=0)):
                np.maximum(moved[:, target[source]], part[:, source], out=moved[:, target[source]])
        base += width
    return out


def channels(roll: np.ndarray) -> np.ndarray:
    """Roll to the step graph's channels: float32 (steps, slots, 2), play and hold."""
    return np.stack([roll != SILENT, roll == HELD], axis=-1).astype(np.float32)


def from_channels(notes: np.ndarray) -> np.ndarray:
    """Notes of the step graph (steps, slots, >= 2) to a roll."""
    play, hold = notes[..., 0] > 0.5, notes[..., 1] > 0.5
    return np.where(play, np.where(hold, HELD, ONSET), SILENT).astype(np.uint8)


PROGRAMS = {"drums": 0, "bass": 33, "chords": 4, "pad": 89, "lead": 81}


def to_midi(
    roll: np.ndarray,
    tracks: Sequence[Track] = BAND,
    steps_per_beat: int = 4,
    tempo: float = 120.0,
    velocity: int = 90,
    grid: Grid = FOUR,
) -> bytes:
    """Write a roll as a MIDI file with one named track for each track of the network."""
    per_step = 480 // steps_per_beat
    score: Any = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *map(int, grid.name.split("/"))))
    base = 0
    for track in tracks:
        out: Any = symusic.Track(track.name, PROGRAMS.get(track.name, 0), track.kind == "drums")
        for slot, pitch in enumerate(track.pitches, base):
            column = roll[:, slot]
            for step in np.flatnonzero(column == ONSET):
                rest = np.flatnonzero(column[step + 1 :] != HELD)
                length = 1 + (int(rest[0]) if len(rest) else len(column) - step - 1)
                out.notes.append(symusic.Note(int(step) * per_step, int(length * per_step), pitch, velocity))
        base += len(track.pitches)
        score.tracks.append(out)
    return bytes(score.dumps_midi())

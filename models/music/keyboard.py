"""Reads music for one keyboard: MIDI files with all parts merged, and the rolls of poly_splits.

Runs without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.core.contract import Track
from models.music.data import SPLITS, Collection, Converted, Piece, joined, left_out, metres_of, read_files
from models.music.files import File
from models.music.grid import FOUR
from models.music.representation import HELD, SongError, grid_fit, quantise, read_song, sections, trim

LEAST_BARS = 4
# As the collection's own note on sources and licences says.
POLY_LICENCES = {
    "JSB_Chorales": "works in the public domain; the encoding states no licence",
    "MuseData": "works in the public domain; the encoding states no licence",
    "Nottingham": "Eric Foxley's collection; the encoding states no licence",
    "Piano_midi": "CC-BY-SA-3.0-DE",
}


def read_keyboard(paths: Sequence[Path], low: int, high: int, steps_per_beat: int) -> Collection:
    """Read poly_splits archives (.npz) and MIDI files, folders or archives into rolls of the notes low..high.

    Raises FileNotFoundError for a path that is not there and ValueError where nothing under the paths can be used.
    """
    return joined(
        paths,
        [read_poly(p, low, high) if p.suffix == ".npz" else read_midi(p, low, high, steps_per_beat) for p in paths],
    )


def read_poly(path: Path, low: int, high: int) -> Collection:
    """Read a poly_splits archive (88 notes from MIDI 21, standard splits) into rolls of the notes low..high.

    A note that goes on is marked held, though the rolls do not tell it from a repeated one. Raises ValueError where
    a note lies outside low..high: leaving it out would flatter the figures.
    """
    out = Collection(
        sources=[{"name": f"poly_splits/{path.stem}", "licence": POLY_LICENCES.get(path.stem, "not stated")}], files=1, used=1
    )
    with np.load(path) as stored:
        for split in SPLITS:
            whole = np.zeros((len(stored[split]), 128), np.uint8)
            whole[:, 21:109] = np.unpackbits(stored[split], axis=1)[:, :88]
            pitches = np.flatnonzero(whole.any(0))
            if pitches[0] < low or pitches[-1] > high:
                raise ValueError(f"{path}: {split} has notes {pitches[0]}..{pitches[-1]}; widen low and high ({low}..{high})")
            ends = np.cumsum(stored[f"{split}_len"])[:-1]
            for index, play in enumerate(np.split(whole[:, low : high + 1], ends)):
                roll = play * 2
                roll[1:][(play[1:] & play[:-1]) > 0] = HELD
                out.pieces.append(Piece(f"{split}-{index}", split, roll))
    return out


def read_midi(path: Path, low: int, high: int, steps_per_beat: int) -> Collection:
    """Read MIDI files with all parts merged onto one keyboard; refusals are counted by reason."""
    track = (Track(name="piano", pitches=tuple(range(low, high + 1))),)

    def convert(file: File, lost: list[str]) -> list[Converted]:
        return [(roll, None, (), FOUR) for roll in _stretches(file.content(), track, steps_per_beat, lost)]

    return read_files(path, convert)


def _stretches(data: bytes, track: tuple[Track, ...], steps_per_beat: int, lost: list[str]) -> list[np.ndarray]:
    """The stretches of a file in a metre of 2 or 4 quarters that lie on the grid. Raises SongError with the reason."""
    song = read_song(data)
    parts = [p for p in song.parts if not p.drum]
    if not parts:
        raise SongError("only drums")
    spans = sections(song)
    if not spans:
        raise SongError("odd metre", metres_of(song))
    if grid_fit(parts, spans[0][0], steps_per_beat) < 0.8:
        raise SongError("off the grid")
    roles = ["piano"] * len(parts)
    rolls = [trim(quantise(parts, roles, a, b, track, steps_per_beat)[0], 4 * steps_per_beat) for a, b in spans]
    rolls = [r for r in rolls if len(r) >= LEAST_BARS * 4 * steps_per_beat]
    if not rolls:
        raise SongError("shorter than 4 bars")
    lost += [*song.remarks, *left_out(song)]
    return rolls

"""A grid of tracks and bars: some cells are given by a visitor, the network fills the rest.

Runs on: booth process.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import Card
from engine.store.clip import ClipError, Music, Note, music_of_json

BARS = 4


def grid_of(data: object, card: Card, tempo_bpm: float) -> tuple[Music, np.ndarray]:
    """Return what is given, and (steps, T) with 1 where it is, of JSON {"notes": [...], "cells": [[track, bar], ...]}.

    Notes are as in a clip. A cell that is given is whole: its rests too. Raises ClipError.
    """
    if not isinstance(data, dict):
        raise ClipError("a composition is an object with notes and cells")
    bar = 4 * card.steps_per_beat
    tracks = [track.name for track in card.tracks]
    whole = {"bpm": tempo_bpm, "metre": "4/4", "grid": card.steps_per_beat, "steps": BARS * bar, "tracks": tracks}
    music = music_of_json(whole | {"notes": data.get("notes")})
    cells = data.get("cells")
    if not isinstance(cells, list) or len(cells) > BARS * len(tracks):
        raise ClipError(f"a composition has at most {BARS * len(tracks)} cells")
    given = np.zeros((music.steps, len(tracks)), np.float32)
    for cell in cells:
        if not isinstance(cell, list) or len(cell) != 2 or not all(type(part) is int for part in cell):
            raise ClipError("a cell is [track, bar]")
        if not (0 <= cell[0] < len(tracks) and 0 <= cell[1] < BARS):
            raise ClipError(f"a cell's track is from 0 to {len(tracks) - 1}, its bar from 0 to {BARS - 1}")
        given[cell[1] * bar : (cell[1] + 1) * bar, cell[0]] = 1
    kept = [_inside(note, given) for note in music.notes if given[note.step, note.track]]
    return Music(tuple(kept), music.steps, music.tracks, music.tempo_bpm, music.metre, music.steps_per_beat), given


def _inside(note: Note, given: np.ndarray) -> Note:
    """A note, cut where the cells that are given end."""
    free = np.flatnonzero(given[note.step : note.step + note.steps, note.track] == 0)
    return note._replace(steps=int(free[0])) if len(free) else note

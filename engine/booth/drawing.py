"""From a finger's line to notes: pitch by height in the pentatonic of the key, eighths, equal neighbours merged.

Runs on: booth process. `lib/line.js` is the same in the page, where the line is heard while it is drawn; a test holds both
together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from engine.core.contract import Card, Track
from engine.core.errors import AlgoritmoError
from engine.store.clip import Music, Note

BARS = 2  # of 4/4, from the left edge to the right
COLUMNS = 8 * BARS  # eighths
PENTATONIC = (0, 2, 4, 7, 9)  # of a major key, from its root; of a minor key its relative major's
LOUD, SOFT = 118, 58  # velocity of the thickest line and of the thinnest
MOST_LINES, MOST_POINTS = 12, 1200
DRUMS = (36, 38, 42, 46)  # kick, snare, closed and open hi-hat
MIDDLE = 26  # semitones of a track's range that a drawing has, around its middle


class DrawingError(AlgoritmoError):
    """What is given as a drawing is none."""


def scale(track: Track, key: int) -> tuple[int, ...]:
    """Return the pitches that a line on a track can have, low to high. `key`: pitch class of the major key."""
    if track.kind == "drums":
        return tuple(pitch for pitch in DRUMS if pitch in track.pitches) or track.pitches[:4]
    middle = (track.pitches[0] + track.pitches[-1]) / 2
    inside = [pitch for pitch in sorted(track.pitches) if abs(pitch - middle) <= MIDDLE / 2]
    found = tuple(pitch for pitch in inside if (pitch - key) % 12 in PENTATONIC)
    return found or tuple(inside) or track.pitches


def scales(card: Card, key: int) -> dict[str, list[int]]:
    """Return the pitches of every track, as a phone is told."""
    return {track.name: list(scale(track, key)) for track in card.tracks}


Line = tuple[int, float, list[tuple[float, float]]]  # number of the track, thickness 0..1, points (x, y) 0..1, y upwards


def lines_of(data: object, tracks: int) -> list[Line]:
    """Return the lines that JSON describes: [[track, thickness, [[x, y], ...]], ...]. Raises DrawingError."""
    if not isinstance(data, list) or not 0 < len(data) <= MOST_LINES:
        raise DrawingError(f"a drawing has 1 to {MOST_LINES} lines")
    points = sum(len(line[2]) for line in data if isinstance(line, list) and len(line) == 3 and isinstance(line[2], list))
    if points > MOST_POINTS:
        raise DrawingError(f"a drawing has at most {MOST_POINTS} points, and this has {points}")
    return [_line(line, tracks) for line in data]


def _line(data: object, tracks: int) -> Line:
    if not isinstance(data, list) or len(data) != 3 or not isinstance(data[2], list) or not data[2]:
        raise DrawingError("a line is [track, thickness, [[x, y], ...]]")
    track, thickness, points = data
    if type(track) is not int or not 0 <= track < tracks:
        raise DrawingError(f"a line's track is a number from 0 to {tracks - 1}")
    return track, _share(thickness), [(_share(x), _share(y)) for x, y in map(_pair, points)]


def _pair(point: object) -> tuple[object, object]:
    if not isinstance(point, list) or len(point) != 2:
        raise DrawingError("a point is [x, y]")
    return point[0], point[1]


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise DrawingError("a drawing's numbers are from 0 to 1")
    return float(value)


def heights(points: Sequence[tuple[float, float]]) -> list[float | None]:
    """Return the height of a line in the middle of each eighth, None where it is not; where it goes back its mean."""
    out: list[float | None] = []
    for column in range(COLUMNS):
        begin, end = column / COLUMNS, (column + 1) / COLUMNS
        inside = [y for x, y in points if begin <= x < end or (column == COLUMNS - 1 and x == 1)]
        if inside:
            out.append(sum(inside) / len(inside))
            continue
        crossing = []
        middle = (begin + end) / 2
        for (x0, y0), (x1, y1) in pairwise(points):
            if x0 != x1 and min(x0, x1) <= middle <= max(x0, x1):
                crossing.append(y0 + (y1 - y0) * (middle - x0) / (x1 - x0))
        out.append(sum(crossing) / len(crossing) if crossing else None)
    return out


def notes_of(line: Line, pitches: Sequence[int], steps_per_beat: int, merge: bool = True) -> list[Note]:
    """Return the notes of one line, on timesteps; `merge`: equal neighbours are one long note."""
    track, thickness, points = line
    per_column = max(steps_per_beat // 2, 1)
    velocity = round(SOFT + (LOUD - SOFT) * thickness)
    out: list[Note] = []
    for column, height in enumerate(heights(points)):
        if height is None:
            continue
        pitch = pitches[math.floor(height * (len(pitches) - 1) + 0.5)]
        begin = column * per_column
        if merge and out and out[-1].pitch == pitch and out[-1].step + out[-1].steps == begin:
            out[-1] = out[-1]._replace(steps=out[-1].steps + per_column)
        else:
            out.append(Note(begin, per_column, track, pitch, velocity))
    return out


def music_of_lines(lines: Sequence[Line], card: Card, key: int, tempo_bpm: float) -> Music:
    """Return the music of a drawing, two bars of 4/4; where lines of a track meet, the later one sounds."""
    notes: dict[tuple[int, int, int], Note] = {}
    for line in lines:
        track = card.tracks[line[0]]
        for note in notes_of(line, scale(track, key), card.steps_per_beat, merge=track.kind != "drums"):
            notes[note.track, note.step, note.pitch] = note
    names = tuple(track.name for track in card.tracks)
    apart = _without_overlaps(sorted(notes.values()))
    return Music(tuple(sorted(apart)), 4 * BARS * card.steps_per_beat, names, tempo_bpm, "4/4", card.steps_per_beat)


def _without_overlaps(notes: Sequence[Note]) -> list[Note]:
    """Cut each note where its pitch begins anew on its track."""
    out: list[Note] = []
    last: dict[tuple[int, int], int] = {}
    for note in notes:
        before = last.get((note.track, note.pitch))
        if before is not None and out[before].step + out[before].steps > note.step:
            out[before] = out[before]._replace(steps=note.step - out[before].step)
        last[note.track, note.pitch] = len(out)
        out.append(note)
    return [note for note in out if note.steps > 0]

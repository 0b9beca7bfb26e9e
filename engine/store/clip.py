"""A clip: a few bars of music that visitors can hear, vote on and draw, in the units of the network that plays them.

Runs on: every process that makes, stores or plays clips. A `Music` is notes on the timesteps of a network: number of the
timestep, of the network's track, MIDI pitch, velocity 1..127, and how far off its timestep a note begins. A `Clip` is a music
with all that is known of where it comes from. The JSON of a music is what the store keeps, what a phone plays, and what an
export holds:

    {"bpm": 112, "metre": "4/4", "grid": 4, "steps": 128, "tracks": ["drums", ...],
     "notes": [[step, steps, track, pitch, velocity, offset], ...]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from engine.core.contract import HOLD, OFFSET, PLAY, VELOCITY, Card
from engine.core.errors import AlgoritmoError
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.metre import Metre, parse

MOST_NOTES = 4096  # of one clip
MOST_STEPS = 2048  # timesteps of one clip: 128 bars of 4/4
MOST_TRACKS = 32
PLAIN = 90  # velocity of a note of a network that knows none

# How a clip came to be: its arm of the experiment.
ARMS = ("first", "winners", "control", "drawn", "composed")


class ClipError(AlgoritmoError):
    """What is given as a clip is none."""


class Note(NamedTuple):
    """One note. `step` and `steps` are timesteps, `offset` -0.5..0.5 of one, early to late."""

    step: int
    steps: int
    track: int
    pitch: int
    velocity: int = PLAIN
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Music:
    """Notes on the timesteps of a network, in order of their beginnings."""

    notes: tuple[Note, ...]
    steps: int  # how long it is
    tracks: tuple[str, ...]  # names of the network's tracks, by their numbers
    tempo_bpm: float = 112.0
    metre: str = "4/4"
    steps_per_beat: int = 4  # timesteps of a quarter note

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.steps / self.steps_per_beat * 60 / self.tempo_bpm

    @property
    def bars(self) -> float:
        """How many bars it is."""
        return self.steps / parse(self.metre).steps(self.steps_per_beat)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, see above."""
        return {
            "bpm": round(self.tempo_bpm, 3),
            "metre": self.metre,
            "grid": self.steps_per_beat,
            "steps": self.steps,
            "tracks": list(self.tracks),
            "notes": [list(note) for note in self.notes],
        }


def _number(value: object, low: float, high: float, whole: bool = True) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and not isinstance(value, int)):
        raise ClipError(f"a clip's numbers must be numbers, and {value!r} is none")
    if not math.isfinite(value) or not low <= value <= high:
        raise ClipError(f"{value!r} is not from {low:g} to {high:g}, as it must be in a clip")
    return value


def music_of_json(data: object) -> Music:
    """Return the music that JSON describes. Raises ClipError for whatever is none, however it was made."""
    if not isinstance(data, Mapping):
        raise ClipError("a clip is an object with notes, steps and tracks")
    tracks, notes = data.get("tracks"), data.get("notes")
    if not isinstance(tracks, list | tuple) or not 0 < len(tracks) <= MOST_TRACKS:
        raise ClipError(f"a clip has 1 to {MOST_TRACKS} tracks")
    if not all(isinstance(name, str) and 0 < len(name) <= 64 for name in tracks):
        raise ClipError("a clip's tracks are names")
    if not isinstance(notes, list | tuple) or len(notes) > MOST_NOTES:
        raise ClipError(f"a clip has at most {MOST_NOTES} notes")
    steps = int(_number(data.get("steps"), 1, MOST_STEPS))
    try:
        metre = parse(str(data.get("metre", "4/4"))[:32]).name
    except ValueError as error:
        raise ClipError(f"a clip's metre: {error}") from error
    read = []
    for note in notes:
        if not isinstance(note, list | tuple) or not 5 <= len(note) <= 6:
            raise ClipError("a clip's note is [step, steps, track, pitch, velocity, offset]")
        begin = int(_number(note[0], 0, steps - 1))
        read.append(
            Note(
                begin,
                int(_number(note[1], 1, steps - begin)),
                int(_number(note[2], 0, len(tracks) - 1)),
                int(_number(note[3], 0, 127)),
                int(_number(note[4], 1, 127)),
                float(_number(note[5], -0.5, 0.5, whole=False)) if len(note) > 5 else 0.0,
            )
        )
    tempo = _number(data.get("bpm", 112.0), SLOWEST_BPM, FASTEST_BPM, whole=False)
    grid = int(_number(data.get("grid", 4), 1, 48))
    return Music(tuple(sorted(read)), steps, tuple(tracks), float(tempo), metre, grid)


def music_of_roll(card: Card, roll: np.ndarray, tempo_bpm: float, metre: Metre | None = None) -> Music:
    """Return the music of notes (steps, S, C) as a step graph gives and takes them."""
    notes = []
    pitches = card.slot_pitches()
    for number, slots in enumerate(card.track_slices().values()):
        for slot in range(slots.start, slots.stop):
            plays = roll[:, slot, PLAY] > 0.5
            begins = np.flatnonzero(plays & ((roll[:, slot, HOLD] < 0.5) | ~np.concatenate(([False], plays[:-1]))))
            for begin in begins.tolist():
                end = begin + 1
                while end < len(roll) and plays[end] and roll[end, slot, HOLD] > 0.5:
                    end += 1
                loud = round(127 * float(roll[begin, slot, VELOCITY])) if roll.shape[2] > VELOCITY else PLAIN
                late = round(float(roll[begin, slot, OFFSET]), 2) if roll.shape[2] > OFFSET else 0.0
                late = min(max(late, -0.5), 0.5) + 0.0  # no -0.0
                notes.append(Note(begin, end - begin, number, int(pitches[slot]), min(max(loud, 1), 127), late))
    names = tuple(track.name for track in card.tracks)
    return Music(tuple(sorted(notes)), len(roll), names, tempo_bpm, (metre or Metre()).name, card.steps_per_beat)


def roll_of_music(card: Card, music: Music) -> np.ndarray:
    """Return a music as float32 (steps, S, C) of a network with these tracks; notes that it has no slot for are left out.

    Raises ClipError where the network's timesteps are of another length.
    """
    if music.steps_per_beat != card.steps_per_beat:
        raise ClipError(f"the clip has {music.steps_per_beat} timesteps in a beat, {card.name} has {card.steps_per_beat}")
    roll = np.zeros((music.steps, card.slots, len(card.channels)), np.float32)
    slices = card.track_slices()
    numbers = {track.name: at for at, track in enumerate(card.tracks)}
    for note in music.notes:
        name = music.tracks[note.track]
        if name not in numbers or note.pitch not in card.tracks[numbers[name]].pitches:
            continue
        slot = slices[name].start + card.tracks[numbers[name]].pitches.index(note.pitch)
        lasts = roll[note.step : note.step + note.steps, slot]
        lasts[:, PLAY] = 1
        lasts[1:, HOLD] = 1
        lasts[0, HOLD] = 0
        if len(card.channels) > VELOCITY:
            lasts[:, VELOCITY] = note.velocity / 127
        if len(card.channels) > OFFSET:
            lasts[0, OFFSET] = note.offset
    return roll


@dataclass(frozen=True, slots=True)
class Clip:
    """A music and where it comes from.

    `conditions`: what it was sampled under, as JSON: its primer's notes, temperature, density, ids of the visitors' drawings
    among its seeds ("drawings": [...]). `parents`: ids of the clips that it was bred from. `network`: file of the one that
    played it. `figures`: what was measured of it, as JSON. `id`: its number in the store, None before it is there.
    """

    music: Music
    arm: str = "first"
    seed: int = 0
    network: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[int, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    id: int | None = None
    generation: int | None = None  # id of the generation that it belongs to
    hidden: bool = False

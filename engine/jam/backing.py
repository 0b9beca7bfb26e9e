"""A backing: parts of a song that are played as they are on some of the network's tracks, which it hears and leaves alone.

Runs on: the caller of the offline render.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from engine.core.contract import HOLD, PLAY, VELOCITY, Card
from engine.core.link import Writer
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.jam.roll import nearest
from engine.transport.timeline import BeatTimeline

STEP = -1  # the timestep its events are of: none of the network's


class BackingNote(NamedTuple):
    """One note; beats are counted from bar 1, `track` is the number of one of the network's, `pitch` one of that track's."""

    begin: float
    end: float
    track: int
    pitch: int
    velocity: int


class Backing:
    """Its tracks are clamped, notes and rests, and its notes go to the audio process as the beat comes to them."""

    def __init__(self, card: Card, notes: Iterable[BackingNote]) -> None:
        ordered = sorted(notes)
        self.tracks = frozenset(note.track for note in ordered)
        self.free = tuple(number for number in range(len(card.tracks)) if number not in self.tracks)
        slices = list(card.track_slices().values())
        self.slots = np.zeros(card.slots, bool)
        for track in self.tracks:
            self.slots[slices[track]] = True
        self._steps: dict[int, list[tuple[int, bool, float]]] = {}  # slot, whether it is held on, velocity 0..1
        for note in ordered:
            slot = slices[note.track].start + card.tracks[note.track].pitches.index(note.pitch)
            first = nearest(note.begin * card.steps_per_beat)
            last = max(nearest(note.end * card.steps_per_beat), first + 1)
            for step in range(first, last):
                self._steps.setdefault(step, []).append((slot, step > first, note.velocity / 127))
        events = [(n.begin, NOTE_ON, n) for n in ordered] + [(n.end, NOTE_OFF, n) for n in ordered]
        self._events = sorted(events, key=lambda event: (event[0], event[1] == NOTE_ON))
        self._next = 0

    def clamp(self, step: int, value: np.ndarray, mask: np.ndarray) -> None:
        """Fill `value` (S, C) and `mask` (S,) for its tracks in timestep `step`."""
        mask[self.slots] = 1
        value[self.slots] = 0
        for slot, held, velocity in self._steps.get(step, ()):
            row = value[slot]
            row[HOLD] = held and not (row[PLAY] and not row[HOLD])  # a new attack outweighs what goes on
            row[PLAY] = 1
            if len(row) > VELOCITY:
                row[VELOCITY] = velocity

    def send(self, notes: Writer, line: BeatTimeline, until_frame: float) -> None:
        """Hand over what begins or ends before a frame."""
        while self._next < len(self._events):
            beat, kind, note = self._events[self._next]
            frame = line.frame_at(beat)
            if not line.playing or frame >= until_frame:
                return
            notes.push((max(math.floor(frame), 0), STEP, kind, note.track, note.pitch, note.velocity, 0.0))
            self._next += 1

"""From the network's choice for a timestep to the events that go out.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.jam.backing import Backing
from engine.jam.roll import Roll
from engine.jam.shape import Shape
from engine.jam.step import Event
from engine.transport.timeline import BeatTimeline


class Score:
    """Reads what was chosen as onsets and ends, stamped with the frames at which they sound."""

    def __init__(self, shape: Shape, roll: Roll, backing: Backing | None = None) -> None:
        card = shape.moment.card
        self._not_ours = frozenset(() if backing is None else np.flatnonzero(backing.slots).tolist())
        self._moment, self._grid, self._roll = shape.moment, shape.grid, roll
        self._track_of = card.slot_tracks().tolist()
        self._pitch_of = card.slot_pitches().tolist()

    def read(self, step: int, timeline: BeatTimeline, frame: float) -> tuple[list[Event], bool]:
        """Return the events of timestep `step`, ends first, and whether the network plays in it or was not free to."""
        moment = self._moment
        notes, clamped = moment.notes, moment.clamped
        at = round(frame)
        ends: list[Event] = []
        begins: list[Event] = []
        ours = (notes[:, PLAY] > 0.5) & (clamped < 0.5)
        held = ours & (notes[:, HOLD] > 0.5)
        plays = bool(ours.any() or clamped.all())
        for slot in self._roll.network_sounding(step):
            if not ours[slot] and slot not in self._not_ours:
                ends.append((at, step, NOTE_OFF, self._track_of[slot], self._pitch_of[slot], 0, 0.0))
        for slot in np.flatnonzero(ours & ~held).tolist():
            begin = round(self._grid.frame_of(timeline, step + late)) if (late := float(moment.late[slot])) else at
            velocity = min(max(round(127 * float(moment.loudness[slot])), 1), 127)
            begins.append((begin, step, NOTE_ON, self._track_of[slot], self._pitch_of[slot], velocity, 0.0))
        return ends + begins, plays

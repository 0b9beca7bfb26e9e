"""From the network's choice for a timestep to the events that go out.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, OFFSET, PLAY, VELOCITY
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.jam.backing import Backing
from engine.jam.roll import Roll
from engine.jam.step import Event
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline


class Score:
    """Reads a runner's outputs as onsets and ends, stamped with the frames at which they sound."""

    def __init__(self, runner: Runner, roll: Roll, backing: Backing | None = None) -> None:
        card = runner.card
        self._not_ours = frozenset(() if backing is None else np.flatnonzero(backing.slots).tolist())
        self._outputs, self._roll = runner.outputs, roll
        self._steps_per_beat = card.steps_per_beat
        self._track_of = card.slot_tracks().tolist()
        self._pitch_of = card.slot_pitches().tolist()
        self._velocity_learned = len(card.channels) > VELOCITY
        self._offset_learned = len(card.channels) > OFFSET

    def read(self, step: int, timeline: BeatTimeline, frame: float, clamped: np.ndarray) -> tuple[list[Event], bool]:
        """Return the events of timestep `step`, ends first, and whether the network plays in it or was not free to.

        `clamped` (S,) is 1 where a note is not the network's own.
        """
        notes, probability = self._outputs["notes"][0], self._outputs["probability"][0]
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
            loudness = notes[slot, VELOCITY] if self._velocity_learned else 0.45 + 0.4 * probability[slot, PLAY]
            begin = at
            if self._offset_learned:
                shift = float(notes[slot, OFFSET]) * timeline.frames_per_beat / self._steps_per_beat
                begin = round(frame + shift)
            velocity = min(max(round(127 * float(loudness)), 1), 127)
            begins.append((begin, step, NOTE_ON, self._track_of[slot], self._pitch_of[slot], velocity, 0.0))
        return ends + begins, plays

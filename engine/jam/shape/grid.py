"""The grid: at which beat each timestep sounds. Straight, or swung: then the second of every two eighths comes late.

Runs on: network process, or the caller of the offline render.

The beats themselves stay where they are, and with them the click, the bar lines and the clock that is sent. What the player
plays is read on the same grid: a note of his on the late eighth belongs to that eighth.
"""

from __future__ import annotations

import math

from engine.core.parameters import Live, Parameter, choice
from engine.transport.timeline import BeatTimeline

LATEST = 0.25  # of the two eighths' length, by which the second is late at a swing of 1
PAIRS = ("eighths", "sixteenths")


DOC = "How late every second eighth comes; two thirds as in triplets, at most as after a dotted note"
PARAMETERS = (
    Parameter("swing", 0, 1, 0, DOC),
    choice("swung", PAIRS, "eighths", "Which notes swing; in metres that count eighths always the sixteenths"),
)


class Grid:
    """For each timestep `begin`; swing changes where a beat begins, never within one."""

    def __init__(self, live: Live, steps_per_beat: int) -> None:
        self._live, self._steps_per_beat = live, steps_per_beat
        self._second = 0.5  # where in its pair the second one is
        self._pair = 1.0  # beats

    def begin(self, step: int, timeline: BeatTimeline) -> None:
        """Timestep `step` is next."""
        if step % self._steps_per_beat:
            return
        self._second = 0.5 + LATEST * self._live.get("swing")
        fine = timeline.denominator > 4 or self._live.get("swung") > 0
        self._pair = 0.5 if fine else 1.0

    def frame_of(self, timeline: BeatTimeline, position: float) -> float:
        """Frame at which a position, in timesteps, sounds; infinity while the beat stands."""
        return timeline.frame_at(self._bent(position / self._steps_per_beat, 0.5, self._second))

    def position_at(self, timeline: BeatTimeline, frame: float) -> float:
        """The position, in timesteps, that sounds at a frame."""
        return self._bent(timeline.beat_at(frame), self._second, 0.5) * self._steps_per_beat

    def _bent(self, beat: float, second: float, to: float) -> float:
        """Move what is at `second` of each pair to `to`, and what is between in proportion."""
        if second == to:
            return beat
        pair = math.floor(beat / self._pair)
        within = beat / self._pair - pair
        moved = within * to / second if within < second else to + (within - second) * (1 - to) / (1 - second)
        return (pair + moved) * self._pair

"""One timestep of the network: chosen, sent, chosen again and replaced, and published or withdrawn.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.core.link import Writer
from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PLAYER, WITHDRAWN
from engine.transport.timeline import BeatTimeline

Event = tuple[int, int, int, int, int, int, float]  # a record of the `notes` ring, in field order
Identity = tuple[int, int, int, int]  # what the audio process knows an event by: step, kind, track, pitch

STALE = -1  # version of the parameters that none has


class Step:
    """What was chosen for one timestep, what of it the audio process has, and what was heard since.

    `choose` takes a choice; `holds` says whether another is needed; `send` hands it over and replaces the one before.
    """

    __slots__ = ("_doubtful", "_sent", "_version", "events", "frame", "is_sent", "is_written", "number", "plays", "timeline")

    def __init__(self, number: int) -> None:
        self.number = number
        self.timeline: BeatTimeline | None = None  # the line it was chosen on; none before it is
        self.frame = 0.0  # at which it sounds
        self.events: Sequence[Event] = ()
        self.plays = True  # whether the network has notes in it, or all of it is clamped
        self.is_sent = False  # a choice for it was handed over in time
        self.is_written = False  # its record holds the choice that was sent
        self._sent: dict[Identity, tuple[Event, int]] = {}  # as chosen, and the frame each was sent for
        self._version = STALE  # of the parameters it was chosen with
        self._doubtful = False

    def choose(self, timeline: BeatTimeline, frame: float, events: Sequence[Event], plays: bool, version: int) -> None:
        """Take what the network chose with this version of the parameters."""
        self.timeline, self.frame, self.events, self.plays = timeline, frame, events, plays
        self._version = version
        self._doubtful = False

    def hear(self, player: bool) -> None:
        """Something was heard: a sound of the player's makes the choice stale, one of the network's own makes it doubtful."""
        if player:
            self._version = STALE
        else:
            self._doubtful = True

    def holds(self, number: int, timeline: BeatTimeline, version: int) -> bool:
        """Whether it is this timestep, chosen on this line with these parameters, and nothing new was heard of the player."""
        return self.number == number and self.timeline == timeline and self._version == version

    @property
    def is_doubtful(self) -> bool:
        """Whether the network's own notes may have turned out other than it was told: an onset that was early, an end."""
        return self._doubtful

    def confirm(self) -> None:
        """What was heard is what the network was told already."""
        self._doubtful = False

    def send(self, notes: Writer, earliest_frame: float) -> None:
        """Hand the choice to the audio process; what was to sound before `earliest_frame` sounds there.

        What an earlier choice sent stays where it is the same, and where it sounds before `earliest_frame`; the rest of it is
        replaced or withdrawn.
        """
        earliest = math.ceil(earliest_frame)
        before, now = self._sent, dict[Identity, tuple[Event, int]]()
        for event in self.events:
            identity = event[1:5]
            sent = before.get(identity)
            if sent is None or (sent[0] != event and sent[1] >= earliest):
                sent = (event, max(event[0], earliest))
                notes.push((sent[1], *event[1:]))
            now[identity] = sent
        for identity, sent in before.items():
            if identity in now:
                continue
            if sent[1] < earliest:  # it sounds; when it ends is for the next step to choose
                now[identity] = sent
            else:
                notes.push(_withdrawn(identity, sent[1]))
        self._sent, self.is_sent = now, True
        self.is_written = False

    def correct(self, events: Sequence[Event], notes: Writer, earliest_frame: float) -> None:
        """Replace the choice by another when it sounds already: what began and is not wanted ends as soon as it can."""
        earliest = math.ceil(earliest_frame)
        wanted = {event[1:5] for event in events}
        ends = [
            (earliest, step, NOTE_OFF, track, pitch, 0, 0.0)
            for (step, kind, track, pitch), (_, frame) in self._sent.items()
            if kind == NOTE_ON and (step, kind, track, pitch) not in wanted and frame < earliest
        ]
        self.events = [*events, *ends]
        self.send(notes, earliest_frame)

    def has_ended(self, track: int, pitch: int) -> bool:
        """Whether a note that went on until this step was ended by it."""
        return (self.number, NOTE_OFF, track, pitch) in self._sent

    def withdraw(self, notes: Writer, earliest_frame: float) -> None:
        """Take back what was sent and does not sound before `earliest_frame`."""
        for identity, (_, frame) in self._sent.items():
            if frame >= earliest_frame:
                notes.push(_withdrawn(identity, frame))
        self.forget_sent()

    def forget_sent(self, track: int = PLAYER) -> None:
        """The audio process has nothing of it, or of one of its tracks, any more: it was withdrawn, or released."""
        if track != PLAYER:
            self._sent = {identity: sent for identity, sent in self._sent.items() if identity[2] != track}
            return
        self._sent.clear()
        self.is_sent = self.is_written = False


def _withdrawn(identity: Identity, frame: int) -> Event:
    step, kind, track, pitch = identity
    return (frame, step, WITHDRAWN, track, pitch, kind, 0.0)


def all_off(frame: int, track: int = PLAYER) -> Event:
    """Release every note of the network (PLAYER), or of one of its tracks, at `frame` and drop what was to come."""
    return (frame, -1, ALL_OFF, track, 0, 0, 0.0)

"""The notes to come: events of the ring `notes`, kept until their frame.

Runs on: audio process (audio callback; the thread of the MIDI output has its own).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple

from engine.core.messages import ALL_OFF, NOTE_ON, PLAYER, WITHDRAWN


class Event(NamedTuple):
    """One EVENT record, in the order of its fields."""

    frame: int
    step: int
    kind: int
    track: int
    pitch: int
    velocity: int
    bend: float

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What it is known by: no timestep has two alike."""
        return (self.step, self.kind, self.track, self.pitch)

    def concerns(self, track: int) -> bool:
        """Whether an ALL_OFF for this track (PLAYER: all the network's tracks) drops this event."""
        return track in (PLAYER, self.track)


class Schedule:
    """Events ordered by frame; of one frame, in the order they came.

    A timestep has at most one event of a kind for a track and pitch: what comes again replaces what waits.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Event]] = []
        self._count = 0
        self._valid: dict[tuple[int, int, int, int], int] = {}  # of a timestep's events: the one that holds, by its count

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, event: Event) -> None:
        """Keep an event until its frame, or drop what waits and is WITHDRAWN.

        ALL_OFF at once drops what came before it and is due at or after its frame.
        """
        if event.kind == WITHDRAWN:
            self._valid.pop((event.step, event.velocity, event.track, event.pitch), None)
            return
        if event.kind == ALL_OFF:
            self._heap = [e for e in self._heap if e[0] < event.frame or not e[2].concerns(event.track)]
            heapify(self._heap)
            self._valid = {e.identity: count for _, count, e in self._heap if self._valid.get(e.identity) == count}
        elif event.step >= 0:
            self._valid[event.identity] = self._count
        heappush(self._heap, (event.frame, self._count, event))
        self._count += 1

    def due(self, end_frame: float) -> list[Event]:
        """Return and forget the events before `end_frame`."""
        events = []
        while self._heap and self._heap[0][0] < end_frame:
            _, count, event = heappop(self._heap)
            if event.step >= 0 and event.kind != ALL_OFF:
                if self._valid.get(event.identity) != count:  # replaced or withdrawn
                    continue
                del self._valid[event.identity]
            events.append(event)
        return events

    @property
    def next_frame(self) -> int | None:
        """Frame of the earliest event, None when there is none."""
        return self._heap[0][0] if self._heap else None

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._valid.clear()


def is_late(event: Event, frame: int) -> bool:
    """Whether an event came too late to be begun: its block, before `frame`, has been rendered.

    A note out of time is worse than none; an end is never too late.
    """
    return event.frame < frame and event.kind == NOTE_ON

"""What the audio process and a host process hand each other in every block: sound, events, where the music is.

Runs on: audio process (its half is what goes in), host process (its half is what comes out). All of it lies in the run's shared
segment, which neither of them owns; a few bytes over a socket say that a half is ready, and where one need not wait for it a
number in the memory does.
"""

from __future__ import annotations

import struct

import numpy as np

from engine.core.messages import BLOCK
from engine.host.plugin import CHANNELS, EVENT, Event, Moment

SLOTS = 16  # plugins that one host process can have
MOST_EVENTS = 256  # of one plugin in one block; more wait for the next
NOBODY = 255  # in `at_work` and `served`
_MOMENT = struct.Struct("<qBxxxdddiii")
_SOUND = SLOTS * CHANNELS * BLOCK * 4
_EVENTS = SLOTS * MOST_EVENTS * EVENT.itemsize
# Places in the memory, each on a cache line of its own.
_AT_MOMENT, _AT_COUNTS, _AT_WORK, _AT_SERVED, _AT_ANSWERED = 0, 128, 256, 320, 384
_AT_IN = 512
_AT_SIDE = _AT_IN + _SOUND
_AT_OUT = _AT_SIDE + _SOUND
_AT_EVENTS = _AT_OUT + _SOUND
SIZE = _AT_EVENTS + _EVENTS


class Exchange:
    """The memory that is shared with one host process; arrays are views of it."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: SIZE bytes, zeros before anyone has written to them."""
        self._moment = memory[_AT_MOMENT : _AT_MOMENT + _MOMENT.size]
        self._counts = memory[_AT_COUNTS : _AT_COUNTS + 2 * SLOTS].cast("H")  # events of each slot in this block
        self._at_work = memory[_AT_WORK : _AT_WORK + 1]
        self._served = memory[_AT_SERVED : _AT_SERVED + 1]
        self._answered = memory[_AT_ANSWERED : _AT_ANSWERED + 8].cast("Q")
        shape = (SLOTS, CHANNELS, BLOCK)
        size = SLOTS * CHANNELS * BLOCK
        self.inputs = np.frombuffer(memory, np.float32, size, _AT_IN).reshape(shape)
        self.side = np.frombuffer(memory, np.float32, size, _AT_SIDE).reshape(shape)
        self.out = np.frombuffer(memory, np.float32, size, _AT_OUT).reshape(shape)
        self._events = np.frombuffer(memory, EVENT, SLOTS * MOST_EVENTS, _AT_EVENTS).reshape(SLOTS, MOST_EVENTS)

    def tell(self, at: Moment) -> None:
        """Write where the music is at the first frame of the block."""
        _MOMENT.pack_into(
            self._moment, 0, at.frame, at.is_playing, at.tempo_bpm, at.beat, at.bar_beat, at.bar, at.numerator, at.denominator
        )

    def moment(self, at: Moment) -> None:
        """Read it into `at`."""
        at.frame, playing, at.tempo_bpm, at.beat, at.bar_beat, at.bar, at.numerator, at.denominator = _MOMENT.unpack_from(
            self._moment
        )
        at.is_playing = bool(playing)

    def put(self, slot: int, events: list[Event]) -> None:
        """Write the events of a slot for this block, in order of their offsets; no more than MOST_EVENTS."""
        if events:
            self._events[slot, : len(events)] = events
        self._counts[slot] = len(events)

    def take(self, slot: int) -> list[Event]:
        """Read them."""
        count = self._counts[slot]
        found: list[Event] = self._events[slot, :count].tolist() if count else []
        return found

    @property
    def at_work(self) -> int:
        """The slot that is being processed now, or was when the process died; NOBODY between two blocks."""
        return self._at_work[0]

    @at_work.setter
    def at_work(self, slot: int) -> None:
        self._at_work[0] = slot

    @property
    def served(self) -> int:
        """The slot that the host's main thread loads, or does something for; NOBODY while it waits."""
        return self._served[0]

    @served.setter
    def served(self, slot: int) -> None:
        self._served[0] = slot

    @property
    def answered(self) -> int:
        """Number of the block that was processed last."""
        return self._answered[0]

    @answered.setter
    def answered(self, number: int) -> None:
        self._answered[0] = number

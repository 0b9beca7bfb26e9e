"""The MIDI output: the network's notes leave at the moment they sound.

Runs on: audio process, a thread of its own that sleeps until the next note is due. The audio callback only fills its queue.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue

import numpy as np

from engine.core.contract import Card
from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PLAYER, WITHDRAWN
from engine.core.realtime import SOUND, be_urgent
from engine.midi.message import NOTES_OFF
from engine.midi.schedule import Event, Schedule
from engine.transport.sample_clock import SampleClock

AT_ONCE = -(1 << 40)  # `frame` of what is not to wait until it would be heard
DRUMS = 9  # General MIDI's channel for drums, counted from 0


class MidiOutput:
    """Keeps the network's notes until the host time at which their frame is heard, and sends them."""

    def __init__(
        self,
        card: Card,
        clock: Callable[[], np.void | None],
        send: Callable[[Sequence[int]], None],
        latency_ms: float = 0.0,
        now: Callable[[], int] = time.perf_counter_ns,
        channels: Mapping[str, int] | None = None,
        thru: int = 0,
    ) -> None:
        """`clock` returns the latest CLOCK record. `latency_ms`: so much earlier the notes leave. `channels`, 1..16: of tracks
        that are not on the one that General MIDI gives them; `thru`: on which the player's own notes go out, 0: they do not."""
        self._channels = channels_of(card, channels or {})
        if thru:
            self._channels[PLAYER] = thru - 1
        self._clock = clock
        self._send = send
        self._latency_ns = latency_ms * 1e6
        self._now = now
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._schedule = Schedule()
        self._sounding: dict[tuple[int, int], int] = {}  # (track, pitch) -> its timestep

    def put(self, event: Event) -> None:
        """Take an event of the network. Any thread."""
        self._queue.put(event)

    def stop(self) -> None:
        """Have `run` end every note, forget those to come and return. Any thread, as often as it likes."""
        self._queue.put(None)

    def run(self) -> None:
        """Send what is due, until told to stop; whatever ends it, no note is left sounding."""
        be_urgent(SOUND)
        wait_s: float | None = None
        try:
            while True:
                try:
                    event = self._queue.get(timeout=wait_s)
                    if event is None:
                        return
                    self.take(event)
                except Empty:
                    pass
                wait_s = self.send_due()
        finally:
            self._schedule.clear()
            self._end(PLAYER)

    def take(self, event: Event) -> None:
        """Keep an event until it is to leave.

        To an instrument that takes long, a note may have left already: if it is withdrawn it is ended, if it comes again it is
        not struck again.
        """
        if event.kind == WITHDRAWN and event.velocity == NOTE_ON:
            if self._sounding.get((event.track, event.pitch)) == event.step:
                self._stop(event.track, event.pitch)
        elif event.kind == NOTE_ON and 0 <= event.step == self._sounding.get((event.track, event.pitch)):
            return
        self._schedule.put(event)

    def send_due(self) -> float | None:
        """Send what is due now; return the seconds until something else will be, None when nothing is known."""
        if self._schedule.next_frame is None:
            return None
        record = self._clock()
        if record is None:  # the device has not begun yet
            return 0.01
        clock = SampleClock.of(record)
        # MidiMessage so long after it was rendered; the instrument's own delay is subtracted.
        shift_ns = float(record["latency_frames"]) * clock.ns_per_frame - self._latency_ns
        now_ns = self._now()
        for event in self._schedule.due(math.floor(clock.frame_at(now_ns - shift_ns)) + 1):
            self._leave(event)
        following = self._schedule.next_frame
        return None if following is None else max(0.0, (clock.time_at(following) + shift_ns - now_ns) * 1e-9)

    def _leave(self, event: Event) -> None:
        if event.kind == ALL_OFF:
            self._end(event.track)
        elif event.kind in (NOTE_ON, NOTE_OFF) and event.track in self._channels:
            self._stop(event.track, event.pitch)
            if event.kind == NOTE_ON:
                self._sounding[event.track, event.pitch] = event.step
                self._send((0x90 | self._channels[event.track], event.pitch, event.velocity))

    def _stop(self, track: int, pitch: int) -> None:
        if self._sounding.pop((track, pitch), None) is not None:
            self._send((0x80 | self._channels[track], pitch, 0))

    def _end(self, of: int) -> None:
        """End the notes of a track; of all, with a word to receivers that lost count, when it is PLAYER."""
        for track, pitch in sorted(self._sounding):
            if of in (track, PLAYER):
                self._stop(track, pitch)
        if of == PLAYER:
            for channel in sorted(set(self._channels.values())):
                self._send((0xB0 | channel, NOTES_OFF, 0))


def channels_of(card: Card, given: Mapping[str, int]) -> dict[int, int]:
    """Return the MIDI channel of each track, from 0: the given one (1..16), or drums on General MIDI's and the others in order
    on the rest."""
    others = [channel for channel in range(16) if channel != DRUMS]
    found: dict[int, int] = {}
    melodic = 0
    for number, track in enumerate(card.tracks):
        found[number] = DRUMS if track.kind == "drums" else others[melodic % len(others)]
        melodic += track.kind != "drums"
        found[number] = given.get(track.name, found[number] + 1) - 1
    return found

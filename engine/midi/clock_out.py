"""MIDI clock out: 24 ticks to a quarter note, start, stop, continue and song position, at the moment they are heard.

Runs on: clock process. Nothing else does: beside busy Python a tick would be milliseconds late.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from engine.core.link import Reader
from engine.transport.midi_clock import CONTINUE, PER_BEAT, POSITION, START, STOP, TICK
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import CLOSE, BeatTimeline

MOST_POSITION = 0x3FFF  # sixteenths that a song position can tell
LOOK_S = 0.005  # how often the beat timeline is looked at
FAR_S = 0.5  # a tick that is further behind than this is of a time that nobody heard: the count goes on from now


class ClockOut:
    """Turns the beat timeline into messages. Ticks are counted over beats that were played: none is lost or doubled."""

    def __init__(self, send: Callable[[Sequence[int]], object]) -> None:
        self._send = send
        self._line: BeatTimeline | None = None
        self._tick = 0  # that is sent next
        self._starts: dict[int, Sequence[Sequence[int]]] = {}  # tick -> what is sent before it
        self._goes = False  # whether the receivers were told to play

    def take(self, line: BeatTimeline) -> None:
        """Take the line that was published next."""
        before, self._line = self._line, line
        if not line.playing:
            if self._goes or self._starts:
                self._send((STOP,))
            self._goes = False
            self._starts.clear()
            return
        if before is None or not before.playing:
            self._tick = math.ceil((line.beat - line.left_out) * PER_BEAT - CLOSE)
            at = self._tick_of(line.began)
            self._starts[at] = [(START,)] if line.place(line.began) < CLOSE else self._from(line.place(line.began))
        elif line.bar_beat != before.bar_beat and line.bar == 1 and line.bar_beat > line.beat - CLOSE:
            self._starts[self._tick_of(line.bar_beat)] = [(START,)]  # bar 1 begins anew

    def _tick_of(self, beat: float) -> int:
        assert self._line is not None
        return round((beat - self._line.left_out) * PER_BEAT)

    @staticmethod
    def _from(beats: float) -> list[Sequence[int]]:
        """What lets a receiver go on at a place, counted in beats from bar 1."""
        sixteenths = min(max(round(4 * beats), 0), MOST_POSITION)
        return [(POSITION, sixteenths & 127, sixteenths >> 7), (CONTINUE,)]

    @property
    def frame(self) -> float:
        """Frame of the next tick; infinity while the beat stands."""
        line = self._line
        return math.inf if line is None else line.frame_at(self._tick / PER_BEAT + line.left_out)

    def catch_up(self, frame: float) -> None:
        """Leave out what nobody heard, where this frame is far ahead: a machine that slept."""
        line = self._line
        if line is not None and line.playing and self.frame < frame:
            self._tick = math.ceil((line.beat_at(frame) - line.left_out) * PER_BEAT)

    def tick(self) -> None:
        """Send the tick that is due, and what belongs before it."""
        due = [at for at in self._starts if at <= self._tick]
        for at in sorted(due):
            for message in self._starts.pop(at):
                self._send(message)
            self._goes = True
        self._send((TICK,))
        self._tick += 1

    def end(self) -> None:
        """Tell the receivers that it is over."""
        if self._goes:
            self._send((STOP,))
            self._goes = False


def run(
    clock: ClockOut,
    lines: Reader,
    sample_clock: Callable[[], np.void | None],
    offset_ms: float,
    is_over: Callable[[float], bool],
    now: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send until `is_over(seconds)`, which is asked while nothing is due. `offset_ms`: so much later the clock leaves."""
    for record in lines.read():
        clock.take(BeatTimeline.of(record))
    while True:
        record = sample_clock()
        if record is None:
            if is_over(LOOK_S):
                return
            continue
        line = SampleClock.of(record)
        shift_ns = float(record["latency_frames"]) * line.ns_per_frame + offset_ms * 1e6
        for published in lines.read():
            clock.take(BeatTimeline.of(published))
        due_ns = math.inf if math.isinf(clock.frame) else line.time_at(clock.frame) + shift_ns
        wait_s = (due_ns - now()) * 1e-9
        if wait_s < -FAR_S:
            clock.catch_up(line.frame_at(now() - shift_ns))
        elif wait_s > LOOK_S:
            if is_over(LOOK_S / 2):
                return
        else:
            if wait_s > 0:
                sleep(wait_s)
            clock.tick()

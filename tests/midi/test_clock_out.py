"""MIDI clock out: ticks are neither lost nor doubled, whatever the beat does; start, stop and position where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.link import Layout, Link
from engine.core.messages import CLOCK
from engine.core.midi import Midi, MidiClock
from engine.midi.clock_out import ClockOut, run
from engine.midi.clock_process import _by_offset
from engine.transport.midi_clock import CONTINUE, PER_BEAT, POSITION, START, STOP, TICK
from engine.transport.timeline import BeatTimeline
from tests.audio.conftest import card

RATE = 48000.0


class Receiver:
    """What a sequencer makes of a clock: where it is, counted in ticks from its song's beginning."""

    def __init__(self) -> None:
        self.sent: list[Sequence[int]] = []
        self.plays = False
        self.place = 0
        self._next = 0

    def take(self, message: Sequence[int]) -> None:
        """Hear a message as the standard has it: the first tick after a start is the song's first."""
        self.sent.append(message)
        if message[0] == START:
            self.plays, self._next = True, 0
        elif message[0] == POSITION:
            assert not self.plays, "a position is for one that stands"
            self._next = 6 * (message[1] + 128 * message[2])
        elif message[0] == CONTINUE:
            self.plays = True
        elif message[0] == STOP:
            self.plays = False
        elif message[0] == TICK and self.plays:
            self.place = self._next
            self._next += 1


def line(**changes: float) -> BeatTimeline:
    """A line that begins with a bar of count-in at frame 0."""
    return BeatTimeline(**{"frame": 0.0, "beat": -4.0, "tempo_bpm": 120.0, "rate_hz": RATE, "began": 0.0, **changes})  # type: ignore[arg-type]


def play(clock: ClockOut, until: float) -> list[float]:
    """Send every tick that is due before a frame; return the frames of those."""
    frames = []
    while clock.frame < until:
        frames.append(clock.frame)
        clock.tick()
    return frames


def test_a_count_in_has_ticks_and_the_song_begins_with_bar_1():
    receiver = Receiver()
    clock = ClockOut(receiver.take)
    clock.take(line())
    frames = play(clock, 4 * 24000 - 1)
    assert len(frames) == 4 * PER_BEAT
    assert np.diff(frames) == pytest.approx(1000.0)
    assert {message[0] for message in receiver.sent} == {TICK}, "it does not play yet"
    play(clock, 4 * 24000 + 1)
    assert [message[0] for message in receiver.sent[-2:]] == [START, TICK]
    play(clock, 12 * 24000 + 1)
    assert receiver.place == 8 * PER_BEAT


def test_stop_and_continue_go_on_at_the_place():
    receiver = Receiver()
    clock = ClockOut(receiver.take)
    clock.take(line(beat=0.0))
    play(clock, 3.5 * 24000 + 1)
    clock.take(line(frame=84000.0, beat=3.5, playing=False))
    assert receiver.sent[-1] == (STOP,)
    assert clock.frame == float("inf")
    clock.take(line(frame=200000.0, beat=3.5, began=3.5))
    play(clock, 200001)
    assert [message[0] for message in receiver.sent[-3:]] == [POSITION, CONTINUE, TICK]
    assert receiver.place == round(3.5 * PER_BEAT)


def test_bar_1_anew_starts_the_song_anew():
    receiver = Receiver()
    clock = ClockOut(receiver.take)
    first = line(beat=0.0)
    clock.take(first)
    play(clock, 5.2 * 24000)
    here = first.beat_at(5.2 * 24000)
    clock.take(replace(first, frame=5.2 * 24000, beat=here + 2, left_out=2.0, bar_beat=8.0, bar=1))  # as a rewind does
    frames = play(clock, 6 * 24000 + 1)
    assert np.diff(frames) == pytest.approx(1000.0)
    assert [message[0] for message in receiver.sent[-2:]] == [START, TICK]
    assert receiver.place == 0


def test_a_machine_that_slept_counts_on_from_now():
    receiver = Receiver()
    clock = ClockOut(receiver.take)
    clock.take(line(beat=0.0))
    play(clock, 24000)
    clock.catch_up(20 * 24000)
    assert clock.frame == pytest.approx(20 * 24000)


@given(st.lists(st.tuples(st.floats(20, 400), st.integers(1, 40)), min_size=1, max_size=12))
def test_no_tick_is_lost_or_doubled_while_the_tempo_changes(changes: list[tuple[float, int]]):
    receiver = Receiver()
    clock = ClockOut(receiver.take)
    current = line(beat=0.0)
    clock.take(current)
    sixteenth = 0
    for tempo, length in changes:
        sixteenth += length
        end = current.frame_at(sixteenth / 4)
        play(clock, end)
        current = current.with_tempo(tempo, sixteenth / 4)
        clock.take(current)
    play(clock, current.frame + 1e-3)
    assert receiver.place == 6 * sixteenth
    assert sum(message[0] == TICK for message in receiver.sent) == 6 * sixteenth + 1


def test_ticks_leave_when_they_are_heard():
    link = Link.private(Layout.of(card(), 4))
    record = np.zeros(1, CLOCK)[0]
    record["ns_per_frame"], record["rate_hz"], record["latency_frames"] = 1e9 / RATE, RATE, 480
    link.writer("clock").push(record)
    link.writer("timeline").push(line(beat=0.0).record())
    now, sent = [0], []

    def sleep(seconds: float) -> None:
        now[0] += round(seconds * 1e9)

    def is_over(seconds: float) -> bool:
        sleep(seconds)
        return now[0] > 1e9

    clock = ClockOut(lambda message: sent.append((now[0], message)))
    run(clock, link["timeline"].reader(0), link["clock"].latest, 3.0, is_over, lambda: now[0], sleep)
    ticks = [at for at, message in sent if message == (TICK,)]
    assert ticks[0] == pytest.approx(13e6, abs=1e3), "10 ms of the device and 3 of its own"
    assert np.diff(ticks) == pytest.approx(1e9 / 48, abs=1e3)


def test_ports_are_put_together_by_their_offsets():
    clock = MidiClock(outputs=("virtual", "TR-8", 2), offset_ms=1.0, offsets={"TR-8": -3.0})
    assert _by_offset(Midi(clock=clock)) == [(1.0, ["virtual", 2]), (-3.0, ["TR-8"])]
    measured = {"TR-8:MIDI 1": 1.5}
    assert _by_offset(Midi(clock=clock, latencies=measured)) == [(1.0, ["virtual", 2]), (-4.5, ["TR-8"])]

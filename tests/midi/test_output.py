"""The MIDI output, on a virtual clock."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.messages import ALL_OFF, CLOCK, NOTE_OFF, NOTE_ON, PLAYER, WITHDRAWN
from engine.midi.message import NOTES_OFF
from engine.midi.output import AT_ONCE, MidiOutput, channels_of
from engine.midi.ports import Outputs
from engine.midi.schedule import Event
from tests.audio.conftest import RATE, card
from tests.midi.test_ports import FakeMidi

MS = 1_000_000
NS_PER_FRAME = 1e9 / RATE


class Stand:
    """An outlet whose time only goes when told to."""

    def __init__(self, latency_ms: float = 0.0, device_frames: int = 0) -> None:
        self.now_ns = 0
        self.sent: list[tuple[float, tuple[int, ...]]] = []
        record = np.zeros((), CLOCK)
        record["ns_per_frame"] = NS_PER_FRAME
        record["latency_frames"] = device_frames
        self.clock: np.void | None = record[()]
        self.outlet = MidiOutput(card(), lambda: self.clock, self._send, latency_ms, lambda: self.now_ns)

    def _send(self, message: tuple[int, ...]) -> None:
        self.sent.append((self.now_ns / MS, tuple(message)))

    def put(self, ms: float, kind: int, track: int = 1, pitch: int = 60, velocity: int = 100, step: int | None = None) -> None:
        step = round(ms) if step is None else step
        self.outlet.take(Event(round(ms * MS / NS_PER_FRAME), step, kind, track, pitch, velocity, 0.0))

    def play(self, until_ms: float) -> list[tuple[float, tuple[int, ...]]]:
        """Go from due time to due time; return what was sent and when."""
        while (wait_s := self.outlet.send_due()) is not None and self.now_ns / MS + wait_s * 1e3 <= until_ms:
            self.now_ns += max(round(wait_s * 1e9), 1)
        self.now_ns = round(until_ms * MS)
        sent, self.sent = self.sent, []
        return sent


@pytest.mark.parametrize(
    ("latency_ms", "device_frames", "expected_ms"), [(0, 0, 100), (30, 0, 70), (-30, 0, 130), (0, 480, 110), (500, 0, 0)]
)
def test_a_note_leaves_when_it_is_heard_less_the_instruments_own_delay(
    latency_ms: float, device_frames: int, expected_ms: float
) -> None:
    stand = Stand(latency_ms, device_frames)
    stand.put(100, NOTE_ON)
    ((ms, message),) = stand.play(1000)
    assert ms == pytest.approx(expected_ms, abs=0.05)
    assert message == (0x90, 60, 100)


def test_it_never_leaves_early() -> None:
    stand = Stand()
    stand.put(100, NOTE_ON)
    stand.now_ns = int(99.9 * MS)
    wait_s = stand.outlet.send_due()
    assert not stand.sent
    assert wait_s == pytest.approx(1e-4, rel=0.05)


def test_drums_go_to_channel_ten_and_the_others_in_order() -> None:
    stand = Stand()
    for track in range(3):
        stand.put(1, NOTE_ON, track)
    assert [message[0] for _, message in stand.play(10)] == [0x99, 0x90, 0x91]


def test_all_off_ends_what_sounds_and_drops_what_was_to_come() -> None:
    stand = Stand()
    stand.put(10, NOTE_ON)
    stand.put(10, NOTE_ON, track=2)
    stand.put(50, NOTE_ON, pitch=64)
    stand.play(20)
    stand.put(30, ALL_OFF)
    assert stand.play(100) == [(pytest.approx(30, abs=0.05), (0x80, 60, 0))]
    stand.put(110, ALL_OFF, track=PLAYER)
    messages = [message for _, message in stand.play(200)]
    assert messages == [(0x81, 60, 0)] + [(0xB0 | c, NOTES_OFF, 0) for c in (0, 1, 9)]


def test_a_note_struck_again_is_ended_first_and_an_end_without_a_beginning_is_not_sent() -> None:
    stand = Stand()
    stand.put(5, NOTE_OFF)
    stand.put(10, NOTE_ON)
    stand.put(20, NOTE_ON)
    assert [message[0] for _, message in stand.play(100)] == [0x90, 0x80, 0x90]


def test_what_is_withdrawn_before_it_left_never_leaves() -> None:
    stand = Stand()
    stand.put(10, NOTE_ON, step=1)
    stand.put(10, WITHDRAWN, velocity=NOTE_ON, step=1)
    assert not stand.play(100)


def test_an_instrument_that_takes_long_has_a_withdrawn_note_already_and_it_is_ended() -> None:
    stand = Stand(latency_ms=30)
    stand.put(100, NOTE_ON, step=7)
    assert [ms for ms, _ in stand.play(80)] == [pytest.approx(70, abs=0.05)]
    stand.put(100, WITHDRAWN, velocity=NOTE_ON, step=7)
    assert stand.play(200) == [(80, (0x80, 60, 0))]


def test_what_left_already_and_comes_again_is_not_struck_again() -> None:
    stand = Stand(latency_ms=30)
    stand.put(100, NOTE_ON, step=7)
    stand.play(80)
    stand.put(100, NOTE_ON, step=7, velocity=90)
    assert not stand.play(200)
    stand.put(250, NOTE_OFF, step=8)
    assert [message for _, message in stand.play(300)] == [(0x80, 60, 0)]


def test_stopping_ends_every_note() -> None:
    stand = Stand()
    stand.put(10, NOTE_ON)
    stand.play(20)
    stand.outlet.stop()
    stand.outlet.run()
    assert stand.sent[0][1] == (0x80, 60, 0)


ALL_ENDED = [(0xB0, NOTES_OFF, 0), (0xB1, NOTES_OFF, 0), (0xB9, NOTES_OFF, 0)]  # bass, lead, drums


@pytest.mark.parametrize("asked", [1, 2, 5])
def test_however_often_it_is_stopped_nothing_sounds_and_nothing_follows(asked: int) -> None:
    stand = Stand()
    for track, pitch in ((0, 36), (1, 40), (2, 72)):
        stand.put(10, NOTE_ON, track, pitch)
    stand.play(20)
    stand.put(30, NOTE_ON, 2, 74)  # taken, not due yet
    stand.outlet.put(Event(0, 5, NOTE_ON, 1, 43, 100, 0.0))  # not taken yet
    for _ in range(asked):
        stand.outlet.stop()
    stand.outlet.put(Event(0, 6, NOTE_ON, 1, 45, 100, 0.0))  # too late
    stand.outlet.run()
    messages = [message for _, message in stand.sent]
    begun = [(m[0] & 0xF, m[1]) for m in messages if m[0] & 0xF0 == 0x90]
    ended = [(m[0] & 0xF, m[1]) for m in messages if m[0] & 0xF0 == 0x80]
    assert sorted(ended) == sorted([(9, 36), (0, 40), (1, 72), *begun])
    assert (0, 45) not in begun
    assert messages[-3:] == ALL_ENDED
    stand.now_ns = 1000 * MS
    assert stand.outlet.send_due() is None  # what was to come is forgotten
    assert len(stand.sent) == len(messages)


def test_a_port_that_is_gone_keeps_no_other_from_its_ends() -> None:
    midi = FakeMidi("Synth 20:0", "Sampler 24:0")
    outputs = Outputs(("synth", "sampler"), midi.make, lambda _level, _text: None)
    outputs.open()
    sampler = midi.port("Sampler 24:0")
    sampler.sent.clear()
    stand = Stand()
    outlet = MidiOutput(card(), lambda: stand.clock, outputs.send, 0.0, lambda: stand.now_ns)
    outlet.take(Event(0, 1, NOTE_ON, 1, 60, 100, 0.0))
    outlet.send_due()
    midi.present = ["Sampler 24:0"]
    outlet.stop()
    outlet.run()
    assert sampler.sent == [(0x90, 60, 100), (0x80, 60, 0), *ALL_ENDED]


def test_if_it_breaks_it_ends_its_notes_first() -> None:
    stand = Stand()
    stand.put(10, NOTE_ON)
    stand.play(20)

    def broken() -> np.void | None:
        raise RuntimeError("no clock")

    stand.outlet._clock = broken
    stand.outlet.put(Event(0, 5, NOTE_ON, 1, 43, 100, 0.0))
    with pytest.raises(RuntimeError):
        stand.outlet.run()
    assert [message for _, message in stand.sent] == [(0x80, 60, 0), *ALL_ENDED]


def test_before_the_device_has_begun_it_waits() -> None:
    stand = Stand()
    stand.clock = None
    stand.put(10, NOTE_ON)
    assert stand.outlet.send_due() == 0.01
    assert not stand.sent


def test_what_is_played_goes_through_at_once_on_its_channel_and_ends_with_panic():
    stand = Stand(device_frames=4800)
    stand.outlet = MidiOutput(card(), lambda: stand.clock, stand._send, 0.0, lambda: stand.now_ns, {}, thru=5)
    stand.outlet.take(Event(AT_ONCE, -1, NOTE_ON, PLAYER, 64, 90, 0.0))
    stand.outlet.send_due()
    assert [message for _, message in stand.sent] == [(0x94, 64, 90)]
    stand.sent.clear()
    stand.outlet.take(Event(AT_ONCE, -1, ALL_OFF, PLAYER, 0, 0, 0.0))
    stand.outlet.send_due()
    assert (0x84, 64, 0) in [message for _, message in stand.sent]
    without = Stand()
    without.outlet.take(Event(AT_ONCE, -1, NOTE_ON, PLAYER, 64, 90, 0.0))
    without.outlet.send_due()
    assert without.sent == []


def test_tracks_go_out_on_the_channels_they_are_given():
    names = [track.name for track in card().tracks]
    plain = channels_of(card(), {})
    given = channels_of(card(), {names[0]: 7})
    assert given == plain | {0: 6}


def test_an_output_gets_the_channels_that_are_its_own_alone():
    midi = FakeMidi("TR-8", "Piano")
    outputs = Outputs(["TR-8", "Piano"], midi.make, lambda *_: None, {"TR-8": {9}})
    outputs.open()
    for name in midi.present:
        midi.port(name).sent.clear()
    outputs.send((0x99, 36, 100))
    outputs.send((0x91, 60, 100))
    assert [tuple(m) for m in midi.port("TR-8").sent] == [(0x99, 36, 100)]
    assert [tuple(m) for m in midi.port("Piano").sent] == [(0x99, 36, 100), (0x91, 60, 100)]

"""The parser of raw MIDI bytes, with mido as the independent oracle."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND
from engine.midi.parser import MidiMessage, Parser

REALTIME = st.sampled_from([0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF])
MESSAGES = st.one_of(
    st.builds(
        lambda c, n, v: mido.Message("note_on", channel=c, note=n, velocity=v),
        *[st.integers(0, 15), *[st.integers(0, 127)] * 2],
    ),
    st.builds(
        lambda c, n, v: mido.Message("note_off", channel=c, note=n, velocity=v),
        *[st.integers(0, 15), *[st.integers(0, 127)] * 2],
    ),
    st.builds(
        lambda c, n, v: mido.Message("control_change", channel=c, control=n, value=v),
        *[st.integers(0, 15), *[st.integers(0, 127)] * 2],
    ),
    st.builds(lambda c, p: mido.Message("program_change", channel=c, program=p), st.integers(0, 15), st.integers(0, 127)),
    st.builds(lambda c, p: mido.Message("pitchwheel", channel=c, pitch=p), st.integers(0, 15), st.integers(-8192, 8191)),
    st.builds(lambda d: mido.Message("sysex", data=d), st.lists(st.integers(0, 127), max_size=5)),
    st.builds(lambda p: mido.Message("songpos", pos=p), st.integers(0, 16383)),
)


def pitches_left(heard: list[MidiMessage]) -> set[int]:
    """Return what still sounds; fails when something ended that had not begun."""
    on: set[int] = set()
    for kind, pitch, _ in heard:
        if kind == NOTE_ON:
            on.add(pitch)
        elif kind == NOTE_OFF:
            assert pitch in on
            on.remove(pitch)
    return on


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_survive_and_leave_no_note_hanging(chunks: list[bytes]) -> None:
    parser = Parser()
    heard = [h for chunk in chunks for h in parser.feed(chunk)]
    assert not pitches_left(heard + parser.release())
    assert all(0 <= h.number <= 127 and -1 <= h.value <= 127 for h in heard)
    assert parser.feed(bytes((0x90, 60, 1)))[-1] == MidiMessage(NOTE_ON, 60, 1)  # it goes on listening


@given(st.binary(max_size=200), st.integers(1, 7))
def test_where_the_bytes_are_cut_makes_no_difference(data: bytes, size: int) -> None:
    whole, cut = Parser(), Parser()
    heard = [h for i in range(0, len(data), size) for h in cut.feed(data[i : i + size])]
    assert heard == whole.feed(data)
    assert cut.ignored == whole.ignored


@given(st.lists(MESSAGES, max_size=30), st.data())
def test_messages_are_read_as_mido_reads_them_with_running_status_and_clock_between(
    messages: list[mido.Message], data: st.DataObject
) -> None:
    raw: list[int] = []
    status = None
    for message in messages:
        parts = message.bytes()
        running = parts[0] == status and parts[0] < 0xF0
        status = parts[0]
        for byte in parts[1:] if running else parts:
            raw += data.draw(st.lists(REALTIME, max_size=1))
            raw.append(byte)
    parser, plain = Parser(), Parser()
    assert parser.feed(raw) == [h for m in messages for h in plain.feed(m.bytes())]
    assert parser.ignored == 0


@given(st.lists(MESSAGES, max_size=30))
def test_what_begins_is_what_mido_says_begins(messages: list[mido.Message]) -> None:
    heard = Parser().feed([b for m in messages for b in m.bytes()])
    begun = [(m.note, m.velocity) for m in messages if m.type == "note_on" and m.velocity]
    assert [(h.number, h.value) for h in heard if h.kind == NOTE_ON] == begun
    bends = [max(-1, m.pitch / 8191) for m in messages if m.type == "pitchwheel"]
    resets = sum(m.type == "control_change" and m.control == 121 for m in messages)
    found = [h.value for h in heard if h.kind == PITCH_BEND]
    assert len(found) == len(bends) + resets
    assert [b for b in found if b] == pytest.approx([b for b in bends if b])


def test_velocity_zero_is_a_note_off() -> None:
    assert Parser().feed((0x90, 60, 100, 60, 0)) == [MidiMessage(NOTE_ON, 60, 100), MidiMessage(NOTE_OFF, 60, 0)]


def test_the_pedal_holds_what_the_fingers_let_go() -> None:
    parser = Parser()
    assert parser.feed((0x90, 60, 100, 64, 100, 0xB0, 64, 127, 0x80, 60, 0))[2:] == []
    assert parser.feed((0xB0, 64, 0)) == [MidiMessage(NOTE_OFF, 60, 0)]  # 64 is still under a finger
    assert parser.feed((0x80, 64, 0)) == [MidiMessage(NOTE_OFF, 64, 0)]


def test_a_key_struck_again_under_the_pedal_ends_once() -> None:
    parser = Parser()
    parser.feed((0xB0, 64, 127, 0x90, 60, 100, 60, 0, 60, 90))
    assert parser.feed((0xB0, 64, 0)) == []
    assert parser.feed((0x90, 60, 0)) == [MidiMessage(NOTE_OFF, 60, 0)]


@pytest.mark.parametrize("controller", [120, 123, 124, 127])
def test_all_notes_off_ends_what_the_pedal_holds_too(controller: int) -> None:
    parser = Parser()
    parser.feed((0xB0, 64, 127, 0x90, 60, 100, 60, 0, 62, 100))
    ended = [MidiMessage(NOTE_OFF, 60, 0), MidiMessage(NOTE_OFF, 62, 0)]
    assert parser.feed((0xB0, controller, 0)) == ended + [MidiMessage(ALL_OFF, 0, 0)] * (controller == 120)


def test_reset_lifts_the_pedal_and_centres_the_wheel() -> None:
    parser = Parser()
    parser.feed((0xB0, 64, 127, 0x90, 60, 100, 60, 0, 0xE0, 127, 127))
    assert parser.feed((0xB0, 121, 0)) == [MidiMessage(NOTE_OFF, 60, 0), MidiMessage(PITCH_BEND, 0, 0.0)]


def test_a_pitch_held_on_two_channels_ends_with_the_second() -> None:
    parser = Parser()
    parser.feed((0x90, 60, 100, 0x91, 60, 100))
    assert parser.feed((0x80, 60, 0)) == []
    assert parser.feed((0x81, 60, 0)) == [MidiMessage(NOTE_OFF, 60, 0)]


def test_the_wheel_reaches_both_ends() -> None:
    heard = Parser().feed((0xE0, 0, 0, 0, 64, 127, 127))
    assert [h.value for h in heard] == [-1.0, 0.0, 1.0]


def test_controllers_are_passed_on() -> None:
    assert Parser().feed((0xB3, 1, 99)) == [MidiMessage(CONTROL, 1, 99)]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ((1, 2, 3), 3),  # data without a status
        ((0x90, 60, 0x80, 60, 0), 1),  # a message cut short by another
        ((0xF0, 1, 2, 0x90, 60, 1), 1),  # a system exclusive that does not end
        ((0xF7,), 1),  # an end without a beginning
        ((0xF4, 0xF5, 0xF9, 0xFD), 4),  # undefined
        ((0xF2, 1, 2, 3), 1),  # no running status after a system message
        ((0xC0, 5, 6, 0xD0, 7, 0xA0, 60, 1, 0xF0, 1, 0xF7, 0xF6), 0),  # understood, and of no use here
    ],
)
def test_what_is_no_midi_is_counted(data: tuple[int, ...], count: int) -> None:
    parser = Parser()
    parser.feed(data)
    assert parser.ignored == count

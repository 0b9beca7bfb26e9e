"""The parser of raw MIDI bytes, with mido as the independent oracle."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.midi.message import REALTIME, Kind, MidiMessage, message_of
from engine.midi.parser import Parser
from tests.midi.strategies import MESSAGES

CLOCKS = st.sampled_from([0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF])


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_survive(chunks: list[bytes]) -> None:
    parser = Parser("keyboard")
    found = [message for chunk in chunks for message in parser.feed(chunk, 5)]
    assert all(m.port == "keyboard" and m.time_ns == 5 for m in found)
    assert all(0 <= m.number <= 127 and -1 <= m.value < 1 << 14 and -1 <= m.channel <= 15 for m in found)
    assert parser.feed(bytes((0x90, 60, 1)))[-1] == MidiMessage(0, "keyboard", 0, Kind.NOTE_ON, 60, 1)  # it goes on listening


@given(st.binary(max_size=200), st.integers(1, 7))
def test_where_the_bytes_are_cut_makes_no_difference(data: bytes, size: int) -> None:
    whole, cut = Parser(), Parser()
    found = [m for i in range(0, len(data), size) for m in cut.feed(data[i : i + size])]
    assert found == whole.feed(data)
    assert cut.ignored == whole.ignored


@given(st.lists(MESSAGES, max_size=30), st.data())
def test_messages_are_read_with_running_status_and_clock_between(messages: list[mido.Message], data: st.DataObject) -> None:
    raw: list[int] = []
    between = []
    status = None
    for message in messages:
        parts = message.bytes()
        running = parts[0] == status and parts[0] < 0xF0
        status = parts[0] if parts[0] < REALTIME else status
        for byte in parts[1:] if running else parts:
            clock = data.draw(st.lists(CLOCKS, max_size=1))
            between += clock
            raw += [*clock, byte]
    parser = Parser()
    found = parser.feed(raw)
    whole = [message_of(m.bytes(), "") for m in messages if m.type != "sysex"]
    assert [m for m in found if m.channel >= 0] == [m for m in whole if m is not None and m.channel >= 0]
    system = [m for m in found if m.channel < 0]
    assert len(system) == len(between) + sum(m is not None and m.channel < 0 for m in whole)
    assert parser.ignored == 0


def test_velocity_zero_is_a_note_off() -> None:
    assert [m.kind for m in Parser().feed((0x90, 60, 100, 60, 0))] == [Kind.NOTE_ON, Kind.NOTE_OFF]


def test_start_stop_clock_and_song_position_are_messages_of_the_port() -> None:
    found = Parser("clock").feed((0xF2, 1, 2, 0xFA, 0xF8, 0xFC, 0xFB), 9)
    kinds = [Kind.SONG_POSITION, Kind.START, Kind.CLOCK, Kind.STOP, Kind.CONTINUE]
    assert found == [MidiMessage(9, "clock", -1, kind, 0, 257 if kind is Kind.SONG_POSITION else 0) for kind in kinds]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ((1, 2, 3), 3),  # data without a status
        ((0x90, 60, 0x80, 60, 0), 1),  # a message cut short by another
        ((0xF0, 1, 2, 0x90, 60, 1), 1),  # a system exclusive that does not end
        ((0xF7,), 1),  # an end without a beginning
        ((0xF4, 0xF5, 0xF9, 0xFD), 4),  # undefined
        ((0xF2, 1, 2, 3), 1),  # no running status after a system message
        ((0xC0, 5, 6, 0xD0, 7, 0xA0, 60, 1, 0xF0, 1, 0xF7, 0xF6), 0),  # understood
    ],
)
def test_what_is_no_midi_is_counted(data: tuple[int, ...], count: int) -> None:
    parser = Parser()
    parser.feed(data)
    assert parser.ignored == count

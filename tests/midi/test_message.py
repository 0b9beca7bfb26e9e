"""Messages and the table of the protocol, with mido as the independent oracle."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given

from engine.midi.message import BY_STATUS, NO_CHANNEL, SPECS, Kind, MidiMessage, bytes_of, message_of
from tests.midi.strategies import MESSAGES

# what mido calls a kind, and what it calls our number and value
NAMES = {
    Kind.NOTE_OFF: ("note_off", "note", "velocity"),
    Kind.NOTE_ON: ("note_on", "note", "velocity"),
    Kind.KEY_PRESSURE: ("polytouch", "note", "value"),
    Kind.CONTROL: ("control_change", "control", "value"),
    Kind.PROGRAM: ("program_change", "program", ""),
    Kind.PRESSURE: ("aftertouch", "", "value"),
    Kind.BEND: ("pitchwheel", "", "pitch"),
    Kind.SONG_POSITION: ("songpos", "", "pos"),
    Kind.SONG_SELECT: ("song_select", "", "song"),
    Kind.TUNE_REQUEST: ("tune_request", "", ""),
    Kind.CLOCK: ("clock", "", ""),
    Kind.START: ("start", "", ""),
    Kind.CONTINUE: ("continue", "", ""),
    Kind.STOP: ("stop", "", ""),
    Kind.SENSING: ("active_sensing", "", ""),
    Kind.RESET: ("reset", "", ""),
}


def test_the_table_has_what_mido_has() -> None:
    theirs = mido.messages.SPEC_BY_STATUS
    assert BY_STATUS.keys() == theirs.keys() - {0xF0}  # a system exclusive has no fixed length
    assert {status: spec.size + 1 for status, spec in BY_STATUS.items()} == {s: theirs[s]["length"] for s in BY_STATUS}
    assert {spec.kind for spec in SPECS} == set(Kind) - {Kind.GONE}


@given(MESSAGES)
def test_a_message_says_what_mido_says_and_goes_back_to_its_bytes(theirs: mido.Message) -> None:
    data = theirs.bytes()
    found = message_of(data, "keyboard", 7)
    if theirs.type == "sysex":
        assert found is None
        return
    assert found is not None
    assert (found.time_ns, found.port, found.channel) == (7, "keyboard", getattr(theirs, "channel", NO_CHANNEL))
    if theirs.type == "note_on" and theirs.velocity == 0:
        assert found.kind is Kind.NOTE_OFF
        return
    name, number, value = NAMES[found.kind]
    assert name == theirs.type
    assert found.number == (getattr(theirs, number) if number else 0)
    if found.kind is Kind.BEND:
        assert found.value == pytest.approx(max(-1, theirs.pitch / 8191))
        assert bytes_of(found) == bytes(data) or theirs.pitch in range(-8192, 0)  # -8192 and -8191 are both the very end
    else:
        assert found.value == (getattr(theirs, value) if value else 0)
        assert bytes_of(found) == bytes(data)


@pytest.mark.parametrize(("value", "data"), [(-1.0, (0xE3, 0, 0)), (0.0, (0xE3, 0, 64)), (1.0, (0xE3, 127, 127))])
def test_the_wheel_reaches_both_ends_both_ways(value: float, data: tuple[int, ...]) -> None:
    message = MidiMessage(0, "", 3, Kind.BEND, 0, value)
    assert bytes_of(message) == bytes(data)
    assert message_of(data, "") == message


@pytest.mark.parametrize("data", [(0xF0, 1, 0xF7), (0xF4,), (0xF9,), (0xF7,)])
def test_what_the_table_does_not_have_is_no_message(data: tuple[int, ...]) -> None:
    assert message_of(data, "") is None

"""One MIDI message with its time, port and channel; and what the protocol knows, as a table.

Runs on: every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a message says. GONE is no MIDI: its port was lost, and everything on it with it."""

    NOTE_OFF = 0
    NOTE_ON = 1
    KEY_PRESSURE = 2
    CONTROL = 3
    PROGRAM = 4
    PRESSURE = 5
    BEND = 6
    TIME_CODE = 7
    SONG_POSITION = 8
    SONG_SELECT = 9
    TUNE_REQUEST = 10
    CLOCK = 11
    START = 12
    CONTINUE = 13
    STOP = 14
    SENSING = 15
    RESET = 16
    GONE = 17


class Spec(NamedTuple):
    """One row of the protocol: a status byte (of channel 0, where there is one), how many data bytes follow, what it is.

    `wide`: its two data bytes are one number of 14 bits, the low seven first.
    """

    status: int
    size: int
    kind: Kind
    wide: bool = False


SPECS = (
    Spec(0x80, 2, Kind.NOTE_OFF),
    Spec(0x90, 2, Kind.NOTE_ON),
    Spec(0xA0, 2, Kind.KEY_PRESSURE),
    Spec(0xB0, 2, Kind.CONTROL),
    Spec(0xC0, 1, Kind.PROGRAM),
    Spec(0xD0, 1, Kind.PRESSURE),
    Spec(0xE0, 2, Kind.BEND, wide=True),
    Spec(0xF1, 1, Kind.TIME_CODE),
    Spec(0xF2, 2, Kind.SONG_POSITION, wide=True),
    Spec(0xF3, 1, Kind.SONG_SELECT),
    Spec(0xF6, 0, Kind.TUNE_REQUEST),
    Spec(0xF8, 0, Kind.CLOCK),
    Spec(0xFA, 0, Kind.START),
    Spec(0xFB, 0, Kind.CONTINUE),
    Spec(0xFC, 0, Kind.STOP),
    Spec(0xFE, 0, Kind.SENSING),
    Spec(0xFF, 0, Kind.RESET),
)
SYSTEM, REALTIME, SYSEX, SYSEX_END = 0xF0, 0xF8, 0xF0, 0xF7  # status bytes: from SYSTEM up there is no channel
NO_CHANNEL = -1  # `channel` of what concerns the whole port

# by every status byte there can be; what is missing is undefined or a system exclusive
BY_STATUS = {spec.status | channel: spec for spec in SPECS for channel in (range(16) if spec.status < SYSTEM else (0,))}
STATUS = {spec.kind: spec.status for spec in SPECS}

# controllers with a meaning of their own
MODULATION, DATA, EXPRESSION, DATA_FINE, SUSTAIN, PORTAMENTO, SOSTENUTO, SOFT, TIMBRE = 1, 6, 11, 38, 64, 65, 66, 67, 74
NRPN_FINE, NRPN, RPN_FINE, RPN = 98, 99, 100, 101
CONTROL_CHANGE = 0xB0
SOUND_OFF, RESET_CONTROLLERS, NOTES_OFF = 120, 121, 123  # those from NOTES_OFF up all end the notes
# registered parameters, and what none is called
BEND_RANGE, MPE_ZONE, NO_PARAMETER = 0, 6, 0x3FFF


class MidiMessage(NamedTuple):
    """One message. `channel` 0..15, NO_CHANNEL for the system's.

    `number`: pitch, controller or program; `value`: velocity, controller value or pressure 0..127; bend -1..1; sixteenths of a
    song position. `time_ns`: host time (time.perf_counter_ns) of arrival, 0 for a file's.
    """

    time_ns: int
    port: str
    channel: int
    kind: Kind
    number: int = 0
    value: float = 0


def message_of(data: Sequence[int], port: str, time_ns: int = 0) -> MidiMessage | None:
    """Return what one whole message says; None for a system exclusive and what is undefined."""
    status = data[0]
    spec = BY_STATUS.get(status)
    if spec is None:
        return None
    kind, channel = spec.kind, status & 0xF if status < SYSTEM else NO_CHANNEL
    if spec.wide:
        value: float = data[2] << 7 | data[1]
        if kind is Kind.BEND:
            value = max(-1.0, min(1.0, (value - 8192) / 8191))
        return MidiMessage(time_ns, port, channel, kind, 0, value)
    if spec.size < 2:
        first = data[1] if spec.size else 0
        return MidiMessage(time_ns, port, channel, kind, *((first, 0) if kind is Kind.PROGRAM else (0, first)))
    if kind is Kind.NOTE_ON and data[2] == 0:
        kind = Kind.NOTE_OFF
    return MidiMessage(time_ns, port, channel, kind, data[1], data[2])


def bytes_of(message: MidiMessage) -> bytes:
    """Return a message as it goes over the wire."""
    status = STATUS[message.kind]
    spec = BY_STATUS[status]
    head = status | message.channel if status < SYSTEM else status
    if spec.wide:
        number = (
            round(message.value * (8192 if message.value < 0 else 8191)) + 8192 if message.kind is Kind.BEND else message.value
        )
        return bytes((head, int(number) & 0x7F, int(number) >> 7))
    if spec.size == 0:
        return bytes((head,))
    if spec.size == 1:
        return bytes((head, message.number if message.kind is Kind.PROGRAM else int(message.value)))
    return bytes((head, message.number, int(message.value)))

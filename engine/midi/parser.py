"""MIDI: raw bytes in, what the player did out.

Runs on: audio process (audio callback). One Parser per port, because running status, pedals and held keys belong to a port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND

SUSTAIN, SOUND_OFF, RESET, NOTES_OFF = 64, 120, 121, 123  # controllers; those from NOTES_OFF up all end the notes

# data bytes of each channel message, by the upper four bits of its status
_LENGTH = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
# data bytes of the system messages that are not real-time; 0xF4, 0xF5 are undefined, 0xF7 ends what 0xF0 began
_SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}
_UNDEFINED_REALTIME = (0xF9, 0xFD)


Arrival = tuple[int, int, Sequence[int] | None]  # (time_ns, number of the port, bytes; None when the port is gone)


class MidiMessage(NamedTuple):
    """One thing the player did. `number`: pitch or controller; `value`: velocity, controller value, or bend -1..1."""

    kind: int
    number: int
    value: float


class Parser:
    """A stream of MIDI bytes, cut anywhere; survives any bytes and counts those that were no MIDI in `ignored`.

    The sustain pedal is resolved: a key that is let go while the pedal is down ends when the pedal does. Channels are merged;
    a pitch held on two channels ends with the second.
    """

    def __init__(self) -> None:
        self.ignored = 0
        self._status = 0  # running status; 0: none
        self._wanted = 0  # data bytes of a message with this status
        self._data: list[int] = []
        self._fresh = False  # a status byte came and its message is not complete yet
        self._sysex = False
        self._down: list[set[int]] = [set() for _ in range(16)]  # keys held, per channel
        self._pedalled: list[set[int]] = [set() for _ in range(16)]  # let go, held by the pedal
        self._pedal = [False] * 16

    def feed(self, data: Iterable[int]) -> list[MidiMessage]:
        """Take bytes; return what they completed, in order."""
        heard: list[MidiMessage] = []
        for byte in data:
            if byte >= 0xF8:  # real-time: may stand anywhere, even within another message
                self.ignored += byte in _UNDEFINED_REALTIME
            elif byte >= 0x80:
                self._begin(byte)
            elif self._sysex:
                pass
            elif not self._status:
                self.ignored += 1
            else:
                self._data.append(byte)
                if len(self._data) == self._wanted:
                    self._complete(heard)
        return heard

    def release(self) -> list[MidiMessage]:
        """Let go of everything (the port is gone, or panic); return the note-offs."""
        heard: list[MidiMessage] = []
        for channel in range(16):
            self._end_all(channel, heard)
            self._pedal[channel] = False
        return heard

    def _begin(self, status: int) -> None:
        """Take a status byte."""
        cut_short = self._fresh or bool(self._data) or (self._sysex and status != 0xF7)
        stray = status in (0xF4, 0xF5) or (status == 0xF7 and not self._sysex)
        self.ignored += cut_short + stray
        self._data.clear()
        self._sysex = status == 0xF0
        self._wanted = _LENGTH[status >> 4] if status < 0xF0 else _SYSTEM.get(status, 0)
        self._status = status if self._wanted else 0  # a system message ends running status
        self._fresh = self._wanted > 0

    def _complete(self, heard: list[MidiMessage]) -> None:
        """Take the message that is now whole."""
        kind, channel = self._status >> 4, self._status & 0xF
        first, second = self._data[0], self._data[-1]
        self._data.clear()
        self._fresh = False
        if kind == 0x9 and second > 0:
            self._down[channel].add(first)
            self._pedalled[channel].discard(first)
            heard.append(MidiMessage(NOTE_ON, first, second))
        elif kind in (0x8, 0x9):
            self._key_up(channel, first, heard)
        elif kind == 0xB:
            self._control(channel, first, second, heard)
        elif kind == 0xE:
            steps = (second << 7 | first) - 8192
            heard.append(MidiMessage(PITCH_BEND, 0, max(-1.0, min(1.0, steps / 8191))))
        elif kind == 0xF:
            self._status = 0

    def _key_up(self, channel: int, pitch: int, heard: list[MidiMessage]) -> None:
        if pitch not in self._down[channel]:
            return
        self._down[channel].remove(pitch)
        if self._pedal[channel]:
            self._pedalled[channel].add(pitch)
        else:
            self._end(pitch, heard)

    def _control(self, channel: int, number: int, value: int, heard: list[MidiMessage]) -> None:
        if number == SUSTAIN:
            self._set_pedal(channel, value >= 64, heard)
        elif number == RESET:
            self._set_pedal(channel, False, heard)
            heard.append(MidiMessage(PITCH_BEND, 0, 0.0))
        elif number == SOUND_OFF or number >= NOTES_OFF:
            self._end_all(channel, heard)
            if number == SOUND_OFF:
                heard.append(MidiMessage(ALL_OFF, 0, 0))
        else:
            heard.append(MidiMessage(CONTROL, number, value))

    def _set_pedal(self, channel: int, down: bool, heard: list[MidiMessage]) -> None:
        self._pedal[channel] = down
        if not down:
            pitches = sorted(self._pedalled[channel])
            self._pedalled[channel].clear()
            for pitch in pitches:
                self._end(pitch, heard)

    def _end_all(self, channel: int, heard: list[MidiMessage]) -> None:
        pitches = sorted(self._down[channel] | self._pedalled[channel])
        self._down[channel].clear()
        self._pedalled[channel].clear()
        for pitch in pitches:
            self._end(pitch, heard)

    def _end(self, pitch: int, heard: list[MidiMessage]) -> None:
        """Report a note's end, unless another channel still holds it."""
        if not any(pitch in held for held in self._down) and not any(pitch in held for held in self._pedalled):
            heard.append(MidiMessage(NOTE_OFF, pitch, 0))

"""The events of a block as LV2 has them: sequences of atoms in the memory of a plugin's event ports.

Runs on: host process (audio thread).
"""

from __future__ import annotations

import ctypes as c
import struct
from collections.abc import Sequence

from engine.host import lilv as abi
from engine.host.lilv import ATOM, TIME, Urids
from engine.host.lv2_ports import Ports
from engine.host.plugin import MIDI, NOTE_ON, PARAMETER, Event, Moment, strength

EVENTS_BYTES = 16384  # of one port for events, of one block
_WORDS = {
    ATOM: ("Sequence", "Chunk", "Object", "Float", "Double", "Int", "Long"),
    TIME: ("Position", "frame", "speed", "bar", "barBeat", "beat", "beatUnit", "beatsPerBar", "beatsPerMinute"),
}


class Events:
    """The event ports of one plugin: `memory` by their numbers, `write` once a block."""

    def __init__(self, ports: Ports, urids: Urids) -> None:
        self._ports = ports
        self._urid = {word: urids.number(base + word) for base, words in _WORDS.items() for word in words}
        self._midi_event = urids.number(abi.MIDI_EVENT)
        self._told: tuple[object, ...] = ()  # of where the music is
        self.memory = {number: c.create_string_buffer(EVENTS_BYTES + 16) for number, _ in ports.events}

    def write(self, events: Sequence[Event], at: Moment) -> None:
        """Write what is for a block: its events, in order, and where the music is."""
        for number, is_input in self._ports.events:
            memory = self.memory[number]
            if not is_input:
                struct.pack_into("<II", memory, 0, EVENTS_BYTES, self._urid["Chunk"])
            elif number != self._ports.events_in:
                struct.pack_into("<IIII", memory, 0, 8, self._urid["Sequence"], 0, 0)
        sequence = self.memory.get(self._ports.events_in)
        place = 16
        if sequence is not None:
            place += self._write_moment(sequence, at)
        for offset, kind, a, b, d, index, value in events:
            if kind == PARAMETER:
                if index < len(self._ports.knob_ports):
                    self._ports.controls[self._ports.knob_ports[index]] = value
            elif sequence is not None and place + 24 <= EVENTS_BYTES:
                if kind != MIDI:
                    a, d = (0x90 if kind == NOTE_ON else 0x80) | (a & 15), strength(kind, value)
                struct.pack_into("<qIIBBB5x", sequence, place, offset, 3, self._midi_event, a, b, d)
                place += 24
        if sequence is not None:
            struct.pack_into("<IIII", sequence, 0, place - 8, self._urid["Sequence"], 0, 0)

    def _write_moment(self, sequence: c.Array[c.c_char], at: Moment) -> int:
        """Write where the music is, where that changed or a bar began; return the bytes that it took."""
        now = (at.is_playing, at.tempo_bpm, at.bar, at.numerator, at.denominator)
        if now == self._told:
            return 0
        self._told = now
        of = self._urid
        per_beat = at.denominator / 4
        values = (
            ("frame", "Long", at.frame),
            ("speed", "Float", float(at.is_playing)),
            ("bar", "Long", at.bar),
            ("barBeat", "Float", (at.beat - at.bar_beat) * per_beat),
            ("beatUnit", "Int", at.denominator),
            ("beatsPerBar", "Float", float(at.numerator)),
            ("beatsPerMinute", "Float", at.tempo_bpm),
        )
        body = struct.pack("<II", 0, of["Position"])
        for name, kind, value in values:
            code, size = {"Long": ("q", 8), "Float": ("f4x", 4), "Int": ("i4x", 4)}[kind]
            body += struct.pack(f"<IIII{code}", of[name], 0, size, of[kind], value)
        struct.pack_into(f"<qII{len(body)}s", sequence, 16, 0, len(body), of["Object"], body)
        return 16 + len(body)

"""The events of a block as CLAP has them, in memory that is made once.

Runs on: host process (audio thread).
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence

from engine.host import clap_abi as abi
from engine.host.clap_knobs import Knobs
from engine.host.plugin import MIDI, NOTE_CHOKE, NOTE_OFF, NOTE_ON, PARAMETER, Event, Moment, strength

MOST_EVENTS = 512  # of a block
_KINDS = {NOTE_ON: abi.NOTE_ON, NOTE_OFF: abi.NOTE_OFF, NOTE_CHOKE: abi.NOTE_CHOKE}
_STATUS = {NOTE_ON: 0x90, NOTE_OFF: 0x80, NOTE_CHOKE: 0x80}
_KNOWN = abi.HAS_TEMPO | abi.HAS_BEATS | abi.HAS_SECONDS | abi.HAS_SIGNATURE


class Events:
    """`record`, `out_record` and `transport` are what a plugin is handed; `write` fills them once a block."""

    def __init__(self, knobs: Knobs, hears_notes: bool, hears_midi: bool) -> None:
        self._knobs, self._hears_notes, self._hears_midi = knobs, hears_notes, hears_midi
        size = max(c.sizeof(abi.NoteEvent), c.sizeof(abi.ParamEvent), c.sizeof(abi.MidiEvent))
        self._memory = c.create_string_buffer(MOST_EVENTS * size)
        addresses = [c.addressof(self._memory) + place * size for place in range(MOST_EVENTS)]
        self._notes = [abi.NoteEvent.from_address(at) for at in addresses]
        self._turns = [abi.ParamEvent.from_address(at) for at in addresses]
        self._midi = [abi.MidiEvent.from_address(at) for at in addresses]
        self._count = 0
        # The plugin calls these while it is processed, on the same thread.
        self._calls = (
            abi.EventsSize(lambda _: self._count),
            abi.EventsGet(lambda _, place: addresses[place] if place < self._count else None),
            abi.EventsPush(lambda *_: True),
        )
        self.record = abi.InputEvents(None, self._calls[0], self._calls[1])
        self.out_record = abi.OutputEvents(None, self._calls[2])
        self.transport = abi.TransportEvent(abi.Header(c.sizeof(abi.TransportEvent), 0, 0, abi.TRANSPORT, 0))

    def write(self, events: Sequence[Event], at: Moment, rate_hz: float) -> None:
        """Write what is for a block: its events, in order, and where the music is."""
        self._count = 0
        for event in events[:MOST_EVENTS]:
            self._add(*event)
        moment = self.transport
        moment.flags = _KNOWN | abi.IS_PLAYING if at.is_playing else _KNOWN
        moment.song_pos_beats = round(at.beat * abi.FIXED)
        moment.song_pos_seconds = round(at.frame / rate_hz * abi.FIXED)
        moment.tempo = at.tempo_bpm
        moment.bar_start = round(at.bar_beat * abi.FIXED)
        moment.bar_number = at.bar
        moment.tsig_num, moment.tsig_denom = at.numerator, at.denominator

    def _add(self, offset: int, kind: int, a: int, b: int, d: int, index: int, value: float) -> None:
        """Write one event in place: making the record anew would cost more than filling it."""
        n = self._count
        if kind == PARAMETER:
            if index >= len(self._knobs.ids):
                return
            param_id, cookie = self._knobs.ids[index]
            header = abi.Header(c.sizeof(abi.ParamEvent), offset, 0, abi.PARAM_VALUE, 0)
            self._turns[n].__init__(header, param_id, cookie, -1, -1, -1, -1, value)  # type: ignore[misc]
        elif kind == MIDI or not self._hears_notes:
            if not self._hears_midi:
                return
            data = (a, b, d) if kind == MIDI else (_STATUS[kind] | (a & 15), b, strength(kind, value))
            header = abi.Header(c.sizeof(abi.MidiEvent), offset, 0, abi.MIDI, 0)
            self._midi[n].__init__(header, 0, (c.c_uint8 * 3)(*data))  # type: ignore[misc]
        else:
            header = abi.Header(c.sizeof(abi.NoteEvent), offset, 0, _KINDS[kind], 0)
            self._notes[n].__init__(header, -1, 0, a, b, value)  # type: ignore[misc]
        self._count = n + 1

"""MIDI bytes, cut anywhere, to messages.

Runs on: audio process (audio callback). One Parser per port, for running status belongs to a port; what belongs to a channel is
kept in `channels`.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.midi.message import BY_STATUS, REALTIME, SYSEX, SYSEX_END, SYSTEM, MidiMessage, message_of


class Parser:
    """The bytes of one port; survives any and counts those that were no MIDI in `ignored`."""

    def __init__(self, port: str = "") -> None:
        self.port = port
        self.ignored = 0
        self._status = 0  # running status; 0: none
        self._wanted = 0  # data bytes of a message with this status
        self._data: list[int] = []
        self._fresh = False  # a status byte came and its message is not complete yet
        self._sysex = False

    def feed(self, data: Iterable[int], time_ns: int = 0) -> list[MidiMessage]:
        """Take bytes; return what they completed, in order."""
        found: list[MidiMessage] = []
        for byte in data:
            if byte >= REALTIME:  # may stand anywhere, even within another message
                self._take((byte,), time_ns, found)
            elif byte >= 0x80:
                self._begin(byte, time_ns, found)
            elif self._sysex:
                pass
            elif not self._status:
                self.ignored += 1
            else:
                self._data.append(byte)
                if len(self._data) == self._wanted:
                    self._take((self._status, *self._data), time_ns, found)
                    self._data.clear()
                    self._fresh = False
                    if self._status >= SYSTEM:
                        self._status = 0
        return found

    def _begin(self, status: int, time_ns: int, found: list[MidiMessage]) -> None:
        """Take a status byte that is not real-time."""
        self.ignored += self._fresh or bool(self._data) or (self._sysex and status != SYSEX_END)  # cut short
        spec = BY_STATUS.get(status)
        self.ignored += spec is None and status != SYSEX and not (status == SYSEX_END and self._sysex)
        self._data.clear()
        self._sysex = status == SYSEX
        self._wanted = spec.size if spec else 0
        self._status = status if self._wanted else 0  # a system message ends running status
        self._fresh = self._wanted > 0
        if spec is not None and spec.size == 0:
            self._take((status,), time_ns, found)

    def _take(self, data: tuple[int, ...], time_ns: int, found: list[MidiMessage]) -> None:
        message = message_of(data, self.port, time_ns)
        if message is None:
            self.ignored += 1
        else:
            found.append(message)

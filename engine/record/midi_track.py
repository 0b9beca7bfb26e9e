"""A track of a MIDI file that grows: what is on the disk already is not kept in memory.

Runs on: feed process, recorder thread, or the caller of the offline render.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

DRUMS = 9  # the channel that General MIDI plays drums on, counted from 0
RECENT = 256  # events of tempo, metre and markers that something may still come to lie before


@dataclass(slots=True)
class Track:
    """The player or a track of the band. Its bytes: `kept` on the disk, then those of `data`."""

    name: str
    channel: int
    data: bytearray = field(default_factory=bytearray)
    kept: int = 0  # bytes
    at: int = 0  # where in the file on the disk they begin
    tick: int = 0
    sounding: dict[int, int] = field(default_factory=dict)  # pitch -> its channel
    others: list[int] = field(default_factory=list)  # channels that only the player's other keyboards and fingers use
    ranges: dict[int, int] = field(default_factory=dict)  # channel -> semitones of its whole bend, where it was told

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.kept + len(self.data)

    def channel_of(self, step: int) -> int:
        """Return the channel of an event, from its `step`: each keyboard and each finger of an MPE keyboard has its own."""
        lane = -1 - step
        return self.channel if lane <= 0 or not self.others else self.others[(lane - 1) % len(self.others)]

    def add(self, tick: int, message: bytes) -> None:
        """Add an event."""
        self.data += variable(max(tick - self.tick, 0)) + message
        self.tick = max(self.tick, tick)

    def ending(self, tick: int) -> bytes:
        """Return what ends the track with what sounds let go at `tick`."""
        out = bytearray()
        delta = max(tick - self.tick, 0)
        for pitch, channel in sorted(self.sounding.items()):
            out += variable(delta) + bytes((0x80 | channel, pitch, 64))
            delta = 0
        return bytes(out + variable(delta) + b"\xff\x2f\x00")

    def keep(self, at: int) -> None:
        """Its bytes are on the disk now, from `at` on."""
        self.at, self.kept = at, self.size
        self.data.clear()


class Conductor(Track):
    """The track of tempo, metre and markers: what comes to lie before what was written already finds its place."""

    def __init__(self) -> None:
        super().__init__("", 0)
        self._entries: list[tuple[int, bytes]] = []  # those in `data`
        self._kept_tick = 0

    def add(self, tick: int, message: bytes) -> None:
        """Add a meta event."""
        tick = max(tick, self._kept_tick)
        if tick >= self.tick:
            super().add(tick, message)
            self._entries.append((tick, message))
            return
        bisect.insort(self._entries, (tick, message), key=lambda entry: entry[0])
        self._write()

    def _write(self) -> None:
        entries, self._entries = self._entries, []
        self.data, self.tick = bytearray(), self._kept_tick
        for tick, message in entries:
            self.add(tick, message)

    def keep(self, at: int) -> None:
        """As of any track; the last RECENT events stay in memory."""
        self.at = at
        over = self._entries[:-RECENT]
        if over:
            self._entries = self._entries[-RECENT:]
            size = self.size
            self._kept_tick = over[-1][0]
            self._write()
            self.kept = size - len(self.data)

    def restore(self, data: bytes) -> None:
        """Go on from what a killed process wrote; `at` is where it lies."""
        at = tick = 0
        self._entries = []
        while at < len(data):
            delta, at = number(data, at)
            tick += delta
            size, begin = number(data, at + 2)
            self._entries.append((tick, data[at : begin + size]))
            at = begin + size
        self.kept = 0
        self._write()
        self.keep(self.at)


def variable(number: int) -> bytes:
    """A number as MIDI files write it: seven bits a byte, the highest first."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(0x80 | number & 0x7F)
    return bytes(reversed(out))


def number(data: bytes, at: int) -> tuple[int, int]:
    """Read what `variable` wrote; return it and where it ends."""
    found = 0
    while True:
        byte = data[at]
        found, at = found << 7 | byte & 0x7F, at + 1
        if byte < 0x80:
            return found, at

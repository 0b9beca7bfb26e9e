"""A tape: what a process took in from outside, in the order in which it took it in; the same again gives the same music.

Runs on: audio and network process (writing), feed process (recorder), and whoever plays a take once more. A tape is a ring of
small records of one size; what is longer goes over several. Where nothing is recorded nobody reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from engine.core.link import Link, Writer

TAPES = ("audio", "network")  # who has one; the ring is called `tape.` and that

(
    MORE,  # `value`: up to eight bytes of what stands before
    # A process begins; `size` 1: in place of one that died, of which `value` is the last frame told; `count`: rate; `place`:
    # the network that plays.
    BEGIN,
    LENGTH,  # ... and ring number `place` of the process's was `count` records long then
    WORDS,  # ... and something that it decided by measuring, as text
    BLOCK,  # what follows was taken in for the block that begins at frame `value`
    TURNED,  # somebody has set a parameter, be it to what it was; the table is of version `count`
    CHANGE,  # parameter number `place` is `value`
    MOVED,  # ... was set so by the process itself, for what it took in: it sets it again by itself
    NAME,  # parameter number `place` is called so, from here on
    WORD,  # ... and the value that follows is of this choice
    PORT,  # MIDI port number `place` is called so
    MIDI,  # `size` bytes came over port number `place`; 0: it is gone
    KEY,  # ... over the page, from visitor `count`
    LEARN,  # the parameter of this name waits for a control
    NOTES,  # the network had sent `count` events
    YIELDS,  # ... and `count` times said what falls silent with the player's next note
    READING,  # the source of the beat answered `value` bpm, `place` is its metre, `count` the metre's groups
    FIELD,  # ... and field `place` of the answer was `value`
    STARTS,  # asked to start, it said `size`
    TEMPO,  # it set the tempo
    TOOK,  # something that was built was taken in
    CLOSING,  # the end was asked for
    CATCH_UP,  # before block number `count` the clock goes on at frame `value`
    EVENTS,  # the network heard `count` events
    LINES,  # ... and knew `count` lines of the beat
    CHART,  # ... and a chart was typed
    WAITED,  # ... and waited; `size` bit 0: until the moment, bit 1: it is to end
    NOW,  # it is frame `value`
    EARLIEST,  # what is sent now can sound from `value` on
    LOOKS,  # `count` FIELDs follow: seconds before a step at which it is looked at
    LATENCY,  # `count` frames from rendering to the ear
    SWITCH,  # of scene `count` it is told what `size` says, at beat `value`, on network `place` - 1; its text follows
    SCENE,  # ... which this is
    SWITCHED,  # the network knew `count` words on what became of scenes
    SEAT,  # network `place` was to play from there on; `size`: whether it was loaded
    SUCCESSOR,  # the network of this file took the place of the one that played
) = range(36)

_HEAD = struct.Struct("<BBHI")
_RECORD = struct.Struct("<BBHI8s")
_VALUE = struct.Struct("<d")
PIECE = 8
_TEXTS = frozenset((WORDS, NAME, WORD, PORT, LEARN, CHART, SCENE, SUCCESSOR))
_BYTES = frozenset((MIDI, KEY))


def ring_of(process: str) -> str:
    """Return the name of a process's tape among the rings."""
    return f"tape.{process}"


class Tape:
    """Writes a process's tape. One thread of it does."""

    def __init__(self, link: Link, process: str) -> None:
        self._ring: Writer = link.writer(ring_of(process))

    def put(self, kind: int, size: int = 0, place: int = 0, count: int = 0, value: float = 0.0) -> None:
        """Write a record."""
        self._ring.push((kind, size, place, count, value))

    def put_bytes(self, kind: int, data: bytes, place: int = 0, count: int = 0) -> None:
        """Write at most eight bytes within one record."""
        self._ring.push_bytes(_HEAD.pack(kind, len(data), place, count), data.ljust(PIECE, b"\0"))

    def put_text(self, kind: int, text: str, place: int = 0, size: int = 0) -> None:
        """Write a text: a record with its length, and its bytes after it."""
        data = text.encode()
        self.put(kind, size, place, len(data))
        for at in range(0, len(data), PIECE):
            self.put_bytes(MORE, data[at : at + PIECE])

    def put_switch(self, switch: np.void) -> None:
        """Write a SWITCH record."""
        number, what, beat, network, text = switch.item()
        self.put(SWITCH, what, network + 1, number, beat)
        self.put_text(SCENE, bytes(text).decode(errors="replace"))

    def begin(
        self, restarted: bool, rate_hz: float, last_frame: int, lengths: list[int], words: str = "", network: int = 0
    ) -> None:
        """A process begins to use it; `lengths`: of the rings that it writes, in the order of the table."""
        self.put(BEGIN, int(restarted), network, round(rate_hz), float(last_frame))
        for place, length in enumerate(lengths):
            self.put(LENGTH, 0, place, length)
        self.put_text(WORDS, words)


class Record:
    """One record of a tape that is read, with what belongs to it."""

    __slots__ = ("count", "data", "kind", "place", "size", "value")

    def __init__(self, kind: int, size: int, place: int, count: int, value: float) -> None:
        self.kind, self.size, self.place, self.count, self.value = kind, size, place, count, value
        self.data = b""

    @property
    def text(self) -> str:
        """What it says, where it is a text."""
        return self.data.decode(errors="replace")


def switch_of(record: Record, text: Record) -> tuple[int, int, float, int, bytes]:
    """Return what `put_switch` wrote, in the order of the fields."""
    return record.count, record.size, record.value, record.place - 1, text.data


def records(tape: np.ndarray) -> Iterator[Record]:
    """Yield what a tape of TAKEN records holds; a text that is cut off at its end is left out."""
    whole: Record | None = None
    for kind, size, place, count, eight in _RECORD.iter_unpack(tape.tobytes()):
        if kind == MORE:
            if whole is not None:
                whole.data += eight[:size]
        else:
            whole = Record(kind, size, place, count, *_VALUE.unpack(eight))
            whole.data = eight[:size] if kind in _BYTES else b""
            if kind not in _TEXTS or not count:
                yield whole
                whole = None
        if whole is not None and len(whole.data) >= whole.count:
            yield whole
            whole = None

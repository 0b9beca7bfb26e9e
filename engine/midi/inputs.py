"""What a player plays on: one protocol for hardware ports, the page's keyboards and files.

Runs on: audio process (audio callback; offline: whoever renders). Another kind of input is a file with a class like those here,
and one line where the audio process (or the render) gives it to `Player.add`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.link import Reader
from engine.midi.message import NO_CHANNEL, Kind, MidiMessage
from engine.midi.parser import Parser
from engine.transport.sample_clock import SampleClock

MOST_AT_ONCE = 16  # arrivals that one block takes, 12,000 a second: a device that floods does not cost the sound its block
PAGE = "page"  # ports of the page's visitors are named so, with the number of the visitor
DRAWN = "booth"  # the port of what visitors of the booth drew
MOST_WAITING = 1024  # messages that are due later
Arrival = tuple[int, str, Sequence[int] | None]  # (time_ns, name of the port, bytes; None when the port is gone)


class MidiInput(Protocol):
    """Something that is played on. Its ports' names are its own; a port that is lost says Kind.GONE."""

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        ...

    def due(self, first_frame: int, end_frame: int) -> Sequence[MidiMessage]:
        """Return the messages that sound in the block from `first_frame` to `end_frame`, each once, in order of time.

        Called for every block, by the audio callback: quick when there are none.
        """
        ...


class _Parsers:
    """A parser for each port, made with its first bytes."""

    def __init__(self) -> None:
        self._parsers: dict[str, Parser] = {}
        self._ignored_of_lost = 0

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._ignored_of_lost + sum(parser.ignored for parser in self._parsers.values())

    def ports(self) -> list[str]:
        """Return the ports that something came over."""
        return list(self._parsers)

    def feed(self, time_ns: int, port: str, data: Sequence[int] | None) -> list[MidiMessage]:
        """Take what came over a port; None: it is gone."""
        if data is None:
            parser = self._parsers.pop(port, None)
            self._ignored_of_lost += parser.ignored if parser else 0
            return [MidiMessage(time_ns, port, NO_CHANNEL, Kind.GONE)]
        if port not in self._parsers:
            self._parsers[port] = Parser(port)
        return self._parsers[port].feed(data, time_ns)


class PortInput:
    """The hardware ports: their threads stamp what comes and append it to `arrivals`."""

    def __init__(self) -> None:
        self.arrivals: deque[Arrival] = deque(maxlen=8192)
        # Line on which arrivals are due, when the device asks for so much at once that playing them
        # as soon as possible would blur their rhythm.
        self.clock: SampleClock | None = None
        # Told what is played now, as it came.
        self.on_heard: Callable[[str, Sequence[int] | None], object] = lambda _port, _data: None
        self._parsers = _Parsers()

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._parsers.ignored

    def due(self, first_frame: int, end_frame: int) -> Sequence[MidiMessage]:  # noqa: ARG002  (as the protocol has it)
        """Return what arrived, as far as it is due before `end_frame`."""
        if not self.arrivals:
            return ()
        found: list[MidiMessage] = []
        for _ in range(MOST_AT_ONCE):
            if not self.arrivals:
                break
            time_ns, port, data = self.arrivals[0]
            if self.clock is not None and self.clock.frame_at(time_ns) >= end_frame:
                break
            self.arrivals.popleft()
            self.on_heard(port, data)
            found += self._parsers.feed(time_ns, port, data)
        return found


class KeysInput:
    """The page's keyboards: each visitor who plays is a port of his own. Reads the ring `keys`."""

    def __init__(self, keys: Reader) -> None:
        self._keys = keys
        self._parsers = _Parsers()

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._parsers.ignored

    def due(self, first_frame: int, end_frame: int) -> Sequence[MidiMessage]:  # noqa: ARG002  (as the protocol has it)
        """Return what was pressed since the block before."""
        if not self._keys.is_behind():
            return ()
        found: list[MidiMessage] = []
        for time_ns, visitor, size, data in self._keys.read().tolist():
            if size:
                found += self._parsers.feed(time_ns, f"{PAGE} {visitor}", bytes(data[:size]))
            else:
                for port in [f"{PAGE} {visitor}"] if visitor else self._parsers.ports():
                    found += self._parsers.feed(time_ns, port, None)
        return found


class DrawnInput:
    """What visitors of the booth drew, which comes ahead of time and each at its frame. Reads the ring `booth`."""

    def __init__(self, drawn: Reader) -> None:
        self._drawn = drawn
        self._waiting: list[tuple[int, int, int, list[int]]] = []  # frame, order of arrival, size, bytes
        self._count = 0
        self._parsers = _Parsers()

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._parsers.ignored

    def due(self, first_frame: int, end_frame: int) -> Sequence[MidiMessage]:  # noqa: ARG002  (as the protocol has it)
        """Return what is to sound before `end_frame`."""
        if self._drawn.is_behind():
            for frame, size, data in self._drawn.read().tolist():
                self._count += 1
                if len(self._waiting) < MOST_WAITING:
                    heapq.heappush(self._waiting, (frame, self._count, size, data))
        if not self._waiting or self._waiting[0][0] >= end_frame:
            return ()
        found: list[MidiMessage] = []
        while self._waiting and self._waiting[0][0] < end_frame:
            _, _, size, data = heapq.heappop(self._waiting)
            found += self._parsers.feed(0, DRAWN, data[:size])
        return found

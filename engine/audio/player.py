"""The player's hearing: from the bytes of keyboards, pages and files to his notes, his wheel and his knobs.

Runs on: audio process (audio callback; offline: whoever renders). The ports' threads only append to `arrivals`.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from engine.core.config import Config
from engine.core.errors import ConfigError
from engine.core.link import Reader
from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND
from engine.core.parameters import Live, Parameter, Registry
from engine.jam.settings import of_controllers
from engine.midi.file_source import FileSource
from engine.midi.parser import Arrival, MidiMessage, Parser
from engine.transport.sample_clock import SampleClock


class PlayerSound(Protocol):
    """What the player's messages sound on: his track of the engine."""

    def begin_player(self, pitch: int, velocity: int) -> None:
        """Begin a note, `velocity` 1..127."""

    def end_player(self, pitch: int) -> None:
        """End a note."""

    def bend_player(self, bend: float) -> None:
        """Bend all notes by -1..1 of the wheel's way."""

    def tell_control(self, number: int, value: int) -> None:
        """Publish that a controller was moved."""

    def hush_player(self) -> None:
        """Free every voice."""


class Player:
    """Everything that the player plays on, each with its parser. Reads the ring `keys`; sets the parameters of midi.cc."""

    def __init__(self, keys: Reader, live: Live, config: Config, sound: PlayerSound, source: FileSource | None = None) -> None:
        """Raise ConfigError when midi.cc names what there is not."""
        self.notes_in = 0
        # Appended to by the ports' threads.
        self.arrivals: deque[Arrival] = deque(maxlen=8192)
        # Line on which arrivals are due, when the device asks for so much at once that playing them
        # as soon as possible would blur their rhythm.
        self.clock: SampleClock | None = None
        self._ignored_before = 0
        self._sound = sound
        self._live = live
        self._controllers = _controllers(config.midi.cc, live.registry)
        self._parsers: list[Parser] = []
        self._source = source
        self._source_port = self.add_port()
        self._keys = keys
        self._keys_port = self.add_port()

    def add_port(self) -> int:
        """Return the number of a new MIDI input, to be given with its bytes; before the first block."""
        self._parsers.append(Parser())
        return len(self._parsers) - 1

    def resume(self, notes_in: int, ignored: int) -> None:
        """Count on from where a process that died had counted."""
        self.notes_in, self._ignored_before = notes_in, ignored

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._ignored_before + sum(parser.ignored for parser in self._parsers)

    def release(self) -> None:
        """Forget what is held (panic): the sound itself is ended by whoever asks."""
        for parser in self._parsers:
            parser.release()

    def hear(self, frame: int, end: int) -> None:
        """Play what is due in the block from `frame` to `end`."""
        if self.arrivals:
            self._hear_ports(end)
        if self._keys.is_behind():
            self._hear_keys()
        if self._source is not None:
            self._hear_source(self._source, frame, end)

    def _hear_ports(self, end: int) -> None:
        while self.arrivals:
            time_ns, port, data = self.arrivals[0]
            if self.clock is not None and self.clock.frame_at(time_ns) >= end:
                break
            self.arrivals.popleft()
            parser = self._parsers[port]
            for heard in parser.release() if data is None else parser.feed(data):
                self._hear(heard)

    def _hear_keys(self) -> None:
        """Keys that were pressed on a page: a keyboard like any other."""
        parser = self._parsers[self._keys_port]
        for key in self._keys.read():
            for heard in parser.feed(bytes(key["data"][: key["size"]])):
                self._hear(heard)

    def _hear_source(self, source: FileSource, frame: int, end: int) -> None:
        parser = self._parsers[self._source_port]
        for data in source.due(frame, end):
            for heard in parser.feed(data):
                self._hear(heard)

    def _hear(self, heard: MidiMessage) -> None:
        kind = heard.kind
        if kind == NOTE_ON:
            self.notes_in += 1
            self._sound.begin_player(heard.number, int(heard.value))
        elif kind == NOTE_OFF:
            self._sound.end_player(heard.number)
        elif kind == PITCH_BEND:
            self._sound.bend_player(heard.value)
        elif kind == CONTROL:
            self._control(heard.number, int(heard.value))
            self._sound.tell_control(heard.number, int(heard.value))
        elif kind == ALL_OFF:
            self._sound.hush_player()

    def _control(self, number: int, value: int) -> None:
        for parameter in self._controllers.get(number, ()):
            if parameter.kind == "trigger":
                if value >= 64:
                    self._live.fire(parameter.id)
            else:
                self._live.set(parameter.id, parameter.from_share(value / 127))


def _controllers(cc: dict[str, int], registry: Registry) -> dict[int, list[Parameter]]:
    """Return the parameters each controller moves. Raises ConfigError that names every fault."""
    faults = of_controllers(cc, registry)
    if faults:
        raise ConfigError.of(faults)
    found: dict[int, list[Parameter]] = {}
    for key, number in cc.items():
        found.setdefault(number, []).append(registry[key])
    return found

"""What takes the numbers of the smooth tiers to lights and machines: one consumer for each output.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.core.config import Config
from engine.core.errors import AlgoritmoError, ConfigError
from engine.core.messages import INFO, WARNING
from engine.feed.signals.catalogue import Catalogue
from engine.feed.signals.sender import Consumer
from engine.feed.signals.signals import Signals, Wants
from engine.feed.targets import Outlet, open_udp
from engine.lights import plan as plans
from engine.lights.dmx import ARTNET_PORT, SACN_PORT, Packet, Universe, group_of, packets, shaped
from engine.lights.plan import Output, Plan, ToMidi
from engine.net.names import Names, is_address

GOODBYES = 3  # dark datagrams at the end, of which one may be lost
MIDI_HZ = 50.0
NOTE_ON, NOTE_OFF, CONTROL = 0x90, 0x80, 0xB0
FIND_NS = 5_000_000_000  # how long a host whose name nobody knows is left alone
Send = Callable[[bytes], object]
Tell = Callable[[int, str], None]


class DmxOutput:
    """The universes of one output, so many times a second."""

    def __init__(
        self,
        output: Output,
        universes: list[Universe],
        signals: Signals,
        names: Names | None = None,
        tell: Tell = lambda _level, _text: None,
    ) -> None:
        """`names` looks for a host that is given by name; `tell` is told where it is not found. Raises OSError when its
        address cannot be sent to."""
        self.rate_hz = output.rate_hz
        self._output, self._names, self._tell = output, names or Names(), tell
        self._again_ns = 0  # when a name that was not known is looked for again
        self._told = False
        self.wants = Wants(levels=any(u.wants_levels for u in universes))
        self._signals = signals
        self._universes = universes
        self._ways: list[tuple[Packet, Outlet, Callable[[], None]]] = []
        if not output.host or is_address(output.host):
            self._open(output.host)

    def _open(self, host: str) -> None:
        output = self._output
        port = output.port or (ARTNET_PORT if output.protocol == "artnet" else SACN_PORT)
        for packet in packets(output, self._universes, uuid.uuid4().bytes):
            to = host or group_of(packet.universe.number)
            way = open_udp(to, port, output.interface)
            self._ways.append((packet, Outlet(f"{to}:{port}", way.send), way.close))

    def _find(self, now_ns: int) -> None:
        """Look for a host that is given by name; the lights wait for it, nobody else does."""
        if now_ns < self._again_ns:
            return
        host = self._output.host
        try:
            address = self._names.look(host)
            if address is None:
                return
            self._open(address)
        except OSError as error:
            self._again_ns = now_ns + FIND_NS
            if not self._told:
                self._told = True
                self._tell(WARNING, f"lights: {host} is not reached ({error.strerror or error}); it is tried again")
            return
        if self._told:
            self._tell(INFO, f"lights: {host} is reached now")

    def tick(self, now_ns: int) -> None:
        """Send the universes of this moment."""
        if not self._ways:
            self._find(now_ns)
        for universe in self._universes:
            universe.fill(self._signals.values)
        for packet, outlet, _ in self._ways:
            outlet.send_all([packet.made()])

    def close(self) -> None:
        """Leave it dark."""
        for packet, outlet, close in self._ways:
            packet.universe.data[:] = 0
            for _ in range(GOODBYES):
                outlet.send_all([packet.made(end=True)])
            close()


class MidiOutput:
    """Signals as MIDI: sent where they change."""

    rate_hz = MIDI_HZ

    def __init__(self, wanted: list[ToMidi], signals: Signals, send: Send) -> None:
        """`send` takes one message."""
        catalogue = signals.catalogue
        self._signals, self._send = signals, send
        self._wanted = [(to, catalogue.index[to.signal]) for to in wanted]
        self._last = [-1] * len(wanted)  # value of a controller; 1 while a note sounds
        self.wants = Wants(levels=any(catalogue.signals[n].tier == "levels" for _, n in self._wanted))

    def tick(self, _now_ns: int) -> None:
        """Send what is otherwise now."""
        values = self._signals.values
        for place, (to, number) in enumerate(self._wanted):
            value = float(values[number])
            if to.cc is not None:
                share = to.low + float(shaped(np.array([value]), to.curve)[0]) * (to.high - to.low)
                self._control(place, to, round(127 * share))
            else:
                self._note(place, to, value)

    def _control(self, place: int, to: ToMidi, number: int) -> None:
        if number != self._last[place]:
            self._last[place] = number
            self._send(bytes([CONTROL | to.channel - 1, to.cc or 0, number]))

    def _note(self, place: int, to: ToMidi, value: float) -> None:
        sounds = self._last[place] == 1
        if not sounds and value >= to.threshold:
            velocity = max(round(127 * (to.low + value * (to.high - to.low))), 1)
            self._send(bytes([NOTE_ON | to.channel - 1, to.note or 0, velocity]))
            self._last[place] = 1
        elif sounds and value < to.threshold / 2:
            self._send(bytes([NOTE_OFF | to.channel - 1, to.note or 0, 0]))
            self._last[place] = 0

    def close(self) -> None:
        """End every note."""
        for place, (to, _) in enumerate(self._wanted):
            if to.note is not None and self._last[place] == 1:
                self._send(bytes([NOTE_OFF | to.channel - 1, to.note, 0]))


class Lights:
    """Everything in the file of lights: `consumers` for the pacer, `close` at the end."""

    def __init__(self, config: Config, signals: Signals, tell: Tell, names: Names) -> None:
        """What cannot be opened is told, and left out."""
        self._names = names
        self.consumers: list[Consumer] = []
        self._closing: list[Callable[[], object]] = []
        self._tell = tell
        if not config.lights.file:
            return
        try:
            plan = plans.load(Path(config.lights.file), signals.catalogue)
        except ConfigError as error:  # the file has changed since the supervisor read it
            tell(WARNING, f"no lights: {error}")
            return
        for number, output in enumerate(plan.outputs):
            self._open_dmx(number, output, plan, signals)
        self._open_midi(config, plan, signals)

    def _open_dmx(self, number: int, output: Output, plan: Plan, signals: Signals) -> None:
        universes = [Universe(universe, plan, signals.catalogue) for universe in dict.fromkeys(output.universes)]
        try:
            opened = DmxOutput(output, universes, signals, self._names, self._tell)
        except (OSError, ValueError) as error:
            host = output.host or "its multicast groups"
            self._tell(WARNING, f"lights: outputs.{number}: {host} cannot be sent to ({error}); correct it or take it out")
            return
        self.consumers.append(opened)
        self._closing.append(opened.close)
        self._tell(INFO, f"lights: {output.protocol} universes {', '.join(map(str, output.universes))}")

    def _open_midi(self, config: Config, plan: Plan, signals: Signals) -> None:
        if not plan.midi:
            return
        import rtmidi

        from engine.midi import ports

        names = list(dict.fromkeys(to.port for to in plan.midi))
        backend, _ = ports.backend_of(config.midi.backend, False)
        if backend == "none":
            self._tell(WARNING, "lights: midi.backend is none: no signal leaves as MIDI")
            return
        for name in names:
            out = ports.Outputs((name,), ports.maker(backend, rtmidi.MidiOut), self._tell)
            try:
                ports.open_all([out])
            except AlgoritmoError as error:
                self._tell(WARNING, f"lights: {error}")
                continue
            consumer = MidiOutput([to for to in plan.midi if to.port == name], signals, out.send)
            self.consumers.append(consumer)
            self._closing += [consumer.close, out.close]

    def close(self) -> None:
        """Leave the lights dark and every note ended."""
        for close in self._closing:
            close()


def check(config: Config, catalogue: Catalogue) -> None:
    """Read the file of lights, where there is one. Raises ConfigError that names every fault."""
    if config.lights.file:
        plans.load(Path(config.lights.file), catalogue)

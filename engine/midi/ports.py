"""MIDI ports: what the player's keyboard and the network's instruments are plugged into.

Runs on: audio process. Opened, watched and closed by the control thread; python-rtmidi's own threads call in with what arrives
and only stamp it and append it to a deque.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import rtmidi

from engine.core.errors import DeviceError
from engine.core.messages import INFO, WARNING
from engine.core.realtime import SOUND, be_urgent
from engine.midi.inputs import Arrival
from engine.midi.message import CONTROL_CHANGE, NOTES_OFF

LONGEST = 256  # bytes of a message that is looked at
CLIENT = "Algoritmo"  # our name in the lists of other programs
VIRTUAL = "virtual"  # the configuration's word for a port of our own
APIS = {
    "alsa": rtmidi.API_LINUX_ALSA,
    "jack": rtmidi.API_UNIX_JACK,
    "coremidi": rtmidi.API_MACOSX_CORE,
    "winmm": rtmidi.API_WINDOWS_MM,
}
REMEDIES = {
    "alsa": "load the kernel's sequencer (modprobe snd-seq), or set midi.backend to jack or none",
    "jack": "start the JACK server (jackd -d alsa), or set midi.backend to alsa or none",
    "coremidi": "set midi.backend to auto or none",
    "winmm": "set midi.backend to auto or none",
}

# Our own ports, as `Ports` opens them and as the backends list them; JACK numbers clients of one name.
_OWN = re.compile(rf"({CLIENT}(-\d+)?:)?{CLIENT} (input|output)( \d+)?")

Make = Callable[[], Any]  # makes a rtmidi.MidiIn or MidiOut
Tell = Callable[[int, str], None]


def backend_of(wanted: str, device_is_jack: bool) -> tuple[str, str]:
    """Return the backend that `midi.backend` means here, and what to tell about it, if anything."""
    if wanted != "auto":
        return wanted, ""
    if sys.platform == "darwin":
        return "coremidi", ""
    if sys.platform == "win32":
        return "winmm", ""
    with contextlib.suppress(OSError), open("/dev/snd/seq", "rb"):
        return "alsa", ""
    if device_is_jack:
        return "jack", ""
    return "none", "no MIDI here: /dev/snd/seq cannot be opened (modprobe snd-seq) and the sound does not go to JACK"


def maker(backend: str, direction: type[Any]) -> Make:
    """Return what makes a client of this backend; `direction` is rtmidi.MidiIn or rtmidi.MidiOut. It raises DeviceError."""

    def make() -> Any:
        if APIS[backend] not in rtmidi.get_compiled_api():
            raise DeviceError(f"midi.backend: {backend} is not to be had on this system; set it to auto")
        try:
            return direction(APIS[backend], name=CLIENT)
        except rtmidi.RtMidiError as error:
            raise DeviceError(f"midi.backend: {backend} does not answer ({error}); {REMEDIES[backend]}") from error

    return make


def find(wanted: str | int, ports: Sequence[str]) -> int | None:
    """Return the index of the port that `wanted` means: its name, a part of its name, or its number; None when there is none.

    A number as text is looked for among the names first: Keystation 61 is meant by "61". Raises DeviceError that lists the
    candidates when there are several.
    """
    if isinstance(wanted, int) and 0 <= wanted < len(ports):
        return wanted
    word = str(wanted).casefold()
    others = {i: bare(name).casefold() for i, name in enumerate(ports) if not _OWN.fullmatch(bare(name))}
    part = rf"(?<!\d){word}(?!\d)" if word.isdigit() else re.escape(word)
    for matches in (
        [i for i, name in others.items() if word in (name, ports[i].casefold())],
        [i for i, name in others.items() if re.search(part, name) or (not word.isdigit() and word in ports[i].casefold())],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = "\n".join(f"  {ports[i]}" for i in matches)
            raise DeviceError(f"MIDI port {wanted!r} may mean any of these; write more of its name\n{names}")
    return int(word) if word.isdigit() and int(word) < len(ports) else None


def bare(name: str) -> str:
    """Return a port's name without the numbers that ALSA appends: they change whenever the device is plugged in."""
    return re.sub(r" \d+:\d+$", "", name)


class Ports:
    """The ports of one direction: one of our own, and named ones that may come and go."""

    def __init__(
        self,
        names: Sequence[str | int],
        what: str,
        make: Make,
        tell: Tell,
        on_open: Callable[[str, Any], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """`what`: input or output. `on_open(name, port)` and `on_lost(name)` are told; no two open ports are called alike."""
        self._names = list(names)
        self._what = what
        self._make, self._tell, self._on_open, self._on_lost = make, tell, on_open, on_lost
        self._open: dict[int, tuple[Any, str]] = {}  # place among the names -> (port, its full name)
        self._complaints: set[str] = set()
        self._query: Any = None  # one client for all looking: a new one each time would exhaust ALSA

    @property
    def watches(self) -> bool:
        """Whether there are names to look for."""
        return any(name != VIRTUAL for name in self._names)

    @property
    def connected(self) -> list[str]:
        """Full names of what is open."""
        return [name for _, name in self._open.values()]

    @property
    def waits_for(self) -> list[str]:
        """Names of those that are not there."""
        return [str(name) for _, name in self._missing()]

    def open(self) -> None:
        """Open what is there, and say what is waited for. Raises DeviceError that names every port that cannot be had."""
        if self.watches:
            self._query = self._make()
        faults = []
        present: list[str] = []
        # Our own first: a port that appears moves the numbers of the others.
        for place, name in sorted(enumerate(self._names), key=lambda each: each[1] != VIRTUAL):
            if name != VIRTUAL and not present:
                present = self._present()
            try:
                self._open_at_start(place, name, present)
            except DeviceError as error:
                faults.append(str(error))
        if faults:
            raise DeviceError("\n".join(faults))

    def _open_at_start(self, place: int, name: str | int, present: list[str]) -> None:
        if name == VIRTUAL:
            self._open_virtual(place)
            return
        index = find(name, present)
        if index is None:
            self._tell(WARNING, f"MIDI {self._what} {name!r} is not there: waiting for it{_listed(present)}")
        else:
            self._connect(place, index, present[index])

    def poll(self) -> None:
        """Notice what was unplugged and what came (back); about once a second."""
        if not self.watches:
            return
        present = self._present()
        for place, (port, full_name) in list(self._open.items()):
            if self._names[place] != VIRTUAL and full_name not in present:
                called = self._called(place, full_name)
                del self._open[place]
                self._close(port)
                self._on_lost(called)
                self._tell(WARNING, f"MIDI {self._what} {full_name!r} is gone: waiting for {self._names[place]!r}")
        for place, name in self._missing():
            try:
                index = find(name, present)
                if index is not None:
                    self._connect(place, index, present[index])
                    self._tell(INFO, f"MIDI {self._what} {present[index]!r} is connected")
            except DeviceError as error:  # busy, or two of a kind appeared: said once, and tried again
                if str(error) not in self._complaints:
                    self._complaints.add(str(error))
                    self._tell(WARNING, str(error))

    def close(self) -> None:
        """Close everything."""
        for port, _ in self._open.values():
            self._close(port)
        self._open.clear()
        self._query = None

    def _called(self, place: int, full_name: str) -> str:
        """Return what a port is called: its full name, and where a port before it has the same, its place too."""
        alike = any(before < place and name == full_name for before, (_, name) in self._open.items())
        return f"{full_name} #{place + 1}" if alike else full_name

    def _missing(self) -> list[tuple[int, str | int]]:
        return [(i, name) for i, name in enumerate(self._names) if name != VIRTUAL and i not in self._open]

    def _present(self) -> list[str]:
        if self._query is None:
            return []
        try:
            return list(self._query.get_ports())
        except rtmidi.RtMidiError:  # the server is gone, and all ports with it
            return []

    def _open_virtual(self, place: int) -> None:
        port = self._make()
        name = f"{CLIENT} {self._what}"
        self._on_open(self._called(place, f"{CLIENT}:{name}"), port)
        try:
            port.open_virtual_port(name)
        except (rtmidi.RtMidiError, NotImplementedError) as error:
            raise DeviceError(
                f"midi.{self._what}s: this system has no virtual MIDI ports ({error}); "
                "name a port instead (algoritmo devices lists them), on Windows one of loopMIDI's"
            ) from error
        self._open[place] = (port, f"{CLIENT}:{name}")

    def _close(self, port: Any) -> None:
        # The callback first: a message that arrives while the port closes would call into what is being taken down.
        if self._what == "input":
            port.cancel_callback()
        with contextlib.suppress(rtmidi.RtMidiError):
            port.close_port()

    def _connect(self, place: int, index: int, full_name: str) -> None:
        port = self._make()
        self._on_open(self._called(place, full_name), port)
        try:
            port.open_port(index, f"{CLIENT} {self._what} {place + 1}")
        except rtmidi.RtMidiError as error:
            self._close(port)
            fault = f"MIDI {self._what} {full_name!r} cannot be opened ({error}); close the program that uses it"
            raise DeviceError(fault) from error
        self._open[place] = (port, full_name)


def _no_less_urgent() -> None:
    """Let the calling thread wait for nothing that the sound does not wait for: it holds Python's lock for a moment."""
    be_urgent(SOUND)


def inputs(
    names: Sequence[str | int],
    make: Make,
    tell: Tell,
    arrivals: deque[Arrival],
    on_thread: Callable[[], None] = _no_less_urgent,
) -> Ports:
    """Return the input ports; what comes in is stamped and appended to `arrivals` with the port's name.

    `on_thread` is called once on the thread of each port, when its first message comes.
    """

    def on_open(name: str, port: Any) -> None:
        known = False

        def arrived(event: tuple[list[int], float], _data: object = None) -> None:
            nonlocal known
            if len(event[0]) > LONGEST:
                return  # nothing that is played is so long
            arrivals.append((time.perf_counter_ns(), name, event[0]))
            if not known:
                known = True
                on_thread()

        port.ignore_types(timing=False)  # a clock may lead the band
        port.set_callback(arrived)

    def on_lost(name: str) -> None:
        arrivals.append((time.perf_counter_ns(), name, None))

    return Ports(names, "input", make, tell, on_open, on_lost)


class Outputs(Ports):
    """The output ports; every message goes to all of them, but for those that get some channels only."""

    def __init__(
        self, names: Sequence[str | int], make: Make, tell: Tell, only: Mapping[str, Collection[int]] | None = None
    ) -> None:
        """`only`: channels, from 0, that ports get alone, by their names as in `names`."""
        self._only = {names.index(name): only[str(name)] for name in names if only and str(name) in only}
        super().__init__(names, "output", make, tell, lambda _name, _port: None, lambda _name: None)

    def _connect(self, place: int, index: int, full_name: str) -> None:
        """End what the synth may hold still: its cable was pulled, or the process that played it before died."""
        super()._connect(place, index, full_name)
        for channel in range(16):
            with contextlib.suppress(rtmidi.RtMidiError):
                self._open[place][0].send_message([CONTROL_CHANGE | channel, NOTES_OFF, 0])

    def send(self, message: Sequence[int]) -> None:
        """Send one message now. The MIDI output's thread."""
        for place, (port, _) in list(self._open.items()):
            if place in self._only and message[0] & 0xF not in self._only[place]:
                continue
            with contextlib.suppress(rtmidi.RtMidiError):  # unplugged a moment ago; `poll` will tell
                port.send_message(message)


def _listed(ports: Sequence[str]) -> str:
    return f" (there are: {', '.join(ports)})" if ports else ""


def open_all(these: Sequence[Ports]) -> None:
    """Open the ports of every direction. Raises DeviceError that names every one that cannot be had."""
    faults = []
    for ports in these:
        try:
            ports.open()
        except DeviceError as error:
            faults.append(str(error))
    if faults:
        raise DeviceError("\n".join(faults))

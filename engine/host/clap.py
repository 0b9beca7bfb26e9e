"""CLAP plugins, hosted over ctypes: no library stands between.

Runs on: host process. What the interface asks of threads is kept: `process` is called by one thread, everything else by the
main one; what a plugin asks for from any thread is only noted, and done in `idle`.
"""

from __future__ import annotations

import ctypes as c
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.core.errors import PluginError
from engine.host import clap_abi as abi
from engine.host.plugin import CHANNELS, MIDI, NOTE_CHOKE, NOTE_OFF, NOTE_ON, PARAMETER, About, Event, Knob, Moment, strength

FORMAT = "clap"
SUFFIX = ".clap"
MOST_EVENTS = 512  # of a block; what is more comes in the next one
MOST_KNOBS = 4096
MOST_STATE_BYTES = 64 << 20
_KINDS = {NOTE_ON: abi.NOTE_ON, NOTE_OFF: abi.NOTE_OFF, NOTE_CHOKE: abi.NOTE_CHOKE}
_STATUS = {NOTE_ON: 0x90, NOTE_OFF: 0x80, NOTE_CHOKE: 0x80}


def folders() -> list[Path]:
    """Return where CLAP plugins lie on this system, the user's own first."""
    if sys.platform == "darwin":
        return [Path.home() / "Library/Audio/Plug-Ins/CLAP", Path("/Library/Audio/Plug-Ins/CLAP")]
    if sys.platform == "win32":
        return [Path.home() / "AppData/Local/Programs/Common/CLAP", Path("C:/Program Files/Common Files/CLAP")]
    return [Path.home() / ".clap", Path("/usr/local/lib/clap"), Path("/usr/lib/clap")]


def scan(path: Path) -> list[About]:
    """Return every plugin of a file, each loaded once. Raises PluginError."""
    library = Library(path)
    found = []
    for descriptor in library.descriptors():
        plugin = ClapPlugin(library, descriptor.id.decode())
        found.append(plugin.about)
        plugin.close()
    return found


def load(path: Path, plugin_id: str = "") -> ClapPlugin:
    """Load a plugin of a file, its first unless an id says which. Raises PluginError."""
    library = Library(path)
    ids = [descriptor.id.decode() for descriptor in library.descriptors()]
    if not ids:
        raise PluginError(f"{path}: there is no plugin in it")
    if plugin_id and plugin_id not in ids:
        raise PluginError(f"{path}: there is no plugin {plugin_id!r} in it, but {', '.join(ids)}")
    return ClapPlugin(library, plugin_id or ids[0])


class Library:
    """A .clap file that was opened; it stays open as long as the process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path
        if path.is_dir():  # macOS: a bundle
            file = next(iter(sorted((path / "Contents/MacOS").glob("*"))), path)
        try:
            self._library = c.CDLL(str(file))
            self._entry = abi.Entry.in_dll(self._library, "clap_entry")
        except (OSError, ValueError) as error:
            raise PluginError(f"{path}: is no CLAP plugin for this machine ({error})") from error
        if self._entry.clap_version.major < 1:
            raise PluginError(f"{path}: was made for a draft of CLAP; ask its maker for a newer version")
        if not self._entry.init(str(path).encode()):
            raise PluginError(f"{path}: does not start")
        factory = self._entry.get_factory(abi.FACTORY)
        if not factory:
            raise PluginError(f"{path}: there is no plugin in it")
        self.factory = c.cast(factory, abi.FactoryP)

    def descriptors(self) -> Iterator[abi.Descriptor]:
        """Yield what the file says of each of its plugins."""
        for index in range(self.factory.contents.get_plugin_count(self.factory)):
            descriptor = self.factory.contents.get_plugin_descriptor(self.factory, index)
            if descriptor and descriptor.contents.id:
                yield descriptor.contents


class _Host:
    """What a plugin may ask of us. Everything is noted; ClapPlugin.idle does it."""

    def __init__(self) -> None:
        self.callback = self.restart = self.rescan = self.latency = False
        self.audio_thread = 0
        self.timers: dict[int, tuple[float, float]] = {}  # id -> period in s, due at
        main = threading.get_ident()

        def note(what: str) -> Any:
            return lambda *_: setattr(self, what, True)

        nothing = abi.HostCall(lambda _: None)
        self._extensions: dict[bytes, Any] = {
            b"clap.latency": (abi.HostCall(note("latency")),),
            b"clap.params": (abi.HostFlags(note("rescan")), abi.HostClear(lambda *_: None), nothing),
            b"clap.state": (nothing,),
            b"clap.audio-ports": (abi.HostAskFlags(lambda *_: True), abi.HostFlags(note("restart"))),
            b"clap.note-ports": (abi.HostCount(lambda _: abi.DIALECT_CLAP | abi.DIALECT_MIDI), abi.HostFlags(lambda *_: None)),
            b"clap.thread-check": (
                abi.HostAsk(lambda _: threading.get_ident() == main),
                abi.HostAsk(lambda _: threading.get_ident() == self.audio_thread),
            ),
            b"clap.timer-support": (abi.HostTimer(self._register), abi.HostAskFlags(self._unregister)),
            b"clap.log": (abi.HostLog(lambda *_: None),),
        }
        self._tables = {
            name: (c.c_void_p * len(calls))(*(c.cast(f, c.c_void_p) for f in calls)) for name, calls in self._extensions.items()
        }
        self._calls = (abi.HostGet(self._get), abi.HostCall(note("restart")), nothing, abi.HostCall(note("callback")))
        self.record = abi.Host(abi.Version(1, 1, 1), None, b"Algoritmo", b"Algoritmo", b"", __version__.encode(), *self._calls)

    def _get(self, _host: int, name: bytes) -> int | None:
        table = self._tables.get(name)
        return None if table is None else c.addressof(table)

    def _register(self, _host: int, period_ms: int, timer: Any) -> bool:
        number = max(self.timers, default=0) + 1
        self.timers[number] = (max(period_ms, 10) / 1e3, time.monotonic())
        timer[0] = number
        return True

    def _unregister(self, _host: int, timer: int) -> bool:
        return self.timers.pop(timer, None) is not None


class _Bus:
    """The audio ports of one direction, and their memory: the first is the main one, the second the side-chain."""

    def __init__(self, channels: list[int], frames: int) -> None:
        self.buffers = (abi.AudioBuffer * max(len(channels), 1))()
        self.count = len(channels)
        self._pointers = []
        self.memory = []  # (channels, frames) of each port
        for number, width in enumerate(channels):
            memory = np.zeros((width, frames), np.float32)
            pointers = (c.c_void_p * max(width, 1))(*(memory[i].ctypes.data for i in range(width)))
            self.buffers[number].data32 = c.cast(pointers, c.POINTER(c.c_void_p))
            self.buffers[number].channel_count = width
            self._pointers.append(pointers)
            self.memory.append(memory)


class ClapPlugin:
    """One plugin of a .clap file; see `Plugin`."""

    def __init__(self, library: Library, plugin_id: str) -> None:
        self._host = _Host()
        self._library = library
        self._plugin = library.factory.contents.create_plugin(library.factory, c.byref(self._host.record), plugin_id.encode())
        if not self._plugin or not self._plugin.contents.init(self._plugin):
            raise PluginError(f"{library.path}: {plugin_id} does not start")
        self._at = self._plugin.contents
        self.changed = False
        self.latency_frames = 0
        self._is_active = self._is_processing = False
        self._rate_hz = 48000.0
        self._params = self._extension(b"clap.params", abi.Params)
        self._state = self._extension(b"clap.state", abi.State)
        self._latency = self._extension(b"clap.latency", abi.Latency)
        self._timer = self._extension(b"clap.timer-support", abi.TimerSupport)
        self._ports = self._extension(b"clap.audio-ports", abi.AudioPorts)
        self._uses_midi = self._takes_notes = False
        self._read_note_ports()
        self.knobs: list[Knob] = []
        self._ids: list[tuple[int, int | None]] = []  # id and cookie of each knob
        self._read_knobs()
        self._make_events()
        self.about = self._about()

    # --- what it is -------------------------------------------------------------------------------------------------------

    def _extension(self, name: bytes, of: Any) -> Any:
        found = self._at.get_extension(self._plugin, name)
        return c.cast(found, c.POINTER(of)).contents if found else None

    def _about(self) -> About:
        says = self._at.desc.contents
        features: list[bytes] = []
        while says.features and says.features[len(features)] is not None:
            features.append(says.features[len(features)])
        return About(
            FORMAT,
            says.id.decode(),
            (says.name or says.id).decode(errors="replace"),
            str(self._library.path),
            (says.vendor or b"").decode(errors="replace"),
            (says.version or b"").decode(errors="replace"),
            b"instrument" in features,
            len(self._widths(True)) > 1,
            len(self.knobs),
        )

    def _widths(self, is_input: bool) -> list[int]:
        """Return how many channels each audio port of a direction has."""
        if self._ports is None:
            return []
        found = []
        info = abi.AudioPortInfo()
        for index in range(min(self._ports.count(self._plugin, is_input), 16)):
            ok = self._ports.get(self._plugin, index, is_input, c.byref(info))
            found.append(min(int(info.channel_count), 64) if ok else 0)
        return found

    def _read_note_ports(self) -> None:
        ports = self._extension(b"clap.note-ports", abi.NotePorts)
        if ports is None or not ports.count(self._plugin, True):
            return
        info = abi.NotePortInfo()
        if ports.get(self._plugin, 0, True, c.byref(info)):
            self._takes_notes = True
            self._uses_midi = not info.supported_dialects & abi.DIALECT_CLAP
            self._hears_midi = bool(info.supported_dialects & abi.DIALECT_MIDI)

    _hears_midi = False

    def _read_knobs(self) -> None:
        self.knobs, self._ids = [], []
        if self._params is None:
            return
        info = abi.ParamInfo()
        for index in range(min(self._params.count(self._plugin), MOST_KNOBS)):
            if not self._params.get_info(self._plugin, index, c.byref(info)):
                continue
            if info.flags & (abi.PARAM_HIDDEN | abi.PARAM_READONLY) or not info.min_value < info.max_value:
                continue
            steps = 0
            if info.flags & abi.PARAM_STEPPED and info.max_value - info.min_value < 1000:
                steps = round(info.max_value - info.min_value) + 1
            name = info.name.decode(errors="replace")
            default = min(max(info.default_value, info.min_value), info.max_value)
            self._ids.append((int(info.id), info.cookie))
            labels = self._labels(int(info.id), info.min_value, steps) if 2 <= steps <= 32 else ()
            self.knobs.append(Knob(str(info.id), name, info.min_value, info.max_value, default, steps, labels))

    def _labels(self, param_id: int, first: float, steps: int) -> tuple[str, ...]:
        found = [self._text(param_id, first + step) for step in range(steps)]
        return tuple(found) if all(found) else ()

    def _text(self, param_id: int, value: float) -> str:
        text = c.create_string_buffer(256)
        if not self._params.value_to_text(self._plugin, param_id, value, text, len(text)):
            return ""
        return text.value.decode(errors="replace")

    def value(self, index: int) -> float:
        """See Plugin."""
        found = c.c_double()
        if not self._params.get_value(self._plugin, self._ids[index][0], c.byref(found)):
            return self.knobs[index].default
        return found.value

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        return self._text(self._ids[index][0], value)

    # --- a block ----------------------------------------------------------------------------------------------------------

    def activate(self, rate_hz: float, frames: int) -> None:
        """See Plugin."""
        self.deactivate()
        self._rate_hz, self._frames = rate_hz, frames
        self._make_buses(frames)
        if not self._at.activate(self._plugin, rate_hz, 1, frames):
            raise PluginError(f"{self.about.name}: does not run at {rate_hz:.0f} Hz with blocks of {frames} frames")
        self._is_active = True
        self.latency_frames = self._declared_latency()

    def deactivate(self) -> None:
        """Stop it, so that it can be activated anew."""
        if self._is_processing:
            self._at.stop_processing(self._plugin)
        if self._is_active:
            self._at.deactivate(self._plugin)
        self._is_active = self._is_processing = False

    def _declared_latency(self) -> int:
        return 0 if self._latency is None else min(int(self._latency.get(self._plugin)), 1 << 20)

    def _make_buses(self, frames: int) -> None:
        ins, outs = self._widths(True), self._widths(False)
        self._in, self._out = _Bus(ins, frames), _Bus(outs, frames)
        self._process = abi.Process(
            steady_time=-1,
            frames_count=frames,
            transport=c.pointer(self._transport),
            audio_inputs=self._in.buffers,
            audio_outputs=self._out.buffers,
            audio_inputs_count=len(ins),
            audio_outputs_count=len(outs),
            in_events=c.pointer(self._in_events),
            out_events=c.pointer(self._out_events),
        )
        self._process_p = c.byref(self._process)

    def _make_events(self) -> None:
        size = max(c.sizeof(abi.NoteEvent), c.sizeof(abi.ParamEvent), c.sizeof(abi.MidiEvent))
        self._event_memory = c.create_string_buffer(MOST_EVENTS * size)
        base = c.addressof(self._event_memory)
        self._addresses = [base + i * size for i in range(MOST_EVENTS)]
        self._notes = [abi.NoteEvent.from_address(at) for at in self._addresses]
        self._turns = [abi.ParamEvent.from_address(at) for at in self._addresses]
        self._midi = [abi.MidiEvent.from_address(at) for at in self._addresses]
        self._count = 0
        # The plugin calls these within `process`, on its thread.
        calls = (
            abi.EventsSize(lambda _: self._count),
            abi.EventsGet(lambda _, i: self._addresses[i] if i < self._count else None),
            abi.EventsPush(lambda *_: True),
        )
        self._in_events = abi.InputEvents(None, calls[0], calls[1])
        self._out_events = abi.OutputEvents(None, calls[2])
        self._transport = abi.TransportEvent(abi.Header(c.sizeof(abi.TransportEvent), 0, 0, abi.TRANSPORT, 0))

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin."""
        if not self._is_processing:
            self._host.audio_thread = threading.get_ident()
            self._is_processing = bool(self._at.start_processing(self._plugin))
            if not self._is_processing:
                out.fill(0.0)
                return
        frames = out.shape[1]
        self._count = 0
        for event in events[:MOST_EVENTS]:
            self._add(event)
        self._tell_moment(at)
        self._process.frames_count = frames
        self._process.steady_time = at.frame
        for memory, given in zip(self._in.memory, (inputs, side), strict=False):
            _spread(given, memory, frames)
        status = self._at.process(self._plugin, self._process_p)
        self._count = 0
        if status == abi.PROCESS_ERROR or not self._out.count:
            out.fill(0.0)
            return
        _spread(self._out.memory[0][:, :frames], out, frames)

    def _add(self, event: Event) -> None:
        offset, kind, a, b, d, index, value = event
        n = self._count
        if kind == PARAMETER:
            if index >= len(self._ids):
                return
            param_id, cookie = self._ids[index]
            self._turns[n].__init__(  # type: ignore[misc]  # fills the record in place
                abi.Header(c.sizeof(abi.ParamEvent), offset, 0, abi.PARAM_VALUE, 0), param_id, cookie, -1, -1, -1, -1, value
            )
        elif kind == MIDI or self._uses_midi:
            data = (a, b, d) if kind == MIDI else (_STATUS[kind] | (a & 15), b, strength(kind, value))
            if not (self._hears_midi or self._uses_midi):
                return
            self._midi[n].__init__(  # type: ignore[misc]
                abi.Header(c.sizeof(abi.MidiEvent), offset, 0, abi.MIDI, 0), 0, (c.c_uint8 * 3)(*data)
            )
        else:
            self._notes[n].__init__(  # type: ignore[misc]
                abi.Header(c.sizeof(abi.NoteEvent), offset, 0, _KINDS[kind], 0), -1, 0, a, b, value
            )
        self._count = n + 1

    def _tell_moment(self, at: Moment) -> None:
        moment = self._transport
        moment.flags = (
            abi.HAS_TEMPO | abi.HAS_BEATS | abi.HAS_SECONDS | abi.HAS_SIGNATURE | (abi.IS_PLAYING if at.is_playing else 0)
        )
        moment.song_pos_beats = round(at.beat * abi.FIXED)
        moment.song_pos_seconds = round(at.frame / self._rate_hz * abi.FIXED)
        moment.tempo = at.tempo_bpm
        moment.bar_start = round(at.bar_beat * abi.FIXED)
        moment.bar_number = at.bar
        moment.tsig_num, moment.tsig_denom = at.numerator, at.denominator

    # --- beside the sound -------------------------------------------------------------------------------------------------

    def idle(self) -> None:
        """See Plugin."""
        host = self._host
        if host.callback:
            host.callback = False
            self._at.on_main_thread(self._plugin)
        now = time.monotonic()
        for timer, (period_s, due_s) in list(host.timers.items()):
            if now >= due_s and self._timer is not None:
                host.timers[timer] = (period_s, now + period_s)
                self._timer.on_timer(self._plugin, timer)
        if host.rescan:
            host.rescan = False
            self._read_knobs()
            self.changed = True
        if host.latency:
            host.latency = False
            self.latency_frames = self._declared_latency()
            self.changed = True

    @property
    def wants_restart(self) -> bool:
        """Whether it asked to be activated anew; whoever processes it must have stopped doing so then."""
        return self._host.restart

    def restart(self) -> None:
        """Activate it anew, as it asked for. Raises PluginError."""
        self._host.restart = False
        if self._is_active:
            self.activate(self._rate_hz, self._frames)
            self.changed = True

    def state(self) -> bytes:
        """See Plugin."""
        if self._state is None:
            return b""
        kept = bytearray()

        def write(_stream: int, data: int, size: int) -> int:
            if len(kept) + size > MOST_STATE_BYTES:
                return -1
            kept.extend(c.string_at(data, size))
            return size

        call = abi.StreamCall(write)
        if not self._state.save(self._plugin, c.byref(abi.Stream(None, call))):
            raise PluginError(f"{self.about.name}: does not give its state")
        return bytes(kept)

    def restore(self, state: bytes) -> None:
        """See Plugin."""
        if self._state is None or not state:
            return
        place = 0

        def read(_stream: int, data: int, size: int) -> int:
            nonlocal place
            part = state[place : place + size]
            c.memmove(data, part, len(part))
            place += len(part)
            return len(part)

        call = abi.StreamCall(read)
        if not self._state.load(self._plugin, c.byref(abi.Stream(None, call))):
            raise PluginError(f"{self.about.name}: refuses the state; it may be of another version")

    def load_preset(self, name: str) -> None:
        """See Plugin."""
        raise PluginError(f"{self.about.name}: has no preset {name!r}; CLAP plugins keep theirs themselves")

    def close(self) -> None:
        """See Plugin."""
        if self._plugin:
            self.deactivate()
            self._at.destroy(self._plugin)
            self._plugin = None


def _spread(given: np.ndarray, taken: np.ndarray, frames: int) -> None:
    """Copy one port into another, float32 (channels, frames): mono is heard on both sides, stereo becomes its mean."""
    if not len(taken):
        return
    if not len(given):
        taken[:, :frames] = 0.0
    elif len(given) == len(taken):
        taken[:, :frames] = given[:, :frames]
    elif len(taken) == 1:
        np.mean(given[:CHANNELS, :frames], axis=0, out=taken[0, :frames])
    else:
        taken[:, :frames] = 0.0
        taken[:CHANNELS, :frames] = given[:CHANNELS, :frames] if len(given) > 1 else given[0, :frames]

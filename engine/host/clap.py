"""CLAP plugins, hosted over ctypes: no library stands between.

Runs on: host process. What the interface asks of threads is kept: `process` is called by one thread, everything else by the
main one; what a plugin asks for from any thread is only noted, and done in `idle`.
"""

from __future__ import annotations

import ctypes as c
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import PluginError
from engine.host import clap_abi as abi
from engine.host.clap_events import Events
from engine.host.clap_gui import ClapEditor
from engine.host.clap_host import Bus, Host, Library, spread
from engine.host.clap_knobs import Knobs
from engine.host.clap_presets import LOADS, Preset, PresetLoad, presets_of
from engine.host.plugin import About, Event, Knob, Moment

FORMAT = "clap"
SUFFIX = ".clap"
MOST_STATE_BYTES = 64 << 20


def scan(path: Path) -> list[About]:
    """Return every plugin of a file, each loaded once. Raises PluginError."""
    library = Library(path)
    found = []
    for descriptor in library.descriptors():
        plugin = ClapPlugin(library, descriptor.id.decode())
        found.append(replace(plugin.about, presets=tuple(preset.name for preset in plugin.presets())))
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


class ClapPlugin:
    """One plugin of a .clap file; see `Plugin`."""

    def __init__(self, library: Library, plugin_id: str) -> None:
        self._host = Host()
        self._library = library
        self._plugin = library.factory.contents.create_plugin(library.factory, c.byref(self._host.record), plugin_id.encode())
        if not self._plugin or not self._plugin.contents.init(self._plugin):
            raise PluginError(f"{library.path}: {plugin_id} does not start")
        self._at = self._plugin.contents
        self.changed = False
        self.latency_frames = 0
        self._is_active = self._is_processing = False
        self._rate_hz = 48000.0
        self._state = self._extension(b"clap.state", abi.State)
        self._latency = self._extension(b"clap.latency", abi.Latency)
        self._timer = self._extension(b"clap.timer-support", abi.TimerSupport)
        self._files = self._extension(b"clap.posix-fd-support", abi.FdSupport)
        self._ports = self._extension(b"clap.audio-ports", abi.AudioPorts)
        self._preset_load = next(filter(None, (self._extension(name, PresetLoad) for name in LOADS)), None)
        self._knobs = Knobs(self._plugin, self._extension(b"clap.params", abi.Params))
        self._events = Events(self._knobs, *self._dialects())
        self.about = self._about()

    @property
    def knobs(self) -> list[Knob]:
        """See Plugin."""
        return self._knobs.knobs

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

    def _dialects(self) -> tuple[bool, bool]:
        """Return whether it hears CLAP's own notes, and whether it hears MIDI."""
        ports = self._extension(b"clap.note-ports", abi.NotePorts)
        info = abi.NotePortInfo()
        if ports is None or not ports.count(self._plugin, True) or not ports.get(self._plugin, 0, True, c.byref(info)):
            return False, False
        hears = int(info.supported_dialects)
        return bool(hears & abi.DIALECT_CLAP), bool(hears & abi.DIALECT_MIDI)

    def value(self, index: int) -> float:
        """See Plugin."""
        return self._knobs.value(index)

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        return self._knobs.text(index, value)

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
        self._in, self._out = Bus(ins, frames), Bus(outs, frames)
        self._process = abi.Process(
            steady_time=-1,
            frames_count=frames,
            transport=c.pointer(self._events.transport),
            audio_inputs=self._in.buffers,
            audio_outputs=self._out.buffers,
            audio_inputs_count=len(ins),
            audio_outputs_count=len(outs),
            in_events=c.pointer(self._events.record),
            out_events=c.pointer(self._events.out_record),
        )
        self._process_p = c.byref(self._process)

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin."""
        if not self._is_processing:
            self._host.audio_thread = threading.get_ident()
            self._is_processing = bool(self._at.start_processing(self._plugin))
            if not self._is_processing:
                out.fill(0.0)
                return
        frames = out.shape[1]
        self._events.write(events, at, self._rate_hz)
        self._process.frames_count = frames
        self._process.steady_time = at.frame
        for memory, given in zip(self._in.memory, (inputs, side), strict=False):
            spread(given, memory, frames)
        status = self._at.process(self._plugin, self._process_p)
        if status == abi.PROCESS_ERROR or not self._out.count:
            out.fill(0.0)
            return
        spread(self._out.memory[0][:, :frames], out, frames)

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
        if host.files and self._files is not None:
            for file, what in host.ready():
                self._files.on_fd(self._plugin, file, what)
        if host.rescan:
            host.rescan = False
            self._knobs.read()
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

    def open_editor(self, title: str) -> ClapEditor:
        """See Plugin."""
        gui = self._extension(b"clap.gui", abi.Gui)
        if gui is None:
            raise PluginError(f"{self.about.name}: has no window of its own; its knobs are on the page")
        return ClapEditor(self._plugin, gui, self._host, title)

    @property
    def is_dirty(self) -> bool:
        """See Plugin."""
        found, self._host.dirty = self._host.dirty, False
        return found

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

    def presets(self) -> list[Preset]:
        """Return those that its file knows of; to look for them takes a while, so it is not done as it is loaded."""
        return presets_of(self._library, self.about.id) if self._preset_load is not None else []

    def load_preset(self, name: str) -> None:
        """See Plugin."""
        preset = next((preset for preset in self.presets() if preset.name == name), None)
        if preset is None or self._preset_load is None:
            raise PluginError(f"{self.about.name}: has no preset {name!r}")
        if not self._preset_load.from_location(self._plugin, preset.kind, preset.location, preset.key):
            raise PluginError(f"{self.about.name}: does not take on its preset {name!r}")

    def close(self) -> None:
        """See Plugin."""
        if self._plugin:
            self.deactivate()
            self._at.destroy(self._plugin)
            self._plugin = None

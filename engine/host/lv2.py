"""LV2 plugins, hosted over liblilv.

Runs on: host process. Notes reach a plugin at their exact frames; knobs are turned as a block begins, for that is all that
LV2's control ports know.
"""

from __future__ import annotations

import contextlib
import ctypes as c
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

from engine.core.errors import PluginError
from engine.host import lilv as abi
from engine.host.lilv import ATOM, LV2, lilv
from engine.host.lv2_events import Events
from engine.host.lv2_features import KNOWN, Features, Worker
from engine.host.lv2_ports import Ports
from engine.host.lv2_ui import Lv2Editor
from engine.host.plugin import CHANNELS, About, Event, Moment

FORMAT = "lv2"
SUFFIX = ".lv2"
_INSTRUMENTS = {LV2 + "InstrumentPlugin", LV2 + "OscillatorPlugin", LV2 + "GeneratorPlugin"}


def warm() -> None:
    """Read, ahead of time, what all bundles say of themselves. Raises PluginError where the library is missing."""
    _plugins()


def scan(path: Path) -> list[About]:
    """Return every plugin of a bundle, each loaded once. Raises PluginError."""
    found = []
    for plugin, bundle in _plugins():
        if bundle == path.resolve():
            one = Lv2Plugin(plugin, path)
            found.append(one.about)
            one.close()
    if not found:
        raise PluginError(f"{path}: there is no plugin in it")
    return found


def load(path: Path, plugin_id: str = "") -> Lv2Plugin:
    """Load a plugin of a bundle, its first unless a URI says which. Raises PluginError."""
    there = [plugin for plugin, bundle in _plugins() if bundle == path.resolve()]
    ids = [lilv().text(lilv().plugin_get_uri(plugin)) for plugin in there]
    if not ids:
        raise PluginError(f"{path}: there is no LV2 plugin in it, or it lies where LV2_PATH does not look")
    if plugin_id and plugin_id not in ids:
        raise PluginError(f"{path}: there is no plugin {plugin_id!r} in it, but {', '.join(ids)}")
    return Lv2Plugin(there[ids.index(plugin_id)] if plugin_id else there[0], path)


def _plugins() -> list[tuple[int, Path]]:
    found = []
    for plugin in lilv().each("plugins", lilv().plugins):
        place = unquote(urlparse(lilv().text(lilv().plugin_get_bundle_uri(plugin))).path)
        found.append((plugin, Path(place).resolve()))
    return found


class Lv2Plugin:
    """One plugin of an LV2 bundle; see `Plugin`."""

    def __init__(self, plugin: int, path: Path) -> None:
        self._lilv, self._lv2 = lilv(), plugin
        self._path = path
        self.changed = False
        self.latency_frames = 0
        self._instance: c._Pointer[abi.Instance] | None = None
        self._is_active = False
        self._worker = Worker()
        needs = {self._lilv.text(node) for node in self._lilv.each("nodes", self._lilv.plugin_get_required_features(plugin))}
        if needs - KNOWN:
            raise PluginError(f"{path}: needs what this host does not have: {', '.join(sorted(needs - KNOWN))}")
        self._ports = Ports(plugin)
        self.knobs = self._ports.knobs
        self._presets = self._read_presets()
        self._features = Features(self._lilv.urids, self._worker)
        self._instantiate(48000.0)
        self.about = self._about()

    # --- what it is ----------------------------------------------------------------------------------------------------------

    def _about(self) -> About:
        lil = self._lilv
        kind = lil.text(lil.plugin_class_get_uri(lil.plugin_get_class(self._lv2)))
        return About(
            FORMAT,
            lil.text(lil.plugin_get_uri(self._lv2)),
            lil.text(lil.plugin_get_name(self._lv2), ours=True),
            str(self._path),
            lil.text(lil.plugin_get_author_name(self._lv2), ours=True),
            "",
            kind in _INSTRUMENTS or (self._ports.events_in >= 0 and not self._ports.audio_in),
            bool(self._ports.side),
            len(self.knobs),
            0,
            tuple(self._presets),
            ("its knobs are turned as a block begins",),
        )

    def _read_presets(self) -> dict[str, int]:
        """Return the nodes of its presets by their names."""
        lil = self._lilv
        found: dict[str, int] = {}
        for node in lil.each("nodes", lil.plugin_get_related(self._lv2, lil.uri(abi.PRESET))):
            lil.world_load_resource(lil.world, node)
            label = lil.text(lil.world_get(lil.world, node, lil.uri(abi.LABEL), None), ours=True)
            found[label or lil.text(node)] = node
        return dict(sorted(found.items()))

    def value(self, index: int) -> float:
        """See Plugin."""
        return float(self._ports.controls[self._ports.knob_ports[index]])

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        knob = self.knobs[index]
        return knob.labels[round(value - knob.minimum)] if knob.labels else ""

    # --- start and end -------------------------------------------------------------------------------------------------------

    def _instantiate(self, rate_hz: float) -> None:
        found = self._lilv.plugin_instantiate(self._lv2, rate_hz, self._features.list)
        if not found:
            raise PluginError(f"{self._path}: does not start")
        self._instance = c.cast(found, c.POINTER(abi.Instance))
        self._handle, self._calls = self._instance.contents.handle, self._instance.contents.descriptor.contents
        self._rate_hz = rate_hz
        self._worker.serve(self._calls, self._handle)

    def activate(self, rate_hz: float, frames: int) -> None:
        """See Plugin."""
        self.deactivate()
        if rate_hz != self._rate_hz:
            kept = self.state()
            self._lilv.instance_free(self._instance)
            self._features.tell(rate_hz, frames)
            self._instantiate(rate_hz)
            self._connect(frames)
            self.restore(kept)
        self._features.tell(rate_hz, frames)
        self._connect(frames)
        if self._calls.activate:
            self._calls.activate(self._handle)
        self._is_active = True
        # The latency is known once it has run; a block of silence tells it, and no note is in it.
        silence = np.zeros((CHANNELS, frames), np.float32)
        self.process(silence, silence, np.zeros_like(silence), (), Moment())

    def deactivate(self) -> None:
        """Stop it, so that it can be activated anew."""
        if self._is_active and self._calls.deactivate:
            self._calls.deactivate(self._handle)
        self._is_active = False

    def _connect(self, frames: int) -> None:
        """Give every port its memory."""
        ports = [*self._ports.audio_in, *self._ports.side, *self._ports.audio_out, *self._ports.cv]
        self._audio = {number: np.zeros(frames, np.float32) for number in ports}
        self._events = Events(self._ports, self._lilv.urids)
        for number in range(len(self._ports.controls)):
            self._calls.connect_port(self._handle, number, c.addressof(self._ports.controls) + 4 * number)
        for number, memory in self._audio.items():
            self._calls.connect_port(self._handle, number, memory.ctypes.data)
        for number, buffer in self._events.memory.items():
            self._calls.connect_port(self._handle, number, c.addressof(buffer))
        self._out_rows = [self._audio[number] for number in self._ports.audio_out]
        self._in_rows = [self._audio[number] for number in self._ports.audio_in]
        self._side_rows = [self._audio[number] for number in self._ports.side]

    # --- a block -------------------------------------------------------------------------------------------------------------

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin."""
        frames = out.shape[1]
        _feed(inputs, self._in_rows, frames)
        _feed(side, self._side_rows, frames)
        self._events.write(events, at)
        self._worker.answer()
        self._calls.run(self._handle, frames)
        self._worker.end_block()
        rows = self._out_rows
        for channel in range(len(out)):
            if rows:
                out[channel] = rows[min(channel, len(rows) - 1)][:frames]
            else:
                out[channel] = 0.0
        if self._ports.latency >= 0:
            latency = max(0, min(int(self._ports.controls[self._ports.latency]), 1 << 20))
            if latency != self.latency_frames:
                self.latency_frames = latency
                self.changed = True

    def idle(self) -> None:
        """See Plugin."""
        self._worker.work()

    wants_restart = False

    def restart(self) -> None:
        """LV2 plugins do not ask for it."""

    def open_editor(self, title: str) -> Lv2Editor:
        """See Plugin."""
        return Lv2Editor(self._lv2, self._handle, self._ports, self._rate_hz, title)

    @property
    def is_dirty(self) -> bool:
        """See Plugin."""
        return False  # what a window sends beside knobs is for an instance that plays; the state has what it makes of it

    # --- its state -----------------------------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """See Plugin."""
        lil = self._lilv
        number = lil.urids.number(ATOM + "Float")
        keep: list[c.c_float] = []

        def get(symbol: bytes, _data: int, size: c._Pointer[c.c_uint32], kind: c._Pointer[c.c_uint32]) -> int | None:
            port = self._ports.symbols.get(symbol.decode())
            if port is None:
                return None
            keep.append(c.c_float(self._ports.controls[port]))
            size[0], kind[0] = 4, number
            return c.addressof(keep[-1])

        call = abi.GetValueCall(get)
        maps = (c.addressof(lil.urids.map), c.addressof(lil.urids.unmap))
        none: list[bytes | None] = [None] * 4
        state = lil.state_new_from_instance(
            self._lv2, self._instance, maps[0], *none, c.cast(call, c.c_void_p), None, 0, self._features.list
        )
        if not state:
            raise PluginError(f"{self.about.name}: does not give its state")
        text = lil.state_to_string(lil.world, *maps, state, b"urn:algoritmo:state", None)
        lil.state_free(state)
        if not text:
            raise PluginError(f"{self.about.name}: does not give its state")
        found = c.string_at(text)
        lil.free(text)
        return found

    def restore(self, state: bytes) -> None:
        """See Plugin."""
        if state:
            lil = self._lilv
            found = lil.state_new_from_string(lil.world, c.addressof(lil.urids.map), state) if b"\0" not in state else None
            self._take(found, "refuses the state; it may be of another version")

    def load_preset(self, name: str) -> None:
        """See Plugin."""
        lil = self._lilv
        node = self._presets.get(name)
        found = lil.state_new_from_world(lil.world, c.addressof(lil.urids.map), node) if node else None
        self._take(found, f"has no preset {name!r}")

    def _take(self, state: int | None, otherwise: str) -> None:
        if not state:
            raise PluginError(f"{self.about.name}: {otherwise}")
        kinds = {self._lilv.urids.number(ATOM + kind): of for kind, of in _NUMBERS.items()}

        def put(symbol: bytes, _data: int, value: int, _size: int, kind: int) -> None:
            port, of = self._ports.symbols.get(symbol.decode()), kinds.get(kind)
            if port is not None and of is not None:
                self._ports.controls[port] = float(of.from_address(value).value)

        call = abi.SetValueCall(put)
        self._lilv.state_restore(state, self._instance, c.cast(call, c.c_void_p), None, 0, self._features.list)
        self._lilv.state_free(state)

    def close(self) -> None:
        """See Plugin."""
        if self._instance is not None:
            self.deactivate()
            self._lilv.instance_free(self._instance)
            self._instance = None


_NUMBERS: dict[str, Any] = {"Float": c.c_float, "Double": c.c_double, "Int": c.c_int32, "Long": c.c_int64, "Bool": c.c_int32}


def _feed(given: np.ndarray, rows: list[np.ndarray], frames: int) -> None:
    """Copy stereo sound, float32 (CHANNELS, frames), into the ports there are: one hears the mean."""
    if len(rows) == 1:
        with contextlib.suppress(FloatingPointError):
            np.mean(given, axis=0, out=rows[0][:frames])
        return
    for row, channel in zip(rows, given, strict=False):
        row[:frames] = channel

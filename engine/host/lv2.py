"""LV2 plugins, hosted over liblilv.

Runs on: host process. Notes reach a plugin at their exact frames; knobs are turned as a block begins, for that is all that
LV2's control ports know.
"""

from __future__ import annotations

import contextlib
import ctypes as c
import struct
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

from engine.core.errors import PluginError
from engine.host import lilv as abi
from engine.host.lilv import ATOM, BUF, LV2, TIME, URID, lilv
from engine.host.plugin import CHANNELS, MIDI, NOTE_ON, PARAMETER, About, Event, Knob, Moment, strength

FORMAT = "lv2"
SUFFIX = ".lv2"
EVENTS_BYTES = 16384  # of one port for events, of one block
MOST_WAITING = 64  # orders to the worker that are not done yet
FEATURES = {  # what a plugin may need of us
    URID + "map",
    URID + "unmap",
    abi.OPTIONS,
    BUF + "boundedBlockLength",
    BUF + "fixedBlockLength",
    BUF + "powerOf2BlockLength",
    abi.WORKER + "schedule",
    abi.STATE + "loadDefaultState",
    LV2 + "isLive",
    LV2 + "hardRTCapable",
    LV2 + "inPlaceBroken",
}
_INSTRUMENTS = {LV2 + "InstrumentPlugin", LV2 + "OscillatorPlugin", LV2 + "GeneratorPlugin"}


def folders() -> list[Path]:
    """Return where LV2 plugins lie on this system; lilv knows them by itself, too, and LV2_PATH."""
    return [Path.home() / ".lv2", Path("/usr/local/lib/lv2"), Path("/usr/lib/lv2")]


def scan(path: Path) -> list[About]:
    """Return every plugin of a bundle, each loaded once. Raises PluginError."""
    found = []
    for plugin, bundle in _plugins():
        if bundle == path.resolve():
            one = Lv2Plugin(plugin, path)
            found.append(one.about)
            one.close()
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
        self._told: tuple[object, ...] = ()  # of where the music is
        self._work: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._answers: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._worker: abi.WorkerInterface | None = None
        needs = {self._lilv.text(node) for node in self._lilv.each("nodes", self._lilv.plugin_get_required_features(plugin))}
        if needs - FEATURES:
            raise PluginError(f"{path}: needs what this host does not have: {', '.join(sorted(needs - FEATURES))}")
        self._read_ports()
        self._presets = self._read_presets()
        self._make_features()
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
            kind in _INSTRUMENTS or (self._events_in >= 0 and not self._audio_in),
            bool(self._side),
            len(self.knobs),
            0,
            tuple(self._presets),
            ("its knobs are turned as a block begins",),
        )

    def _read_ports(self) -> None:
        lil = self._lilv
        self.knobs: list[Knob] = []
        self._knob_ports: list[int] = []
        self._symbols: dict[str, int] = {}
        self._audio_in: list[int] = []
        self._side: list[int] = []
        self._audio_out: list[int] = []
        self._events_in = self._latency_port = -1
        self._event_ports: list[tuple[int, bool]] = []  # number, whether it is an input
        count = lil.plugin_get_num_ports(self._lv2)
        self._controls = (c.c_float * max(count, 1))()
        self._cv: list[int] = []
        for number in range(count):
            port = lil.plugin_get_port_by_index(self._lv2, number)

            def is_a(kind: str, port: int = port) -> bool:
                return bool(lil.port_is_a(self._lv2, port, lil.uri(kind)))

            is_input = is_a(LV2 + "InputPort")
            if is_a(LV2 + "ControlPort"):
                self._read_control(number, port, is_input)
            elif is_a(LV2 + "AudioPort"):
                aside = is_input and self._is_side(port)
                (self._side if aside else self._audio_in if is_input else self._audio_out).append(number)
            elif is_a(ATOM + "AtomPort"):
                self._event_ports.append((number, is_input))
                if is_input and self._events_in < 0:
                    self._events_in = number
            elif is_a(LV2 + "CVPort"):
                self._cv.append(number)

    def _is_side(self, port: int) -> bool:
        lil = self._lilv
        if lil.port_has_property(self._lv2, port, lil.uri(LV2 + "isSideChain")):
            return True
        group = lil.port_get(self._lv2, port, lil.uri("http://lv2plug.in/ns/ext/port-groups#group"))
        if not group:
            return False
        of = lil.world_get(lil.world, group, lil.uri("http://lv2plug.in/ns/ext/port-groups#sideChainOf"), None)
        lil.node_free(group)
        if of:
            lil.node_free(of)
        return bool(of)

    def _read_control(self, number: int, port: int, is_input: bool) -> None:
        lil = self._lilv
        symbol = lil.text(lil.port_get_symbol(self._lv2, port))
        self._symbols[symbol] = number

        def has(what: str) -> bool:
            return bool(lil.port_has_property(self._lv2, port, lil.uri(what)))

        if not is_input:
            designation = lil.port_get(self._lv2, port, lil.uri(LV2 + "designation"))
            if has(LV2 + "reportsLatency") or lil.text(designation, ours=True) == LV2 + "latency":
                self._latency_port = number
            return
        minimum, maximum, default = self._range(port)
        self._controls[number] = default
        designation = lil.text(lil.port_get(self._lv2, port, lil.uri(LV2 + "designation")), ours=True)
        if designation in (LV2 + "enabled", LV2 + "freeWheeling") or has(PORT_NOT_ON_GUI) or not minimum < maximum:
            return
        labels, values = self._scale_points(port)
        steps = 0
        if has(LV2 + "toggled"):
            minimum, maximum, steps = 0.0, 1.0, 2
        elif (has(LV2 + "integer") or has(LV2 + "enumeration")) and maximum - minimum < 1000:
            steps = round(maximum - minimum) + 1
        named = tuple(labels) if steps == len(labels) and values == [minimum + i for i in range(steps)] else ()
        name = lil.text(lil.port_get_name(self._lv2, port), ours=True)
        self.knobs.append(Knob(symbol, name, minimum, maximum, default, steps, named))
        self._knob_ports.append(number)

    def _range(self, port: int) -> tuple[float, float, float]:
        """Return minimum, maximum and default of a control port, in Hz where it says so as a share of the rate."""
        lil = self._lilv
        nodes = [c.c_void_p() for _ in range(3)]
        lil.port_get_range(self._lv2, port, *(c.cast(c.byref(node), c.c_void_p) for node in nodes))
        found = []
        for node, otherwise in zip(nodes, (0.0, 0.0, 1.0), strict=True):  # default, minimum, maximum
            value = lil.node_as_float(node) if node else otherwise
            found.append(float(value) if np.isfinite(value) else otherwise)
            if node:
                lil.node_free(node)
        default, minimum, maximum = found
        if lil.port_has_property(self._lv2, port, lil.uri(LV2 + "sampleRate")):
            minimum, maximum, default = (48000.0 * value for value in (minimum, maximum, default))
        return minimum, maximum, min(max(default, minimum), maximum) if minimum < maximum else default

    def _scale_points(self, port: int) -> tuple[list[str], list[float]]:
        lil = self._lilv
        points = lil.port_get_scale_points(self._lv2, port)
        found = [
            (lil.node_as_float(lil.scale_point_get_value(point)), lil.text(lil.scale_point_get_label(point)))
            for point in lil.each("scale_points", points)
        ]
        if points:
            lil.scale_points_free(points)
        found.sort()
        return [label for _, label in found], [value for value, _ in found]

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
        return float(self._controls[self._knob_ports[index]])

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        knob = self.knobs[index]
        return knob.labels[round(value - knob.minimum)] if knob.labels else ""

    # --- start and end -------------------------------------------------------------------------------------------------------

    def _make_features(self) -> None:
        urids = self._lilv.urids
        self._schedule = abi.ScheduleCall(self._order)
        self._scheduler = abi.Callback(None, c.cast(self._schedule, c.c_void_p))
        self._option_values: tuple[Any, ...] = (c.c_int32(1), c.c_int32(64), c.c_int32(EVENTS_BYTES), c.c_float(48000.0))
        keys = (BUF + "minBlockLength", BUF + "maxBlockLength", BUF + "sequenceSize", abi.PARAMETERS + "sampleRate")
        kinds = (ATOM + "Int", ATOM + "Int", ATOM + "Int", ATOM + "Float")
        self._options = (abi.Option * (len(keys) + 1))(
            *(
                abi.Option(0, 0, urids.number(key), 4, urids.number(kind), c.addressof(value))
                for key, kind, value in zip(keys, kinds, list(self._option_values), strict=True)
            )
        )
        data: dict[str, int | None] = {
            URID + "map": c.addressof(urids.map),
            URID + "unmap": c.addressof(urids.unmap),
            abi.OPTIONS: c.addressof(self._options),
            abi.WORKER + "schedule": c.addressof(self._scheduler),
            BUF + "boundedBlockLength": None,
            BUF + "fixedBlockLength": None,
            BUF + "powerOf2BlockLength": None,
            abi.STATE + "loadDefaultState": None,
        }
        self._features = [abi.Feature(uri.encode(), where) for uri, where in data.items()]
        self._feature_list = (c.c_void_p * (len(self._features) + 1))(*(c.addressof(f) for f in self._features), None)
        number = urids.number
        self._urid = {
            name: number(base + name)
            for base, names in {
                ATOM: ("Sequence", "Chunk", "Object", "Float", "Double", "Int", "Long"),
                TIME: ("Position", "frame", "speed", "bar", "barBeat", "beat", "beatUnit", "beatsPerBar", "beatsPerMinute"),
            }.items()
            for name in names
        }
        self._midi_event = number(abi.MIDI_EVENT)

    def _instantiate(self, rate_hz: float) -> None:
        found = self._lilv.plugin_instantiate(self._lv2, rate_hz, c.cast(self._feature_list, c.c_void_p))
        if not found:
            raise PluginError(f"{self._path}: does not start")
        self._instance = c.cast(found, c.POINTER(abi.Instance))
        self._handle, self._calls = self._instance.contents.handle, self._instance.contents.descriptor.contents
        self._rate_hz = rate_hz
        worker = self._calls.extension_data(f"{abi.WORKER}interface".encode()) if self._calls.extension_data else None
        self._worker = c.cast(worker, c.POINTER(abi.WorkerInterface)).contents if worker else None

    def activate(self, rate_hz: float, frames: int) -> None:
        """See Plugin."""
        self.deactivate()
        if rate_hz != self._rate_hz:
            kept = self.state()
            self._lilv.instance_free(self._instance)
            self._option_values[3].value = rate_hz
            self._instantiate(rate_hz)
            self._connect(frames)
            self.restore(kept)
        self._option_values[1].value = frames
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
        ports = [*self._audio_in, *self._side, *self._audio_out, *self._cv]
        self._audio = {number: np.zeros(frames, np.float32) for number in ports}
        self._event_memory = {number: c.create_string_buffer(EVENTS_BYTES + 16) for number, _ in self._event_ports}
        for number in range(len(self._controls)):
            self._calls.connect_port(self._handle, number, c.addressof(self._controls) + 4 * number)
        for number, memory in self._audio.items():
            self._calls.connect_port(self._handle, number, memory.ctypes.data)
        for number, buffer in self._event_memory.items():
            self._calls.connect_port(self._handle, number, c.addressof(buffer))
        self._out_rows = [self._audio[number] for number in self._audio_out]
        self._in_rows = [self._audio[number] for number in self._audio_in]
        self._side_rows = [self._audio[number] for number in self._side]

    # --- a block -------------------------------------------------------------------------------------------------------------

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin."""
        frames = out.shape[1]
        _feed(inputs, self._in_rows, frames)
        _feed(side, self._side_rows, frames)
        self._write_events(events, at)
        self._answer()
        self._calls.run(self._handle, frames)
        if self._worker is not None and self._worker.end_run:
            self._worker.end_run(self._handle)
        rows = self._out_rows
        for channel in range(len(out)):
            if rows:
                out[channel] = rows[min(channel, len(rows) - 1)][:frames]
            else:
                out[channel] = 0.0
        if self._latency_port >= 0:
            latency = max(0, min(int(self._controls[self._latency_port]), 1 << 20))
            if latency != self.latency_frames:
                self.latency_frames = latency
                self.changed = True

    def _write_events(self, events: Sequence[Event], at: Moment) -> None:
        for number, is_input in self._event_ports:
            memory = self._event_memory[number]
            if not is_input:
                struct.pack_into("<II", memory, 0, EVENTS_BYTES, self._urid["Chunk"])
            elif number != self._events_in:
                struct.pack_into("<IIII", memory, 0, 8, self._urid["Sequence"], 0, 0)
        sequence = self._event_memory.get(self._events_in)
        place = 16
        if sequence is not None:
            place += self._write_moment(sequence, at)
        for offset, kind, a, b, d, index, value in events:
            if kind == PARAMETER:
                if index < len(self._knob_ports):
                    self._controls[self._knob_ports[index]] = value
            elif sequence is not None and place + 24 <= EVENTS_BYTES:
                if kind != MIDI:
                    a, d = (0x90 if kind == NOTE_ON else 0x80) | (a & 15), strength(kind, value)
                struct.pack_into("<qIIBBB5x", sequence, place, offset, 3, self._midi_event, a, b, d)
                place += 24
        if sequence is not None:
            struct.pack_into("<IIII", sequence, 0, place - 8, self._urid["Sequence"], 0, 0)

    def _write_moment(self, sequence: c.Array[c.c_char], at: Moment) -> int:
        """Write where the music is, where that changed or a bar began; return the bytes that it took."""
        now = (at.is_playing, at.tempo_bpm, at.bar, at.numerator, at.denominator)
        if now == self._told:
            return 0
        self._told = now
        of = self._urid
        per_beat = at.denominator / 4
        values = (
            ("frame", "Long", at.frame),
            ("speed", "Float", float(at.is_playing)),
            ("bar", "Long", at.bar),
            ("barBeat", "Float", (at.beat - at.bar_beat) * per_beat),
            ("beatUnit", "Int", at.denominator),
            ("beatsPerBar", "Float", float(at.numerator)),
            ("beatsPerMinute", "Float", at.tempo_bpm),
        )
        body = struct.pack("<II", 0, of["Position"])
        for name, kind, value in values:
            code, size = {"Long": ("q", 8), "Float": ("f4x", 4), "Int": ("i4x", 4)}[kind]
            body += struct.pack(f"<IIII{code}", of[name], 0, size, of[kind], value)
        struct.pack_into(f"<qII{len(body)}s", sequence, 16, 0, len(body), of["Object"], body)
        return 16 + len(body)

    # --- its worker ----------------------------------------------------------------------------------------------------------

    def _order(self, _handle: int, size: int, data: int) -> int:
        """Called by the plugin while it is processed: something is to be done beside the sound."""
        if len(self._work) == MOST_WAITING:
            return 2
        self._work.append(c.string_at(data, size) if size else b"")
        return 0

    def _respond(self, _handle: int, size: int, data: int) -> int:
        self._answers.append(c.string_at(data, size) if size else b"")
        return 0

    def _answer(self) -> None:
        while self._answers and self._worker is not None:
            answer = self._answers.popleft()
            self._worker.work_response(self._handle, len(answer), c.cast(c.c_char_p(answer), c.c_void_p))

    def idle(self) -> None:
        """See Plugin."""
        respond = abi.ScheduleCall(self._respond)
        while self._work and self._worker is not None:
            order = self._work.popleft()
            self._worker.work(self._handle, respond, None, len(order), c.cast(c.c_char_p(order), c.c_void_p))

    wants_restart = False

    def restart(self) -> None:
        """LV2 plugins do not ask for it."""

    # --- its state -----------------------------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """See Plugin."""
        lil = self._lilv
        number = lil.urids.number(ATOM + "Float")
        keep: list[c.c_float] = []

        def get(symbol: bytes, _data: int, size: c._Pointer[c.c_uint32], kind: c._Pointer[c.c_uint32]) -> int | None:
            port = self._symbols.get(symbol.decode())
            if port is None:
                return None
            keep.append(c.c_float(self._controls[port]))
            size[0], kind[0] = 4, number
            return c.addressof(keep[-1])

        call = abi.GetValueCall(get)
        maps = (c.addressof(lil.urids.map), c.addressof(lil.urids.unmap))
        none: list[bytes | None] = [None] * 4
        state = lil.state_new_from_instance(
            self._lv2, self._instance, maps[0], *none, c.cast(call, c.c_void_p), None, 0, c.cast(self._feature_list, c.c_void_p)
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
            port, of = self._symbols.get(symbol.decode()), kinds.get(kind)
            if port is not None and of is not None:
                self._controls[port] = float(of.from_address(value).value)

        call = abi.SetValueCall(put)
        self._lilv.state_restore(
            state, self._instance, c.cast(call, c.c_void_p), None, 0, c.cast(self._feature_list, c.c_void_p)
        )
        self._lilv.state_free(state)

    def close(self) -> None:
        """See Plugin."""
        if self._instance is not None:
            self.deactivate()
            self._lilv.instance_free(self._instance)
            self._instance = None


PORT_NOT_ON_GUI = abi.PORT_PROPS + "notOnGUI"
_NUMBERS: dict[str, Any] = {"Float": c.c_float, "Double": c.c_double, "Int": c.c_int32, "Long": c.c_int64, "Bool": c.c_int32}


def _feed(given: np.ndarray, rows: list[np.ndarray], frames: int) -> None:
    """Copy stereo sound, float32 (CHANNELS, frames), into the ports there are: one hears the mean."""
    if len(rows) == 1:
        with contextlib.suppress(FloatingPointError):
            np.mean(given, axis=0, out=rows[0][:frames])
        return
    for row, channel in zip(rows, given, strict=False):
        row[:frames] = channel

"""liblilv and the binary interface of LV2 as ctypes: functions, structures, and the numbers that URIs are mapped to.

Runs on: host process. Sources: lilv/lilv.h (drobilla.net, ISC) and the headers of LV2 1.18 (lv2plug.in, ISC); names are theirs.
"""

from __future__ import annotations

import ctypes as c
import ctypes.util
from functools import cache
from typing import Any

from engine.core.errors import PluginError

LV2 = "http://lv2plug.in/ns/lv2core#"
ATOM = "http://lv2plug.in/ns/ext/atom#"
TIME = "http://lv2plug.in/ns/ext/time#"
BUF = "http://lv2plug.in/ns/ext/buf-size#"
MIDI_EVENT = "http://lv2plug.in/ns/ext/midi#MidiEvent"
URID = "http://lv2plug.in/ns/ext/urid#"
OPTIONS = "http://lv2plug.in/ns/ext/options#options"
WORKER = "http://lv2plug.in/ns/ext/worker#"
STATE = "http://lv2plug.in/ns/ext/state#"
PARAMETERS = "http://lv2plug.in/ns/ext/parameters#"
PRESET = "http://lv2plug.in/ns/ext/presets#Preset"
PORT_PROPS = "http://lv2plug.in/ns/ext/port-props#"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"

_FUNCTIONS = {  # name: what it returns, what it takes; p is a pointer, s a text, u an unsigned number, f a float, d a double
    "world_new": "p:",
    "world_free": "-:p",
    "world_load_all": "-:p",
    "world_get_all_plugins": "p:p",
    "world_load_resource": "i:pp",
    "world_get": "p:pppp",
    "new_uri": "p:ps",
    "node_as_string": "s:p",
    "node_as_float": "f:p",
    "node_is_float": "b:p",
    "node_is_int": "b:p",
    "node_free": "-:p",
    "nodes_begin": "p:p",
    "nodes_next": "p:pp",
    "nodes_is_end": "b:pp",
    "nodes_get": "p:pp",
    "nodes_free": "-:p",
    "plugins_get_by_uri": "p:pp",
    "plugins_begin": "p:p",
    "plugins_next": "p:pp",
    "plugins_is_end": "b:pp",
    "plugins_get": "p:pp",
    "plugin_get_uri": "p:p",
    "plugin_get_name": "p:p",
    "plugin_get_author_name": "p:p",
    "plugin_get_bundle_uri": "p:p",
    "plugin_get_class": "p:p",
    "plugin_class_get_uri": "p:p",
    "plugin_get_num_ports": "u:p",
    "plugin_get_port_by_index": "p:pu",
    "plugin_get_required_features": "p:p",
    "plugin_get_related": "p:pp",
    "plugin_instantiate": "p:pdp",
    "instance_free": "-:p",
    "port_is_a": "b:ppp",
    "port_has_property": "b:ppp",
    "port_get_symbol": "p:pp",
    "port_get_name": "p:pp",
    "port_get_range": "-:ppppp",
    "port_get": "p:ppp",
    "port_get_scale_points": "p:pp",
    "scale_points_begin": "p:p",
    "scale_points_next": "p:pp",
    "scale_points_is_end": "b:pp",
    "scale_points_get": "p:pp",
    "scale_points_free": "-:p",
    "scale_point_get_label": "p:p",
    "scale_point_get_value": "p:p",
    "state_new_from_instance": "p:pppssssppup",
    "state_new_from_string": "p:pps",
    "state_new_from_world": "p:ppp",
    "state_to_string": "p:ppppss",
    "state_restore": "-:ppppup",
    "state_free": "-:p",
    "plugin_get_uis": "p:p",
    "uis_begin": "p:p",
    "uis_next": "p:pp",
    "uis_is_end": "b:pp",
    "uis_get": "p:pp",
    "ui_is_a": "b:pp",
    "ui_get_uri": "p:p",
    "ui_get_binary_uri": "p:p",
    "ui_get_bundle_uri": "p:p",
    "free": "-:p",
}
_TYPES: dict[str, Any] = {
    "p": c.c_void_p,
    "s": c.c_char_p,
    "u": c.c_uint32,
    "i": c.c_int,
    "b": c.c_bool,
    "f": c.c_float,
    "d": c.c_double,
    "-": None,
}


class Descriptor(c.Structure):
    """LV2_Descriptor."""

    _fields_ = (
        ("uri", c.c_char_p),
        ("instantiate", c.c_void_p),
        ("connect_port", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_void_p)),
        ("activate", c.CFUNCTYPE(None, c.c_void_p)),
        ("run", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32)),
        ("deactivate", c.CFUNCTYPE(None, c.c_void_p)),
        ("cleanup", c.CFUNCTYPE(None, c.c_void_p)),
        ("extension_data", c.CFUNCTYPE(c.c_void_p, c.c_char_p)),
    )


class Instance(c.Structure):
    """LilvInstance."""

    _fields_ = (("descriptor", c.POINTER(Descriptor)), ("handle", c.c_void_p), ("pimpl", c.c_void_p))


class Feature(c.Structure):
    """LV2_Feature."""

    _fields_ = (("uri", c.c_char_p), ("data", c.c_void_p))


class Option(c.Structure):
    """LV2_Options_Option."""

    _fields_ = (
        ("context", c.c_uint32),
        ("subject", c.c_uint32),
        ("key", c.c_uint32),
        ("size", c.c_uint32),
        ("type", c.c_uint32),
        ("value", c.c_void_p),
    )


MapCall = c.CFUNCTYPE(c.c_uint32, c.c_void_p, c.c_char_p)
UnmapCall = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_uint32)
ScheduleCall = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p)
GetValueCall = c.CFUNCTYPE(c.c_void_p, c.c_char_p, c.c_void_p, c.POINTER(c.c_uint32), c.POINTER(c.c_uint32))
SetValueCall = c.CFUNCTYPE(None, c.c_char_p, c.c_void_p, c.c_void_p, c.c_uint32, c.c_uint32)


class Callback(c.Structure):
    """A handle and a function: LV2_URID_Map, LV2_URID_Unmap, LV2_Worker_Schedule."""

    _fields_ = (("handle", c.c_void_p), ("call", c.c_void_p))


class WorkerInterface(c.Structure):
    """LV2_Worker_Interface."""

    _fields_ = (
        ("work", c.CFUNCTYPE(c.c_int, c.c_void_p, ScheduleCall, c.c_void_p, c.c_uint32, c.c_void_p)),
        ("work_response", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p)),
        ("end_run", c.CFUNCTYPE(c.c_int, c.c_void_p)),
    )


class Urids:
    """Numbers for URIs: the same for every plugin of a process."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._uris: list[c.Array[c.c_char]] = []  # whoever asks may keep the address
        self._calls = (MapCall(lambda _, uri: self.number(uri)), UnmapCall(lambda _, number: self._uri(number)))
        self.map = Callback(None, c.cast(self._calls[0], c.c_void_p))
        self.unmap = Callback(None, c.cast(self._calls[1], c.c_void_p))

    def number(self, uri: bytes | str) -> int:
        """Return the number of a URI."""
        uri = uri.encode() if isinstance(uri, str) else uri
        if uri not in self._numbers:
            self._uris.append(c.create_string_buffer(uri))
            self._numbers[uri] = len(self._uris)
        return self._numbers[uri]

    def _uri(self, number: int) -> int | None:
        return c.addressof(self._uris[number - 1]) if 0 < number <= len(self._uris) else None


class Lilv:
    """The library, with the world of all that is installed: `lilv.node_free(...)` calls lilv_node_free."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("lilv-0")
        if name is None:
            raise PluginError("LV2 plugins need liblilv: apt install liblilv-0-0 (macOS: brew install lilv)")
        library = c.CDLL(name)
        for word, kinds in _FUNCTIONS.items():
            function = getattr(library, f"lilv_{word}")
            function.restype = _TYPES[kinds[0]]
            function.argtypes = [_TYPES[kind] for kind in kinds[2:]]
            setattr(self, word, function)
        self.world = self.world_new()
        self.world_load_all(self.world)
        self.plugins = self.world_get_all_plugins(self.world)
        self.urids = Urids()
        self._nodes: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:  # for the type checker: every function of the table
        raise AttributeError(name)

    def uri(self, text: str) -> int:
        """Return the node of a URI."""
        if text not in self._nodes:
            self._nodes[text] = self.new_uri(self.world, text.encode())
        return self._nodes[text]

    def text(self, node: int | None, ours: bool = False) -> str:
        """Return what a node says; `ours`: it is freed then."""
        found = (self.node_as_string(node) or b"").decode(errors="replace") if node else ""
        if ours and node:
            self.node_free(node)
        return found

    def each(self, kind: str, of: int | None) -> list[int]:
        """Return the members of a collection; `kind` is nodes, plugins, scale_points or uis."""
        found = []
        if of:
            at = getattr(self, f"{kind}_begin")(of)
            while not getattr(self, f"{kind}_is_end")(of, at):
                found.append(getattr(self, f"{kind}_get")(of, at))
                at = getattr(self, f"{kind}_next")(of, at)
        return found


@cache
def lilv() -> Lilv:
    """Return the library, opened once. Raises PluginError."""
    return Lilv()

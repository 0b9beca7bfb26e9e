"""The window of an LV2 plugin: its X11 user interface, embedded in a window of ours.

Runs on: editor process (main thread).
"""

from __future__ import annotations

import ctypes as c
from typing import Any
from urllib.parse import unquote, urlparse

from engine.core.errors import PluginError
from engine.host import lilv as abi
from engine.host.lilv import ATOM, URID, lilv
from engine.host.lv2_ports import Ports
from engine.host.x11 import Frame

UI = "http://lv2plug.in/ns/extensions/ui#"
_ACCESS = "http://lv2plug.in/ns/ext/instance-access"
_Write = c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_uint32, c.c_uint32, c.c_void_p)
_Resize = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.c_int)


class _Descriptor(c.Structure):
    """LV2UI_Descriptor."""


_Descriptor._fields_ = (
    ("uri", c.c_char_p),
    (
        "instantiate",
        c.CFUNCTYPE(
            c.c_void_p, c.POINTER(_Descriptor), c.c_char_p, c.c_char_p, _Write, c.c_void_p, c.POINTER(c.c_void_p), c.c_void_p
        ),
    ),
    ("cleanup", c.CFUNCTYPE(None, c.c_void_p)),
    ("port_event", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_uint32, c.c_uint32, c.c_void_p)),
    ("extension_data", c.CFUNCTYPE(c.c_void_p, c.c_char_p)),
)


class _Idle(c.Structure):
    """LV2UI_Idle_Interface."""

    _fields_ = (("idle", c.CFUNCTYPE(c.c_int, c.c_void_p)),)


class Lv2Editor:
    """See `Editor`. What the user turns in it is written to the plugin's control ports."""

    def __init__(self, plugin: int, handle: int, ports: Ports, rate_hz: float, title: str) -> None:
        """`plugin`: of lilv; `handle`: of the instance that it shows. Raises PluginError."""
        self._ports = ports
        self._handle = 0
        binary, bundle, uri = _find(plugin, title)
        self._library = c.CDLL(binary)
        self._library.lv2ui_descriptor.restype = c.POINTER(_Descriptor)
        number = 0
        while found := self._library.lv2ui_descriptor(number):
            if (found.contents.uri or b"").decode() == uri:
                break
            number += 1
        if not found:
            raise PluginError(f"{title}: its window is not in {binary}")
        self._at = found.contents
        self._frame = Frame(title, 640, 400)
        self._calls = (_Write(self._write), _Resize(self._resize))
        widget = c.c_void_p()
        features = self._features(handle, rate_hz)
        uri_of = lilv().text(lilv().plugin_get_uri(plugin)).encode()
        self._handle = self._at.instantiate(found, uri_of, bundle.encode(), self._calls[0], None, c.byref(widget), features)
        if not self._handle:
            self._frame.close()
            raise PluginError(f"{title}: its window cannot be made")
        self._frame.show()
        extension = self._at.extension_data(f"{UI}idleInterface".encode()) if self._at.extension_data else None
        self._idle = c.cast(extension, c.POINTER(_Idle)).contents if extension else None
        self._shown: dict[int, float] = {}

    def _features(self, handle: int, rate_hz: float) -> Any:
        urids = lilv().urids
        self._resizer = abi.Callback(None, c.cast(self._calls[1], c.c_void_p))
        self._numbers = (c.c_float(rate_hz), c.c_float(30.0), c.c_float(1.0))
        keys = (abi.PARAMETERS + "sampleRate", UI + "updateRate", UI + "scaleFactor")
        number = urids.number(ATOM + "Float")
        self._options = (abi.Option * 4)(
            *(
                abi.Option(0, 0, urids.number(key), 4, number, c.addressof(value))
                for key, value in zip(keys, self._numbers, strict=True)
            )
        )
        given: dict[str, int | None] = {
            URID + "map": c.addressof(urids.map),
            URID + "unmap": c.addressof(urids.unmap),
            abi.OPTIONS: c.addressof(self._options),
            UI + "parent": self._frame.id,
            UI + "resize": c.addressof(self._resizer),
            UI + "idleInterface": None,
            _ACCESS: handle,
        }
        self._made = [abi.Feature(uri.encode(), value) for uri, value in given.items()]
        self._list = (c.c_void_p * (len(self._made) + 1))(*(c.addressof(feature) for feature in self._made), None)
        return c.cast(self._list, c.c_void_p)

    def _write(self, _controller: int, port: int, size: int, protocol: int, data: int) -> None:
        if protocol == 0 and size == 4 and port < len(self._ports.controls):
            value = float(c.c_float.from_address(data).value)
            self._ports.controls[port] = self._shown[port] = value

    def _resize(self, _handle: int, width: int, height: int) -> int:
        self._frame.resize(width, height)
        return 0

    def idle(self) -> bool:
        """See Editor."""
        controls = self._ports.controls
        for port in (*self._ports.knob_ports, self._ports.latency):
            if port >= 0 and self._shown.get(port) != controls[port]:
                self._shown[port] = controls[port]
                value = c.c_float(controls[port])
                self._at.port_event(self._handle, port, 4, 0, c.addressof(value))
        if self._idle is not None and self._idle.idle(self._handle):
            return False
        return self._frame.idle()

    def close(self) -> None:
        """See Editor."""
        if self._handle:
            self._at.cleanup(self._handle)
            self._handle = 0
        self._frame.close()


def _find(plugin: int, title: str) -> tuple[str, str, str]:
    """Return library, bundle and URI of a plugin's X11 window. Raises PluginError."""
    lil = lilv()
    kinds = [UI + "X11UI"]
    for ui in lil.each("uis", lil.plugin_get_uis(plugin)):
        if any(lil.ui_is_a(ui, lil.uri(kind)) for kind in kinds):
            return _path(lil.ui_get_binary_uri(ui)), _path(lil.ui_get_bundle_uri(ui)), lil.text(lil.ui_get_uri(ui))
    raise PluginError(f"{title}: has no window of its own for X11; its knobs are on the page")


def _path(node: int) -> str:
    return unquote(urlparse(lilv().text(node)).path)

"""A bare window of the X Window System, for a plugin to put its own into; over Xlib, whose errors are ignored.

Runs on: editor process.
"""

from __future__ import annotations

import ctypes as c
import ctypes.util
import os
from typing import Any

from engine.core.errors import PluginError

_STRUCTURE = 1 << 17  # StructureNotifyMask
_DESTROYED, _MESSAGE = 17, 33
NO_DISPLAY = "there is no display to show a window on; run it in a desktop session, or set DISPLAY (over ssh: ssh -X)"


class _Message(c.Structure):
    """XClientMessageEvent."""

    _fields_ = (
        ("type", c.c_int),
        ("serial", c.c_ulong),
        ("send_event", c.c_int),
        ("display", c.c_void_p),
        ("window", c.c_ulong),
        ("message_type", c.c_ulong),
        ("format", c.c_int),
        ("data", c.c_long * 5),
    )


class _Event(c.Union):
    """XEvent."""

    _fields_ = (("type", c.c_int), ("message", _Message), ("room", c.c_long * 24))


class Frame:
    """A window with a title; `is_open` until it is closed."""

    def __init__(self, title: str, width: int, height: int) -> None:
        """Show it. Raises PluginError where there is no display."""
        name = ctypes.util.find_library("X11")
        if name is None or not os.environ.get("DISPLAY"):
            raise PluginError(NO_DISPLAY)
        self._x: Any = c.CDLL(name)
        self._x.XOpenDisplay.restype = c.c_void_p
        self._x.XDefaultRootWindow.restype = self._x.XInternAtom.restype = c.c_ulong
        found = self._x.XOpenDisplay(None)
        if not found:
            raise PluginError(NO_DISPLAY)
        self._display = c.c_void_p(found)
        root = c.c_ulong(self._x.XDefaultRootWindow(self._display))
        self._x.XCreateSimpleWindow.restype = c.c_ulong
        self.id = int(
            self._x.XCreateSimpleWindow(self._display, root, 0, 0, max(width, 1), max(height, 1), 0, c.c_ulong(0), c.c_ulong(0))
        )
        self._window = c.c_ulong(self.id)
        self._x.XStoreName(self._display, self._window, title.encode())
        self._x.XSelectInput(self._display, self._window, c.c_long(_STRUCTURE))
        self._closes = self._x.XInternAtom(self._display, b"WM_DELETE_WINDOW", 0)
        closes = c.c_ulong(self._closes)
        self._x.XSetWMProtocols(self._display, self._window, c.byref(closes), 1)
        self.is_open = True

    def show(self) -> None:
        """Let it be seen."""
        self._x.XMapWindow(self._display, self._window)
        self._x.XSync(self._display, 0)

    def resize(self, width: int, height: int) -> None:
        """Make it as large as the plugin wants it."""
        self._x.XResizeWindow(self._display, self._window, max(width, 1), max(height, 1))
        self._x.XSync(self._display, 0)

    def idle(self) -> bool:
        """Hear what happens to it; return whether it is still open."""
        event = _Event()
        while self.is_open and self._x.XPending(self._display):
            self._x.XNextEvent(self._display, c.byref(event))
            asked = event.type == _MESSAGE and event.message.data[0] == self._closes
            self.is_open = not (asked or event.type == _DESTROYED)
        return self.is_open

    def close(self) -> None:
        """Take it away."""
        self.is_open = False
        self._x.XCloseDisplay(self._display)

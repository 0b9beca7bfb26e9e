"""A plugin's window must not take its process with it: errors of the X server are ignored, where there is one.

Runs on: host process, editor process (main thread, before any plugin is loaded).
"""

from __future__ import annotations

import ctypes as c
import ctypes.util
import os
import sys
from typing import Any

_HELD: list[Any] = []  # callbacks, which the library keeps no hold of
_Error = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p)
_Ended = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)


def has_display() -> bool:
    """Whether a window could be shown."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY"))


def ignore_errors() -> bool:
    """Let Xlib, whose way is to end the program, ignore errors; return whether it is there."""
    name = ctypes.util.find_library("X11") if sys.platform.startswith("linux") and has_display() else None
    if name is None:
        return False
    try:
        library = c.CDLL(name)
    except OSError:
        return False
    on_error = _Error(lambda _display, _event: 0)
    library.XSetErrorHandler(on_error)
    _HELD.append((library, on_error))
    return True

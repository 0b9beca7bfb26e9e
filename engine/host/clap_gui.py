"""The window of a CLAP plugin: embedded in one of ours under X, floating on its own elsewhere (macOS and Windows: untried).

Runs on: editor process (main thread).
"""

from __future__ import annotations

import ctypes as c
import sys
from typing import Any

from engine.core.errors import PluginError
from engine.host import clap_abi as abi
from engine.host.clap_host import Host
from engine.host.x11 import Frame

_APIS = {"darwin": b"cocoa", "win32": b"win32"}


class ClapEditor:
    """See `Editor`."""

    def __init__(self, plugin: Any, gui: abi.Gui, host: Host, title: str) -> None:
        """`plugin`: the structure that every function is called with. Raises PluginError."""
        self._plugin, self._gui, self._host = plugin, gui, host
        self._frame: Frame | None = None
        api = _APIS.get(sys.platform, b"x11")
        if api == b"x11" and gui.is_api_supported(plugin, api, False):
            self._embed(api, title)
        elif gui.is_api_supported(plugin, api, True):
            if not gui.create(plugin, api, True):
                raise PluginError(f"{title}: its window cannot be made")
            gui.suggest_title(plugin, title.encode())
        else:
            raise PluginError(f"{title}: its window is not for this system ({api.decode()})")
        if not gui.show(plugin):
            raise PluginError(f"{title}: its window does not show")

    def _embed(self, api: bytes, title: str) -> None:
        gui, plugin = self._gui, self._plugin
        width, height = c.c_uint32(640), c.c_uint32(400)
        self._frame = Frame(title, width.value, height.value)
        if not gui.create(plugin, api, False):
            raise PluginError(f"{title}: its window cannot be made")
        gui.get_size(plugin, c.byref(width), c.byref(height))
        self._frame.resize(width.value, height.value)
        self._frame.show()
        if not gui.set_parent(plugin, c.byref(abi.Window(api, self._frame.id))):
            raise PluginError(f"{title}: its window cannot be put into ours")

    def idle(self) -> bool:
        """See Editor."""
        host = self._host
        if host.wanted_size and self._frame is not None:
            self._frame.resize(*host.wanted_size)
        host.wanted_size = None
        return not host.gui_closed and (self._frame is None or self._frame.idle())

    def close(self) -> None:
        """See Editor."""
        self._gui.hide(self._plugin)
        self._gui.destroy(self._plugin)
        if self._frame is not None:
            self._frame.close()

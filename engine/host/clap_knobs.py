"""The parameters of a CLAP plugin.

Runs on: host process (main thread).
"""

from __future__ import annotations

import ctypes as c
from typing import Any

from engine.host import clap_abi as abi
from engine.host.plugin import Knob

MOST_KNOBS = 4096


class Knobs:
    """`knobs` as the engine knows them, `ids` as the plugin does: its number and its cookie of each."""

    def __init__(self, plugin: Any, params: abi.Params | None) -> None:
        self._plugin, self._params = plugin, params
        self.knobs: list[Knob] = []
        self.ids: list[tuple[int, int | None]] = []
        self.read()

    def read(self) -> None:
        """Ask which there are; again where the plugin says that they are others."""
        self.knobs, self.ids = [], []
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
            self.ids.append((int(info.id), info.cookie))
            labels = self._labels(int(info.id), info.min_value, steps) if 2 <= steps <= 32 else ()
            self.knobs.append(Knob(str(info.id), name, info.min_value, info.max_value, default, steps, labels))

    def _labels(self, param_id: int, first: float, steps: int) -> tuple[str, ...]:
        found = [self._text(param_id, first + step) for step in range(steps)]
        return tuple(found) if all(found) else ()

    def _text(self, param_id: int, value: float) -> str:
        text = c.create_string_buffer(256)
        if self._params is None or not self._params.value_to_text(self._plugin, param_id, value, text, len(text)):
            return ""
        return text.value.decode(errors="replace")

    def value(self, index: int) -> float:
        """As of a Plugin."""
        found = c.c_double()
        if self._params is None or not self._params.get_value(self._plugin, self.ids[index][0], c.byref(found)):
            return self.knobs[index].default
        return found.value

    def text(self, index: int, value: float) -> str:
        """As of a Plugin."""
        return self._text(self.ids[index][0], value)

"""What ports an LV2 plugin has, as its description tells.

Runs on: host process.
"""

from __future__ import annotations

import ctypes as c

import numpy as np

from engine.host import lilv as abi
from engine.host.lilv import ATOM, LV2, lilv
from engine.host.plugin import Knob

NOT_ON_GUI = abi.PORT_PROPS + "notOnGUI"
GROUPS = "http://lv2plug.in/ns/ext/port-groups#"


class Ports:
    """The numbers of a plugin's ports by what they are for, its knobs, and the memory of its control ports."""

    def __init__(self, plugin: int) -> None:
        self._lilv, self._lv2 = lilv(), plugin
        lil = self._lilv
        self.knobs: list[Knob] = []
        self.knob_ports: list[int] = []
        self.symbols: dict[str, int] = {}
        self.audio_in: list[int] = []
        self.side: list[int] = []
        self.audio_out: list[int] = []
        self.events_in = self.latency = -1
        self.events: list[tuple[int, bool]] = []  # number, whether it is an input
        count = lil.plugin_get_num_ports(self._lv2)
        self.controls = (c.c_float * max(count, 1))()
        self.cv: list[int] = []
        for number in range(count):
            port = lil.plugin_get_port_by_index(self._lv2, number)

            def is_a(kind: str, port: int = port) -> bool:
                return bool(lil.port_is_a(self._lv2, port, lil.uri(kind)))

            is_input = is_a(LV2 + "InputPort")
            if is_a(LV2 + "ControlPort"):
                self._read_control(number, port, is_input)
            elif is_a(LV2 + "AudioPort"):
                aside = is_input and self._is_side(port)
                (self.side if aside else self.audio_in if is_input else self.audio_out).append(number)
            elif is_a(ATOM + "AtomPort"):
                self.events.append((number, is_input))
                if is_input and self.events_in < 0:
                    self.events_in = number
            elif is_a(LV2 + "CVPort"):
                self.cv.append(number)

    def _is_side(self, port: int) -> bool:
        lil = self._lilv
        if lil.port_has_property(self._lv2, port, lil.uri(LV2 + "isSideChain")):
            return True
        group = lil.port_get(self._lv2, port, lil.uri(GROUPS + "group"))
        if not group:
            return False
        of = lil.world_get(lil.world, group, lil.uri(GROUPS + "sideChainOf"), None)
        lil.node_free(group)
        if of:
            lil.node_free(of)
        return bool(of)

    def _read_control(self, number: int, port: int, is_input: bool) -> None:
        lil = self._lilv
        symbol = lil.text(lil.port_get_symbol(self._lv2, port))
        self.symbols[symbol] = number

        def has(what: str) -> bool:
            return bool(lil.port_has_property(self._lv2, port, lil.uri(what)))

        if not is_input:
            designation = lil.port_get(self._lv2, port, lil.uri(LV2 + "designation"))
            if has(LV2 + "reportsLatency") or lil.text(designation, ours=True) == LV2 + "latency":
                self.latency = number
            return
        minimum, maximum, default = self._range(port)
        self.controls[number] = default
        designation = lil.text(lil.port_get(self._lv2, port, lil.uri(LV2 + "designation")), ours=True)
        if designation in (LV2 + "enabled", LV2 + "freeWheeling") or has(NOT_ON_GUI) or not minimum < maximum:
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
        self.knob_ports.append(number)

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

"""Universes of DMX: the numbers of the smooth tiers on their channels, and the datagrams of Art-Net and sACN.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from sacn.messages.data_packet import DataPacket

from engine.feed.signals.catalogue import Catalogue
from engine.lights.plan import CHANNELS, Curve, Light, Output, Plan, Source

ARTNET_PORT, SACN_PORT = 6454, 5568
_ARTDMX, _ARTNET_VERSION = 0x5000, 14
_SACN_SEQUENCE, _SACN_OPTIONS, _SACN_DATA = 111, 112, 126  # places in a data packet of ANSI E1.31
_TERMINATED = 0x40
SOURCE = "Algoritmo"


def shaped(values: np.ndarray, curve: Curve) -> np.ndarray:
    """Return values 0..1 through a dimmer curve: what the eye takes for even is the square of what is sent."""
    out: np.ndarray
    if curve == "square":
        out = values * values
    elif curve == "root":
        out = np.sqrt(values)
    elif curve == "s":
        out = values * values * (3 - 2 * values)
    else:
        out = values
    return out


class Universe:
    """One universe: `fill` puts the numbers of a moment on its channels, `data` has them."""

    def __init__(self, number: int, plan: Plan, catalogue: Catalogue) -> None:
        self.number = number
        self.data = np.zeros(CHANNELS, np.uint8)
        moved: list[tuple[int, int, Source]] = []  # channel, channel of the fine part or -1, what moves it
        for light in plan.lights:
            if light.universe == number:
                self._place(light, plan, moved)
        sources = [source for _, _, source in moved]
        self._channels = np.array([channel for channel, _, _ in moved], np.intp)
        self._fine = np.array([fine for _, fine, _ in moved], np.intp)
        self._is_fine = self._fine >= 0
        self._signals = np.array([catalogue.index[source.signal] for source in sources], np.intp)
        self._low = np.array([source.low for source in sources], np.float32)
        self._span = np.array([source.high - source.low for source in sources], np.float32)
        self._curves: list[tuple[Curve, np.ndarray]] = [
            (curve, np.flatnonzero([source.curve == curve for source in sources])) for curve in ("square", "root", "s")
        ]
        self.wants_levels = any(catalogue.signals[n].tier == "levels" for n in self._signals)

    def _place(self, light: Light, plan: Plan, moved: list[tuple[int, int, Source]]) -> None:
        names = plan.fixtures[light.fixture].channels
        for name, what in light.channels.items():
            channel = light.address - 1 + names.index(name)
            if isinstance(what, int):
                self.data[channel] = what
            else:
                moved.append((channel, light.address - 1 + names.index(what.fine) if what.fine else -1, what))

    def fill(self, values: np.ndarray) -> None:
        """Take the values of the catalogue's signals, 0..1."""
        if not len(self._signals):
            return
        now = np.nan_to_num(values[self._signals])
        for curve, places in self._curves:
            if len(places):
                now[places] = shaped(now[places], curve)
        now = self._low + now * self._span
        self.data[self._channels] = np.where(self._is_fine, np.floor(now * 65535 / 256), now * 255 + 0.5).astype(np.uint8)
        if self._is_fine.any():
            whole = (now[self._is_fine] * 65535).astype(np.uint16)
            self.data[self._fine[self._is_fine]] = whole & 255


class Packet:
    """The datagram of one universe; `made` counts it and puts the data in."""

    def __init__(self, universe: Universe, head: bytes, sequence_at: int, first: int) -> None:
        """`sequence_at`: place of its number, `first` the least number."""
        self.universe = universe
        self._bytes = bytearray(head) + bytes(CHANNELS)
        self._at = len(head)
        self._sequence_at, self._first = sequence_at, first
        self._sequence = first - 1

    def made(self, end: bool = False) -> bytes:
        """Return it with the universe's data; `end`: of sACN, that no more will come."""
        self._sequence = self._sequence + 1 if self._sequence < 255 else self._first
        self._bytes[self._sequence_at] = self._sequence
        self._bytes[self._at :] = self.universe.data.data
        if end and self._at == _SACN_DATA:
            self._bytes[_SACN_OPTIONS] |= _TERMINATED
        return bytes(self._bytes)


def packets(output: Output, universes: Sequence[Universe], cid: bytes) -> list[Packet]:
    """Return the datagrams of an output; `cid`: sixteen bytes by which receivers of sACN know who sends."""
    if output.protocol == "artnet":
        heads = [
            b"Art-Net\0" + struct.pack("<HBBBBHBB", _ARTDMX, 0, _ARTNET_VERSION, 0, 0, u.number, CHANNELS >> 8, CHANNELS & 255)
            for u in universes
        ]
        return [Packet(u, head, 12, 1) for u, head in zip(universes, heads, strict=True)]  # 0 would mean: not counted
    made = [
        bytes(DataPacket(tuple(cid), SOURCE, u.number, (0,) * CHANNELS, priority=output.priority).getBytes()) for u in universes
    ]
    return [Packet(u, whole[:_SACN_DATA], _SACN_SEQUENCE, 0) for u, whole in zip(universes, made, strict=True)]


def group_of(universe: int) -> str:
    """Return the multicast group of a universe of sACN."""
    return f"239.255.{universe >> 8}.{universe & 255}"

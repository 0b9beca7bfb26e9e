"""CLAP's other side: a file that was opened, what a plugin may ask of its host, and the memory of its audio ports.

Runs on: host process.
"""

from __future__ import annotations

import ctypes as c
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.core.errors import PluginError
from engine.host import clap_abi as abi
from engine.host.plugin import CHANNELS


class Library:
    """A .clap file that was opened; it stays open as long as the process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path
        if path.is_dir():  # macOS: a bundle
            file = next(iter(sorted((path / "Contents/MacOS").glob("*"))), path)
        try:
            self._library = c.CDLL(str(file))
            self._entry = abi.Entry.in_dll(self._library, "clap_entry")
        except (OSError, ValueError) as error:
            raise PluginError(f"{path}: is no CLAP plugin for this machine ({error})") from error
        if self._entry.clap_version.major < 1:
            raise PluginError(f"{path}: was made for a draft of CLAP; ask its maker for a newer version")
        if not self._entry.init(str(path).encode()):
            raise PluginError(f"{path}: does not start")
        factory = self._entry.get_factory(abi.FACTORY)
        if not factory:
            raise PluginError(f"{path}: there is no plugin in it")
        self.factory = c.cast(factory, abi.FactoryP)

    def descriptors(self) -> Iterator[abi.Descriptor]:
        """Yield what the file says of each of its plugins."""
        for index in range(self.factory.contents.get_plugin_count(self.factory)):
            descriptor = self.factory.contents.get_plugin_descriptor(self.factory, index)
            if descriptor and descriptor.contents.id:
                yield descriptor.contents


class Host:
    """What a plugin may ask of us. Everything is noted; ClapPlugin.idle does it."""

    def __init__(self) -> None:
        self.callback = self.restart = self.rescan = self.latency = False
        self.audio_thread = 0
        self.timers: dict[int, tuple[float, float]] = {}  # id -> period in s, due at
        main = threading.get_ident()

        def note(what: str) -> Any:
            return lambda *_: setattr(self, what, True)

        nothing = abi.HostCall(lambda _: None)
        self._extensions: dict[bytes, Any] = {
            b"clap.latency": (abi.HostCall(note("latency")),),
            b"clap.params": (abi.HostFlags(note("rescan")), abi.HostClear(lambda *_: None), nothing),
            b"clap.state": (nothing,),
            b"clap.audio-ports": (abi.HostAskFlags(lambda *_: True), abi.HostFlags(note("restart"))),
            b"clap.note-ports": (abi.HostCount(lambda _: abi.DIALECT_CLAP | abi.DIALECT_MIDI), abi.HostFlags(lambda *_: None)),
            b"clap.thread-check": (
                abi.HostAsk(lambda _: threading.get_ident() == main),
                abi.HostAsk(lambda _: threading.get_ident() == self.audio_thread),
            ),
            b"clap.timer-support": (abi.HostTimer(self._register), abi.HostAskFlags(self._unregister)),
            b"clap.log": (abi.HostLog(lambda *_: None),),
        }
        self._tables = {
            name: (c.c_void_p * len(calls))(*(c.cast(f, c.c_void_p) for f in calls)) for name, calls in self._extensions.items()
        }
        self._calls = (abi.HostGet(self._get), abi.HostCall(note("restart")), nothing, abi.HostCall(note("callback")))
        self.record = abi.Host(abi.Version(1, 1, 1), None, b"Algoritmo", b"Algoritmo", b"", __version__.encode(), *self._calls)

    def _get(self, _host: int, name: bytes) -> int | None:
        table = self._tables.get(name)
        return None if table is None else c.addressof(table)

    def _register(self, _host: int, period_ms: int, timer: Any) -> bool:
        number = max(self.timers, default=0) + 1
        self.timers[number] = (max(period_ms, 10) / 1e3, time.monotonic())
        timer[0] = number
        return True

    def _unregister(self, _host: int, timer: int) -> bool:
        return self.timers.pop(timer, None) is not None


class Bus:
    """The audio ports of one direction, and their memory: the first is the main one, the second the side-chain."""

    def __init__(self, channels: list[int], frames: int) -> None:
        self.buffers = (abi.AudioBuffer * max(len(channels), 1))()
        self.count = len(channels)
        self._pointers = []
        self.memory = []  # (channels, frames) of each port
        for number, width in enumerate(channels):
            memory = np.zeros((width, frames), np.float32)
            pointers = (c.c_void_p * max(width, 1))(*(memory[i].ctypes.data for i in range(width)))
            self.buffers[number].data32 = c.cast(pointers, c.POINTER(c.c_void_p))
            self.buffers[number].channel_count = width
            self._pointers.append(pointers)
            self.memory.append(memory)


def spread(given: np.ndarray, taken: np.ndarray, frames: int) -> None:
    """Copy one port into another, float32 (channels, frames): mono is heard on both sides, stereo becomes its mean."""
    if not len(taken):
        return
    if not len(given):
        taken[:, :frames] = 0.0
    elif len(given) == len(taken):
        taken[:, :frames] = given[:, :frames]
    elif len(taken) == 1:
        np.mean(given[:CHANNELS, :frames], axis=0, out=taken[0, :frames])
    else:
        taken[:, :frames] = 0.0
        taken[:CHANNELS, :frames] = given[:CHANNELS, :frames] if len(given) > 1 else given[0, :frames]

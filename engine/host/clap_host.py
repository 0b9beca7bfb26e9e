"""CLAP's other side: a file that was opened, what a plugin may ask of its host, and the memory of its audio ports.

Runs on: host process.
"""

from __future__ import annotations

import ctypes as c
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.core.errors import PluginError
from engine.host import clap_abi as abi
from engine.host.binary import fault_before
from engine.host.plugin import CHANNELS


class Library:
    """A .clap file that was opened; it stays open as long as the process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path
        if path.is_dir():  # macOS: a bundle
            file = next(iter(sorted((path / "Contents/MacOS").glob("*"))), path)
        if fault := fault_before(path):
            raise PluginError(f"{path}: {fault}")
        try:
            self._library = _open(file)
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

    def other_factory(self, name: bytes) -> int:
        """Return where the file has a factory of this name; 0: nowhere."""
        return self._entry.get_factory(name) or 0

    def descriptors(self) -> Iterator[abi.Descriptor]:
        """Yield what the file says of each of its plugins."""
        for index in range(self.factory.contents.get_plugin_count(self.factory)):
            descriptor = self.factory.contents.get_plugin_descriptor(self.factory, index)
            if descriptor and descriptor.contents.id:
                yield descriptor.contents


def _open(file: Path) -> c.CDLL:
    """Open a library. What it does as it is opened may take long; ctypes' own way would keep the sound waiting for it."""
    if sys.platform == "win32":
        return c.CDLL(str(file))
    this = c.CDLL(None)
    this.dlopen.restype, this.dlopen.argtypes = c.c_void_p, (c.c_char_p, c.c_int)
    this.dlerror.restype = c.c_char_p
    handle = this.dlopen(os.fsencode(file), os.RTLD_NOW | os.RTLD_LOCAL)
    if not handle:
        raise OSError((this.dlerror() or b"?").decode(errors="replace"))
    return c.CDLL(str(file), handle=handle)


class Host:
    """What a plugin may ask of us. Everything is noted; ClapPlugin.idle does it."""

    def __init__(self) -> None:
        self.callback = self.restart = self.rescan = self.latency = False
        self.dirty = False  # its state has changed by more than its knobs
        self.gui_closed = False
        self.wanted_size: tuple[int, int] | None = None  # of its window
        self.files: dict[int, int] = {}  # file descriptors that it waits for -> for what
        self.audio_thread = 0
        self.timers: dict[int, tuple[float, float]] = {}  # id -> period in s, due at
        main = threading.get_ident()

        def note(what: str) -> Any:
            return lambda *_: setattr(self, what, True)

        nothing = abi.HostCall(lambda _: None)
        self._extensions: dict[bytes, Any] = {
            b"clap.latency": (abi.HostCall(note("latency")),),
            b"clap.params": (abi.HostFlags(note("rescan")), abi.HostClear(lambda *_: None), nothing),
            b"clap.state": (abi.HostCall(note("dirty")),),
            b"clap.gui": (
                nothing,
                abi.HostSize(self._resize),
                abi.HostAsk(lambda _: True),
                abi.HostAsk(lambda _: True),
                abi.HostClosed(note("gui_closed")),
            ),
            b"clap.posix-fd-support": (abi.HostFd(self._watch), abi.HostFd(self._watch), abi.HostNoFd(self._leave)),
            b"clap.audio-ports": (abi.HostAskFlags(lambda *_: True), abi.HostFlags(note("restart"))),
            b"clap.note-ports": (abi.HostCount(lambda _: abi.DIALECT_CLAP | abi.DIALECT_MIDI), abi.HostFlags(lambda *_: None)),
            b"clap.thread-check": (
                abi.HostAsk(lambda _: threading.get_ident() == main),
                abi.HostAsk(lambda _: threading.get_ident() == self.audio_thread),
            ),
            b"clap.timer-support": (abi.HostTimer(self._register), abi.HostAskFlags(self._unregister)),
            b"clap.log": (abi.HostLog(lambda *_: None),),
        }
        told = (abi.HostPresetError(lambda *_: None), abi.HostPresetLoaded(lambda *_: None))
        self._extensions |= {b"clap.preset-load/2": told, b"clap.preset-load.draft/2": told}
        self._tables = {
            name: (c.c_void_p * len(calls))(*(c.cast(f, c.c_void_p) for f in calls)) for name, calls in self._extensions.items()
        }
        self._calls = (abi.HostGet(self._get), abi.HostCall(note("restart")), nothing, abi.HostCall(note("callback")))
        self.record = abi.Host(abi.Version(1, 1, 1), None, b"Algoritmo", b"Algoritmo", b"", __version__.encode(), *self._calls)

    def _get(self, _host: int, name: bytes) -> int | None:
        table = self._tables.get(name)
        return None if table is None else c.addressof(table)

    def _resize(self, _host: int, width: int, height: int) -> bool:
        self.wanted_size = (width, height)
        return True

    def _watch(self, _host: int, file: int, flags: int) -> bool:
        self.files[file] = flags
        return True

    def _leave(self, _host: int, file: int) -> bool:
        return self.files.pop(file, None) is not None

    def ready(self) -> list[tuple[int, int]]:
        """Return the files that something can be read from or written to, each with what (1, 2)."""
        waiting = [file for file, flags in self.files.items() if flags & 1], [f for f, flags in self.files.items() if flags & 2]
        try:
            here, there, _ = select.select(*waiting, [], 0)
        except (OSError, ValueError):  # one that was closed without a word
            self.files.clear()
            return []
        return [(file, (1 if file in here else 0) | (2 if file in there else 0)) for file in {*here, *there}]

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

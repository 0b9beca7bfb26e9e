"""A host process: plugins live here, so that one that fails takes nothing with it but its own sound.

Runs on: host process. The main thread loads, keeps states and does what plugins ask for; one thread, as urgent as the sound,
processes them all when the audio process rings.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from io import FileIO
from multiprocessing.connection import Connection
from typing import Any

from engine.core.errors import PluginError
from engine.core.messages import BLOCK
from engine.core.process import Spec, number_of
from engine.core.realtime import SOUND, be_urgent
from engine.core.roles import HOST
from engine.host import backends, lv2, vst3, wire
from engine.host.display import ignore_errors
from engine.host.exchange import NOBODY, Exchange
from engine.host.guard import Guard
from engine.host.plugin import PARAMETER, About, Event, Moment, Plugin

SWITCH_S = 1e-4  # what another thread may keep the sound waiting
IDLE_S = 0.04  # how often plugins are asked what they want done
CALL_S = 0.1  # how often the audio process is called while it is not there
STATE_S = 3.0  # how often states are kept ...
MOST_PRINTED = 4 << 20  # bytes of the session's log that plugins may fill
STATE_SHARE = 0.02  # ... and the share of the time that this may take


def main(spec: Spec, pipe: Connection) -> None:
    """Host plugins until told to stop."""
    number = number_of(HOST)
    link = spec.link(f"{HOST}{number}")
    ignore_errors()
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    pipe.send(("ready", {"pid": os.getpid()}))

    def is_over() -> bool:
        link.beat(f"{HOST}{number}")
        return pipe.poll()

    with contextlib.suppress(EOFError, OSError):
        prints = Prints(spec.session is not None)
        HostProcess(Exchange(link.exchange(number)), wire.address(link.name, number), is_over, prints).run()


def warm() -> None:
    """Load, ahead of time, what any plugin would need first. Raises PluginError where a library is missing."""
    vst3.warm()
    lv2.warm()


class Prints:
    """What plugins print: in the session's log, where there is one, and no more of it than anyone would read."""

    def __init__(self, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._begin = os.fstat(1).st_size
        if not is_kept:
            self._drop()

    def look(self) -> None:
        """See that it does not become too much; to be called now and then."""
        if self._is_kept and os.fstat(1).st_size - self._begin > MOST_PRINTED:
            log = os.dup(1)
            self._drop()
            os.write(log, b"\na plugin prints without end; what it prints from here on is left out\n")
            os.close(log)

    def _drop(self) -> None:
        self._is_kept = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)


class Slot:
    """One plugin that was loaded, as the audio thread sees it."""

    def __init__(self, number: int, plugin: Plugin, exchange: Exchange, blocks_per_s: float) -> None:
        self.number = number
        self.plugin = plugin
        self.source = -1  # slot whose output is its input; -1: what the audio process gives
        self.first: list[Event] = []  # for its first block
        self.lock = threading.Lock()  # whoever does what must not happen while it is processed
        self.guard = Guard(blocks_per_s)
        self.told = ""  # of the guard's faults
        self._exchange = exchange
        self._in, self._side, self._out = exchange.inputs[number], exchange.side[number], exchange.out[number]
        self.kept = b""  # its state as it was told last

    def process(self, at: Moment) -> None:
        """Process a block."""
        if not self.lock.acquire(blocking=False):
            self._out.fill(0.0)
            return
        try:
            events = self._exchange.take(self.number)
            if self.first:
                events, self.first = self.first + events, []
            given = self._in if self.source < 0 else self._exchange.out[self.source]
            self.plugin.process(given, self._side, self._out, events, at)
            self.guard.check(self._out)
        except Exception as error:  # whatever a backend raises must not end the sound of the others
            self._out.fill(0.0)
            self.guard.fault = f"failed: {error}"
        finally:
            self.lock.release()


class HostProcess:
    """The plugins of one process."""

    def __init__(self, exchange: Exchange, where: str, is_over: Callable[[], bool], prints: Prints) -> None:
        """`where`: address of the audio process. `is_over`: whether the order to stop, or the end of the pipe, has come."""
        self._prints = prints
        self._exchange = exchange
        self._where = where
        self._is_over = is_over
        self._slots: dict[int, Slot] = {}
        self._order: tuple[Slot, ...] = ()  # replaced as a whole: the audio thread reads it
        self._words: wire.Words | None = None
        self._rate_hz = 48000.0
        self._next_state_s = 0.0

    def run(self) -> None:
        """Serve until the run is over."""
        while not self._is_over():
            try:
                self._connect()
            except OSError:
                time.sleep(CALL_S)
                continue
            while not self._is_over():
                try:
                    self._serve()
                except (OSError, PluginError):
                    break  # the audio process is gone: the plugins stay as they are until another calls
            if self._words is not None:
                self._words.close()
        self._order = ()
        for slot in self._slots.values():
            if slot.lock.acquire(timeout=0.1):
                slot.plugin.close()

    def _connect(self) -> None:
        read_end, write_end = os.pipe()
        rings = FileIO(read_end)
        try:
            bell = _call(self._where, wire.BELL, write_end)
        finally:
            os.close(write_end)
        words = _call(self._where, wire.WORDS)
        self._words = wire.Words(words)
        threading.Thread(target=self._answer, args=(rings, bell), name="plugins", daemon=True).start()
        self._words.say({"said": "here", "pid": multiprocessing.current_process().pid, "slots": sorted(self._slots)})

    # --- the sound --------------------------------------------------------------------------------------------------------

    def _answer(self, rings: FileIO, bell: socket.socket) -> None:
        """The audio thread: a block for every ring, which is its number; the pipe ends with the audio process."""
        be_urgent(SOUND)
        at, exchange = Moment(), self._exchange
        with rings, bell, contextlib.suppress(OSError):
            while ring := rings.read(8):
                exchange.moment(at)
                for slot in self._order:
                    exchange.at_work = slot.number
                    slot.process(at)
                exchange.at_work = NOBODY
                exchange.answered = int.from_bytes(ring, "little")
                bell.send(ring)

    # --- what is said -----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        assert self._words is not None
        self._words.wait(IDLE_S)
        heard = self._words.heard()
        for place, (message, behind) in enumerate(heard):
            if message.get("do") == "load" and _is_undone(message, heard[place + 1 :]):
                continue
            with self._serving(int(message.get("slot", NOBODY))):
                self._obey(message, behind)
        for slot in list(self._slots.values()):
            try:
                with self._serving(slot.number):
                    self._look_after(slot)
            except PluginError as error:
                self._say({"said": "failed", "slot": slot.number, "do": "restart", "why": str(error)})
        if time.monotonic() >= self._next_state_s:
            self._keep_states()
            self._prints.look()

    @contextlib.contextmanager
    def _serving(self, number: int) -> Iterator[None]:
        """Say whose plugin is at fault where the process dies of this, or is long about it."""
        self._exchange.served = number
        try:
            yield
        finally:
            self._exchange.served = NOBODY

    def _obey(self, message: dict[str, Any], behind: bytes) -> None:
        do, number = str(message.get("do")), int(message.get("slot", -1))
        try:
            if do == "rate":
                self._rate_hz = float(message["rate_hz"])
            elif do == "load":
                self._load(number, message, behind)
            elif do == "order":
                self._set_order(message["order"])
            elif number in self._slots:
                slot = self._slots[number]
                if do == "unload":
                    self._unload(slot)
                elif do == "preset":
                    with slot.lock:
                        slot.plugin.load_preset(str(message["name"]))
                    self._tell_values(slot)
                    self._next_state_s = 0.0  # now
                elif do == "restore":
                    with slot.lock:
                        slot.plugin.restore(behind)
                    slot.kept = behind
                    self._tell_values(slot)
        except PluginError as error:
            self._say({"said": "failed", "slot": number, "do": do, "why": str(error)})

    def _say(self, message: dict[str, Any], behind: bytes = b"") -> None:
        if self._words is not None:
            self._words.say(message, behind)

    def _load(self, number: int, message: dict[str, Any], state: bytes) -> None:
        about = About(**message["about"])
        there = self._slots.get(number)
        if there is not None and (there.plugin.about.id, there.plugin.about.path) == (about.id, about.path):
            self._tell_loaded(there)  # the audio process began anew; the plugin plays on
            return
        if there is not None:
            self._unload(there)
        plugin = backends.load(about)
        plugin.activate(self._rate_hz, BLOCK)
        refused = ""
        if state:
            try:
                plugin.restore(state)
            except PluginError as error:
                refused = str(error)
        slot = Slot(number, plugin, self._exchange, self._rate_hz / BLOCK)
        values = message.get("values", {})
        slot.first = [
            (0, PARAMETER, 0, 0, 0, index, float(values[knob.key]))
            for index, knob in enumerate(plugin.knobs)
            if knob.key in values
        ]
        self._exchange.out[number].fill(0.0)
        self._slots[number] = slot
        self._order = (*self._order, slot)  # before it is told: what is played from then on is heard
        self._tell_loaded(slot)
        if refused:
            self._say({"said": "failed", "slot": number, "do": "restore", "why": refused})

    def _tell_loaded(self, slot: Slot) -> None:
        plugin = slot.plugin
        self._say(
            {
                "said": "loaded",
                "slot": slot.number,
                "about": asdict(plugin.about),
                "knobs": [asdict(knob) for knob in plugin.knobs],
                "values": [plugin.value(index) for index in range(len(plugin.knobs))],
                "latency_frames": plugin.latency_frames,
            }
        )

    def _tell_values(self, slot: Slot) -> None:
        plugin = slot.plugin
        values = [plugin.value(index) for index in range(len(plugin.knobs))]
        self._say({"said": "values", "slot": slot.number, "values": values})

    def _unload(self, slot: Slot) -> None:
        self._order = tuple(other for other in self._order if other is not slot)
        del self._slots[slot.number]
        with slot.lock:
            self._exchange.out[slot.number].fill(0.0)
            slot.plugin.close()

    def _set_order(self, order: list[list[int]]) -> None:
        """Process these slots, each with the slot its input comes from, or -1."""
        found = []
        for number, source in order:
            if number in self._slots:
                self._slots[number].source = source
                found.append(self._slots[number])
        self._order = tuple(found)

    def _look_after(self, slot: Slot) -> None:
        plugin = slot.plugin
        if plugin.wants_restart:
            with slot.lock:
                plugin.restart()
        plugin.idle()
        if plugin.changed:
            plugin.changed = False
            self._tell_loaded(slot)
        fault = slot.guard.fault
        if fault != slot.told:
            slot.told = fault
            self._say({"said": "muted", "slot": slot.number, "why": fault})

    def _keep_states(self) -> None:
        begun_s = time.monotonic()
        for slot in self._slots.values():
            with contextlib.suppress(PluginError), self._serving(slot.number):
                state = slot.plugin.state()
                if state and state != slot.kept:
                    slot.kept = state
                    self._say({"said": "state", "slot": slot.number}, state)
        took_s = time.monotonic() - begun_s
        self._next_state_s = begun_s + max(STATE_S, took_s / STATE_SHARE)


def _is_undone(load: dict[str, Any], later: Sequence[wire.Message]) -> bool:
    """Whether what is to be loaded is not wanted any more."""
    return any(message.get("do") == "unload" and message.get("slot") == load.get("slot") for message, _ in later)


def _call(where: str, what: bytes, *files: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(where)
        socket.send_fds(connection, [what], files)
    except OSError:
        connection.close()
        raise
    return connection

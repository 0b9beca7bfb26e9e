"""All host processes as the audio process sees them: what is in them, who comes and who goes.

Runs on: audio process. `begin`, `collect` and `end` belong to the audio callback, everything else to the control thread. A
process that is late costs the sound one wait; until it has caught up nobody waits for it again, and one that does not is ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from io import FileIO
from typing import Any

from engine.audio.host import WAIT_S, Bell, Host, Unit
from engine.core.errors import PluginError
from engine.core.link import Link
from engine.core.roles import HOST, HOSTS
from engine.host import wire
from engine.host.exchange import NOBODY, SLOTS, Exchange
from engine.host.plugin import About, Knob, Moment

MOST_CRASHES = 3  # a plugin that took its process down so often is left out from there on
SHARED = 0  # number of the process that plugins share
FORGIVEN_S = 300.0  # after so long what it did before does not count
SOON_S, PAUSE_S = 10.0, 1.0  # one that fails again so soon is loaded only after a pause
PATIENCE_S = 1.5  # a plugin that takes longer to load keeps others waiting no longer: they go to another process
LOAD_S = 120.0  # one that takes longer never will be
SERVED_S = 20.0  # what a plugin may take for anything else: a preset, its state


class Hosts:
    """All host processes of a run, and the plugins in them.

    Channel: writes `hosts`. `on_loaded(unit, values)` is called when a plugin is ready or has changed, `on_gone(unit)` when its
    process ended, `tell(text)` for what a person is to know.
    """

    def __init__(self, link: Link | None, rate_hz: float, tell: Callable[[str], None], wait_s: float = WAIT_S) -> None:
        """`wait_s`: how long a block waits for a process at most."""
        self.on_loaded: Callable[[Unit, list[float]], object] = lambda _unit, _values: None
        self.on_values: Callable[[Unit, list[float]], object] = lambda _unit, _values: None
        self._link = link
        self._rate_hz = rate_hz
        self._tell = tell
        self._wait_s = wait_s
        self._hosts: dict[int, Host] = {}
        self._doors: dict[int, socket.socket] = {}
        self._callers: list[socket.socket] = []  # have called and not said yet what for
        self._bells: dict[int, Bell] = {}  # wait for their words
        self._prompt: tuple[Host, ...] = ()
        self._others: tuple[Host, ...] = ()

    # --- audio callback ---------------------------------------------------------------------------------------------------

    @property
    def is_needed(self) -> bool:
        """Whether there is any plugin."""
        return bool(self._prompt or self._others)

    def begin(self, at: Moment) -> None:
        """A block begins: ring at those that are prompt."""
        for host in self._prompt:
            host.post(at)

    def end(self, at: Moment) -> None:
        """All that goes into plugins in this block is there: ring at the others, whose answers are for the next one."""
        for host in self._others:
            host.post(at)

    def collect(self) -> None:
        """Take what they have made of it; of all of them together one alone is waited for in vain."""
        waits = True
        for host in (*self._prompt, *self._others):
            waits = host.collect(waits) and waits

    # --- control thread ---------------------------------------------------------------------------------------------------

    def load(self, unit: Unit) -> None:
        """Load a plugin, or remember to as soon as its process is there. Raises PluginError when there is no room."""
        if self._link is None or not self._link.layout.exchange:
            raise PluginError(f"{unit.label}: there are no processes for plugins here")
        host = self._room(unit)
        unit.settle_in(host, next(slot for slot in range(SLOTS) if slot not in host.units))
        self._prompt = tuple(host for host in self._hosts.values() if host.is_prompt)
        self._others = tuple(host for host in self._hosts.values() if not host.is_prompt)
        self._want()
        if host.words is not None:
            self._order_load(unit)

    def unload(self, unit: Unit) -> None:
        """Let go of a plugin."""
        host = unit.host
        if host is None or host.units.get(unit.slot) is not unit:
            return
        unit.is_loaded = False
        del host.units[unit.slot]
        host.settle()
        self._say(host, {"do": "unload", "slot": unit.slot})

    def preset(self, unit: Unit, name: str) -> None:
        """Let a plugin take on one of its presets."""
        if unit.host is not None:
            unit.is_preset_due = True
            self._say(unit.host, {"do": "preset", "slot": unit.slot, "name": name})

    def restore(self, unit: Unit, state: bytes) -> None:
        """Let a plugin take on a state."""
        unit.state = state
        if unit.host is not None:
            self._say(unit.host, {"do": "restore", "slot": unit.slot}, state)

    @property
    def is_busy(self) -> bool:
        """Whether a process is to come, loads a plugin, or is late."""
        return any(
            host.units and (host.bell is None or host.bell.is_owed or any(unit.is_loading for unit in host.units.values()))
            for host in self._hosts.values()
        )

    def poll(self) -> None:
        """Take who has come and what was said, and look who is gone. To be called 10 times a second; 50 where `is_busy`."""
        # Asked first, nobody who says nothing is listened to: the sound waits for whatever this thread does.
        hosts = list(self._hosts.values())
        ready = wire.ready([*self._doors.values(), *(host.words for host in hosts if host.words is not None)])
        for host in hosts:
            # Before another takes the place of one that died: it is known then who is to blame.
            self._look_after(host, host.words in ready)
            if self._doors[host.number] in ready and self._let_in(host):
                self._look_after(host, True)
            self._keep_time(host)

    def close(self) -> None:
        """Close every door."""
        for host in self._hosts.values():
            host.drop()
        for door in self._doors.values():
            door.close()

    @property
    def segment(self) -> str:
        """Names the run; empty where it is nobody else's."""
        return "" if self._link is None else self._link.name

    @property
    def units(self) -> list[Unit]:
        """Every plugin that is wanted."""
        return [unit for host in self._hosts.values() for unit in host.units.values()]

    def _room(self, unit: Unit) -> Host:
        """Return the process that a plugin goes to."""
        if unit.source is not None and unit.source.host is not None:
            number = unit.source.host.number
        elif not (unit.own or unit.prompt):
            number = SHARED
            if SHARED in self._hosts and self._is_slow(self._hosts[SHARED]):
                others = [n for n, host in self._hosts.items() if host.is_shared and not self._is_slow(host)]
                number = next(iter([*others, *self._free()]), SHARED)
        else:
            free = self._free()
            number = free[0] if free else SHARED
            if not free:
                self._tell(f"{unit.label}: no more than {HOSTS - 1} plugins can have a process for themselves; it shares one")
        assert self._link is not None
        host = self._hosts.get(number)
        if host is None:
            host = self._hosts[number] = Host(number, Exchange(self._link.exchange(number)), self._wait_s)
            self._doors[number] = wire.listen(wire.address(self._link.name, number))
        if len(host.units) >= SLOTS:
            raise PluginError(f"{unit.label}: a process hosts {SLOTS} plugins at most; give it one of its own (host = own)")
        return host

    def _free(self) -> list[int]:
        """Return the processes that no plugin is in, but for the one that they share."""
        return [n for n in range(1, HOSTS) if n not in self._hosts or not self._hosts[n].units]

    def _is_slow(self, host: Host) -> bool:
        """Whether a process has been loading one plugin for long."""
        return host.served_for(time.monotonic())[0] > PATIENCE_S

    def _want(self) -> None:
        assert self._link is not None
        wanted = sum(1 << number for number in self._hosts)
        self._link.writer("hosts").push((wanted,))

    def _let_in(self, host: Host) -> bool:
        """Take who has come to the door of a process; return whether anyone has."""
        door, came = self._doors[host.number], False
        with contextlib.suppress(BlockingIOError):
            while True:
                caller, _ = door.accept()
                if wire.is_ours(caller):
                    caller.settimeout(0.2)
                    self._admit(host, caller)
                    came = True
                else:
                    caller.close()
        return came

    def _keep_time(self, host: Host) -> None:
        """Look how long a process has been at one plugin: others do not wait for it, and some day nobody does."""
        long_s, unit = host.served_for(time.monotonic())
        if unit is None or not host.pid:
            return
        if long_s > (SERVED_S if unit.is_loaded else LOAD_S):
            self._tell(f"{unit.label} is not done after {long_s:.0f} s; its process is ended and begun anew")
            unit.crashes, unit.failed_s = MOST_CRASHES - 1, time.monotonic()  # once is enough
            self._end(host)
        elif long_s > PATIENCE_S and not unit.is_loaded:
            for other in list(host.units.values()):
                if other is not unit and not other.is_loaded and not other.is_bypassed and other.source is None:
                    self._move(other)

    def _move(self, unit: Unit) -> None:
        """Load a plugin in another process than the one in which it waits."""
        if not self._free():
            return
        self.unload(unit)
        self.load(unit)

    def _end(self, host: Host) -> None:
        """End a process that will not go on."""
        self._blame(host)
        with contextlib.suppress(OSError):
            os.kill(host.pid, signal.SIGKILL)
        host.pid = 0
        host.drop()

    def _admit(self, host: Host, caller: socket.socket) -> None:
        """A host process has called: first for the bell, then for words."""
        try:
            what, files, _, _ = socket.recv_fds(caller, 4, 1)
        except OSError:
            what, files = b"", []
        pipes = [FileIO(file, "w") for file in files]
        if what == wire.BELL and pipes:
            caller.setblocking(False)
            self._bells[host.number] = Bell(caller, pipes[0])
        elif what == wire.WORDS and host.number in self._bells:
            if host.words is not None:
                host.drop()
            host.words = wire.Words(caller)
        else:
            caller.close()

    def _look_after(self, host: Host, speaks: bool) -> None:
        """`speaks`: whether it has said something, or is no more."""
        if host.hangs and host.pid:
            self._tell(f"{self._culprit(host)} hangs; its process is ended and begun anew")
            self._end(host)
            return
        if host.words is None:
            return
        try:
            heard = host.words.heard() if speaks or host.words.is_full else []
        except (OSError, PluginError):
            if host.pid:
                self._tell(f"{self._culprit(host)} took its process down; it is begun anew")
                self._blame(host)
            host.pid = 0
            host.drop()
            return
        for message, behind in heard:
            self._hear(host, message, behind)
        for unit in host.units.values():
            if unit.crashes >= MOST_CRASHES and not unit.is_bypassed and host.pid:  # somebody wants to try it again
                unit.crashes = 0
                self._order_load(unit)
            self._load_due(unit)

    def _culprit(self, host: Host) -> str:
        """Return who was at work."""
        unit = host.at_work
        return unit.label if unit is not None else f"the {HOST}{host.number} process"

    def _blame(self, host: Host) -> None:
        unit = host.at_work
        host.exchange.at_work = host.exchange.served = NOBODY
        if unit is None:
            return
        now_s = time.monotonic()
        unit.crashes = unit.crashes + 1 if now_s - unit.failed_s < FORGIVEN_S else 1
        unit.pause_s = PAUSE_S if now_s - unit.failed_s < SOON_S else 0.0
        unit.failed_s = now_s
        if unit.crashes >= MOST_CRASHES:
            unit.is_bypassed = True
            unit.fault = f"failed {MOST_CRASHES} times"
            self._tell(f"{unit.label} {unit.fault} and is left out; turn its bypass off to try it again")

    def _hear(self, host: Host, message: dict[str, Any], behind: bytes) -> None:
        said = message.get("said")
        if said == "here":
            bell = self._bells.pop(host.number, None)
            if bell is None or host.words is None:  # the process has said so before
                return
            host.greet(bell, host.words, int(message["pid"]))
            self._say(host, {"do": "rate", "rate_hz": self._rate_hz})
            for unit in sorted(host.units.values(), key=lambda unit: unit.slot):
                if not unit.is_bypassed:
                    unit.due_s = time.monotonic() + unit.pause_s
                    self._load_due(unit)
            return
        of = host.units.get(int(message.get("slot", -1)))
        if of is not None:
            self._hear_of(of, host, message, behind)

    def _hear_of(self, unit: Unit, host: Host, message: dict[str, Any], behind: bytes) -> None:
        """Take what is said of one plugin."""
        said = message.get("said")
        if said == "loaded":
            about = About.of(message["about"])
            unit.about = about if about.presets else replace(about, presets=unit.about.presets)  # those that a scan found
            unit.knobs = tuple(Knob.of(knob) for knob in message["knobs"])
            unit.latency_frames = int(message["latency_frames"])
            unit.fault = ""
            if not unit.is_loaded:
                host.spare()
            unit.is_loaded = True
            host.settle()
            self._order(host)
            self.on_loaded(unit, [float(value) for value in message["values"]])
        elif said == "state":
            unit.state = behind
            unit.presets += unit.is_preset_due
            unit.is_preset_due = False
        elif said == "values":
            self.on_values(unit, [float(value) for value in message["values"]])
        elif said == "muted":
            unit.fault = str(message["why"])
            if unit.fault:
                self._tell(f"{unit.label} {unit.fault}; it is muted until it does not")
        elif said == "failed":
            unit.fault = str(message["why"])
            self._tell(unit.fault)

    def _load_due(self, unit: Unit) -> None:
        if unit.due_s and time.monotonic() >= unit.due_s:
            unit.due_s = 0.0
            self._order_load(unit)

    def _order_load(self, unit: Unit) -> None:
        assert unit.host is not None
        about = {name: getattr(unit.about, name) for name in ("format", "id", "name", "path")}
        message = {"do": "load", "slot": unit.slot, "about": about, "values": unit.values}
        self._say(unit.host, message, unit.state)

    def _order(self, host: Host) -> None:
        """Say in which order the plugins are processed: each after the one whose output it takes."""
        ordered: list[Unit] = []

        def add(unit: Unit) -> None:
            if unit not in ordered and unit.is_loaded:
                if unit.source is not None:
                    add(unit.source)
                ordered.append(unit)

        for _, unit in sorted(host.units.items()):
            add(unit)
        order = [[u.slot, u.source.slot if u.source is not None and u.source.is_loaded else -1] for u in ordered]
        self._say(host, {"do": "order", "order": order})

    def _say(self, host: Host, message: dict[str, Any], behind: bytes = b"") -> None:
        if host.words is not None:
            with contextlib.suppress(OSError):  # its end is seen in `poll`
                host.words.say(message, behind)

"""All host processes as the audio process sees them: what is in them, who comes and who goes.

Runs on: audio process. `begin`, `collect` and `end` belong to the audio callback, everything else to the control thread. A
process that is late costs the sound one wait; until it has caught up nobody waits for it again, and one that does not is ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from engine.audio.host import WAIT_S, Host, Unit
from engine.core.errors import PluginError
from engine.core.link import Link
from engine.core.roles import HOST, HOSTS
from engine.host import wire
from engine.host.exchange import NOBODY, SLOTS, Exchange
from engine.host.plugin import About, Knob, Moment

MOST_CRASHES = 3  # a plugin that took its process down so often is left out from there on
SHARED = 0  # number of the process that plugins share


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
        self._bells: dict[int, socket.socket] = {}  # wait for their words
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
            host.is_posted = host.post(at)

    def end(self, at: Moment) -> None:
        """All that goes into plugins in this block is there: ring at the others, whose answers are for the next one."""
        for host in self._others:
            host.is_posted = host.post(at)

    def collect(self) -> None:
        """Take what they have made of it; of all of them together one alone is waited for in vain."""
        waits = True
        for host in (*self._prompt, *self._others):
            if host.is_posted:
                waits = host.collect(waits) and waits

    # --- control thread ---------------------------------------------------------------------------------------------------

    def load(self, unit: Unit) -> None:
        """Load a plugin, or remember to as soon as its process is there. Raises PluginError when there is no room."""
        if self._link is None or not self._link.layout.exchange:
            raise PluginError(f"{unit.label}: there are no processes for plugins here")
        host = self._room(unit)
        unit.host = host
        unit.slot = next(slot for slot in range(SLOTS) if slot not in host.units)
        host.units[unit.slot] = unit
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
            self._say(unit.host, {"do": "preset", "slot": unit.slot, "name": name})

    def poll(self) -> None:
        """Take who has come and what was said, and look who is gone. To be called often: 20 times a second and more."""
        for number, door in self._doors.items():
            with contextlib.suppress(BlockingIOError):
                caller, _ = door.accept()
                if wire.is_ours(caller):
                    caller.settimeout(0.2)
                    self._admit(self._hosts[number], caller)
                else:
                    caller.close()
        for host in self._hosts.values():
            self._look_after(host)

    def close(self) -> None:
        """Close every door."""
        for host in self._hosts.values():
            host.drop()
        for door in self._doors.values():
            door.close()

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
        else:
            free = [n for n in range(1, HOSTS) if n not in self._hosts or not self._hosts[n].units]
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

    def _want(self) -> None:
        assert self._link is not None
        wanted = sum(1 << number for number in self._hosts)
        self._link.writer("hosts").push((wanted,))

    def _admit(self, host: Host, caller: socket.socket) -> None:
        """A host process has called: first for the bell, then for words."""
        try:
            what = caller.recv(4)
        except OSError:
            what = b""
        if what == wire.BELL:
            self._bells[host.number] = caller
        elif what == wire.WORDS and host.number in self._bells:
            if host.words is not None:
                host.drop()
            host.words = wire.Words(caller)
        else:
            caller.close()

    def _look_after(self, host: Host) -> None:
        if host.hangs and host.pid:
            self._tell(f"{self._culprit(host)} hangs; its process is ended and begun anew")
            self._blame(host)
            with contextlib.suppress(OSError):
                os.kill(host.pid, signal.SIGKILL)
            host.pid = 0
            host.drop()
            return
        if host.words is None:
            return
        try:
            heard = host.words.heard()
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

    def _culprit(self, host: Host) -> str:
        """Return who was at work."""
        unit = host.units.get(host.exchange.at_work)
        return unit.label if unit is not None else f"the {HOST}{host.number} process"

    def _blame(self, host: Host) -> None:
        unit = host.units.get(host.exchange.at_work)
        host.exchange.at_work = NOBODY
        if unit is None:
            return
        unit.crashes += 1
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
                    self._order_load(unit)
            return
        of = host.units.get(int(message.get("slot", -1)))
        if of is not None:
            self._hear_of(of, host, message, behind)

    def _hear_of(self, unit: Unit, host: Host, message: dict[str, Any], behind: bytes) -> None:
        """Take what is said of one plugin."""
        said = message.get("said")
        if said == "loaded":
            unit.about = About.of(message["about"])
            unit.knobs = tuple(Knob.of(knob) for knob in message["knobs"])
            unit.latency_frames = int(message["latency_frames"])
            unit.fault = ""
            unit.is_loaded = True
            host.settle()
            self._order(host)
            self.on_loaded(unit, [float(value) for value in message["values"]])
        elif said == "state":
            unit.state = behind
        elif said == "values":
            self.on_values(unit, [float(value) for value in message["values"]])
        elif said == "muted":
            unit.fault = str(message["why"])
            if unit.fault:
                self._tell(f"{unit.label} {unit.fault}; it is muted until it does not")
        elif said == "failed":
            unit.fault = str(message["why"])
            self._tell(unit.fault)

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

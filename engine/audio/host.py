"""One host process, and one plugin in it, as the audio process sees them.

A process is rung for as a block ends, and its answer is collected in the next one, after pyo has rendered: it works while the
audio process sleeps, and nobody waits for it. What it makes is one block late. The process that plays the player's own sound is
prompt instead: it is rung for as a block begins, works beside pyo, and is waited for.

Runs on: audio process. `post`, `collect` and `is_heard` belong to the audio callback, everything else to the control thread.
"""

from __future__ import annotations

import math
import select
import socket
from dataclasses import dataclass, field

from engine.host import wire
from engine.host.exchange import MOST_EVENTS, NOBODY, Exchange
from engine.host.plugin import About, Event, Knob, Moment

WAIT_S = 0.8e-3  # the longest wait of a block for all processes together
HUNG_BLOCKS = 75  # a process that has not answered for so long hangs: a tenth of a second


@dataclass(slots=True, eq=False)
class Unit:
    """One plugin in a place of the rack: what is wanted, and what is there."""

    label: str  # as a person calls it: "bass: DX10"
    about: About
    own: bool = False  # wants a process for itself
    prompt: bool = False  # is heard in the block that it is played in
    values: dict[str, float] = field(default_factory=dict)  # of its knobs, by their keys
    state: bytes = b""
    presets: int = 0  # taken on so far, with a state of each
    is_preset_due: bool = False  # the state of one is to come
    source: Unit | None = None  # whose output it takes, within the same process
    host: Host | None = None
    slot: int = -1
    is_loaded: bool = False
    is_bypassed: bool = False  # left out, by a person or for what it did
    crashes: int = 0
    failed_s: float = -math.inf  # when it failed last, as time.monotonic() counts
    pause_s: float = 0.0  # before it is loaded again
    due_s: float = 0.0  # when it is to be loaded; 0: nothing is due
    latency_frames: int = 0
    knobs: tuple[Knob, ...] = ()
    fault: str = ""
    events: list[Event] = field(default_factory=list)  # for the next block; belongs to the audio callback

    @property
    def is_loading(self) -> bool:
        """Whether it is still to come."""
        return not (self.is_loaded or self.is_bypassed or self.fault)

    @property
    def is_heard(self) -> bool:
        """Whether what it put out in this block is there. Audio callback."""
        return self.is_loaded and self.host is not None and self.host.is_fresh


class Host:
    """One process. `is_fresh`: its answer for this block has come."""

    def __init__(self, number: int, exchange: Exchange, wait_s: float = WAIT_S) -> None:
        """`wait_s`: how long a block waits for it at most."""
        self.number = number
        self._wait_s = wait_s
        self.exchange = exchange
        self.is_fresh = False
        self.units: dict[int, Unit] = {}  # by slot
        self.bell: socket.socket | None = None
        self.words: wire.Words | None = None
        self.pid = 0
        self.is_posted = False  # an answer for this block is to be waited for
        self.waited = 0  # blocks that a wait for it was cut short
        self._loaded: tuple[Unit, ...] = ()
        self._served = (NOBODY, 0.0)  # whose turn it is in its main thread, and since when
        self._is_owed = False  # it has not answered an earlier block
        self._missed = 0  # blocks since then
        self._count = 0

    @property
    def is_prompt(self) -> bool:
        """Whether its answer is for the block that it is rung for in, not for the one after it."""
        return any(unit.prompt for unit in self.units.values())

    @property
    def is_shared(self) -> bool:
        """Whether others can be put to the plugins that are in it."""
        return self.number == 0 or (bool(self.units) and not any(unit.own or unit.prompt for unit in self.units.values()))

    @property
    def at_work(self) -> Unit | None:
        """Whose turn it is, or was when the process died: what is being loaded, else what is processed, else what is served."""
        served, processed = self.units.get(self.exchange.served), self.units.get(self.exchange.at_work)
        return served if served is not None and not served.is_loaded else processed or served

    def served_for(self, now_s: float) -> tuple[float, Unit | None]:
        """Return for how long, in s, its main thread has been at one plugin, and which; to be called often. Control thread."""
        number = self.exchange.served
        if number != self._served[0] or number not in self.units:
            self._served = (number, now_s)
        return now_s - self._served[1], self.units.get(number)

    @property
    def hangs(self) -> bool:
        """Whether it has not answered for so long that it never will."""
        return self._missed >= HUNG_BLOCKS

    def settle(self) -> None:
        """Process what is loaded now, from the next block on. Control thread."""
        self._loaded = tuple(unit for _, unit in sorted(self.units.items()) if unit.is_loaded)

    def post(self, at: Moment) -> bool:
        """Ring for a block; return whether an answer is to be waited for. Audio callback."""
        self.is_fresh = False
        bell = self.bell
        if bell is None or not self._loaded:
            return False
        if self._is_owed and not self._catch_up(bell):
            self._missed += 1
            return False
        exchange = self.exchange
        for unit in self._loaded:
            if unit.events:
                exchange.put(unit.slot, unit.events[:MOST_EVENTS])
                del unit.events[:MOST_EVENTS]
                # What had no room comes at the next block's beginning.
                unit.events[:] = [(0, *event[1:]) for event in unit.events]
            else:
                exchange.put(unit.slot, unit.events)
        exchange.tell(at)
        self._count += 1
        try:
            bell.send(self._count.to_bytes(8, "little"))
        except OSError:
            self.bell = None
            return False
        return True

    def collect(self, waits: bool) -> bool:
        """Take the answer for the block; `waits`: for up to WAIT_S. Return whether it came. Audio callback."""
        bell = self.bell
        if bell is None:
            return True
        answer = self._answer(bell)
        if answer is None and waits:
            self.waited += not select.select((bell,), (), (), self._wait_s)[0]
            answer = self._answer(bell)
        if answer is None:
            self._is_owed = True
            self._missed = 1
            return False
        if answer:
            self.is_fresh = True
        else:
            self.bell = None
        return True

    def _catch_up(self, bell: socket.socket) -> bool:
        """Look whether the answer that is owed has come; nobody waits for it."""
        answer = self._answer(bell)
        if answer is None:
            return False
        if not answer:
            self.bell = None
            return False
        self._is_owed = False
        self._missed = 0
        return True

    @staticmethod
    def _answer(bell: socket.socket) -> bytes | None:
        """Return what is there of an answer; None: nothing yet, nothing at all: the process is no more."""
        try:
            return bell.recv(8)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def greet(self, bell: socket.socket, words: wire.Words, pid: int) -> None:
        """A process has come. Control thread."""
        bell.setblocking(False)
        self.words, self.pid = words, pid
        self.exchange.at_work = NOBODY
        self._is_owed, self._missed = False, 0
        self.bell = bell

    def drop(self) -> None:
        """The process is no more, or is to be. Control thread."""
        self.bell = None
        if self.words is not None:
            self.words.close()
            self.words = None
        for unit in self.units.values():
            unit.is_loaded = False
        self.settle()

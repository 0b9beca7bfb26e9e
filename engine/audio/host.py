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
import time
from dataclasses import dataclass, field
from io import FileIO

import numpy as np

from engine.host import wire
from engine.host.exchange import MOST_EVENTS, NOBODY, Exchange
from engine.host.plugin import About, Event, Knob, Moment

UNHEARD = 128  # answers that may lie in a bell's socket: what says that they are there is a number in the shared memory
WAIT_S = 0.8e-3  # the longest wait of a block for all processes together
HUNG_BLOCKS = 75  # a process that has not answered for so long hangs: a tenth of a second
GRACE_S = 1.0  # ... unless it has just begun, or loaded a plugin: the first blocks may take long on a busy machine


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
    # Once it has a place: what goes in, what it listens to beside that, what comes out; views of the shared memory, float32
    # (BLOCK, CHANNELS).
    given: np.ndarray = field(init=False)
    side: np.ndarray = field(init=False)
    sound: np.ndarray = field(init=False)
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

    def settle_in(self, host: Host, slot: int) -> None:
        """Have a place in a process. Control thread."""
        self.host, self.slot = host, slot
        exchange = host.exchange
        self.given, self.side, self.sound = exchange.inputs[slot].T, exchange.side[slot].T, exchange.out[slot].T
        host.units[slot] = self

    @property
    def is_loading(self) -> bool:
        """Whether it is still to come."""
        return not (self.is_loaded or self.is_bypassed or self.fault)

    @property
    def is_heard(self) -> bool:
        """Whether what it put out in this block is there. Audio callback."""
        return self.is_loaded and self.host is not None and self.host.is_fresh


class Bell:
    """What one process is rung with, and answers over. Belongs to the audio callback; another process brings another.

    It is rung through a pipe, which takes less of the sound's time than a socket: `ring` writes to it.
    """

    __slots__ = ("is_owed", "is_posted", "missed", "ring", "socket", "unheard")

    def __init__(self, connection: socket.socket, pipe: FileIO) -> None:
        self.socket = connection
        self.ring = pipe.write
        self.is_posted = False  # an answer for this block is to be waited for
        self.is_owed = False  # it has not answered an earlier block
        self.missed = 0  # blocks since then
        self.unheard = 0  # answers that were seen in the memory, and still lie in the socket

    def is_held(self) -> bool:
        """Take what lies in the socket; return whether there is a process at the other end."""
        self.unheard = 0
        try:
            return bool(self.socket.recv(16 * UNHEARD))
        except BlockingIOError:
            return True
        except OSError:
            return False


class Host:
    """One process. `is_fresh`: its answer for this block has come."""

    def __init__(self, number: int, exchange: Exchange, wait_s: float = WAIT_S) -> None:
        """`wait_s`: how long a block waits for it at most."""
        self.number = number
        self._wait_s = wait_s
        self.exchange = exchange
        self.is_fresh = False
        self.units: dict[int, Unit] = {}  # by slot
        self.bell: Bell | None = None
        self.words: wire.Words | None = None
        self.pid = 0
        self.waited = 0  # blocks that a wait for it was cut short
        self._loaded: tuple[Unit, ...] = ()
        self._served = (NOBODY, 0.0)  # whose turn it is in its main thread, and since when
        self._new_s = -math.inf  # when it came, or loaded a plugin; as time.monotonic() counts
        self._count = 0  # of the block rung for last

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
        """Whether it has not answered for so long that it never will. Control thread."""
        bell = self.bell
        return bell is not None and bell.missed >= HUNG_BLOCKS and time.monotonic() - self._new_s > GRACE_S

    def settle(self) -> None:
        """Process what is loaded now, from the next block on. Control thread."""
        self._loaded = tuple(unit for _, unit in sorted(self.units.items()) if unit.is_loaded)

    def spare(self) -> None:
        """It has just begun, or loaded a plugin: it may take its time. Control thread."""
        self._new_s = time.monotonic()

    def post(self, at: Moment) -> None:
        """Ring for a block. Audio callback."""
        self.is_fresh = False
        bell = self.bell
        if bell is None:
            return
        bell.is_posted = False
        if not self._loaded or (bell.is_owed and not self._catch_up(bell)):
            return
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
            bell.ring(self._count.to_bytes(8, "little"))
        except OSError:
            self._lose(bell)
        else:
            bell.is_posted = True

    def collect(self, waits: bool) -> bool:
        """Take the answer for the block; `waits`: for up to WAIT_S. Return whether it came. Audio callback."""
        bell = self.bell
        if bell is None or not bell.is_posted:
            return True
        if self.exchange.answered == self._count:
            self.is_fresh = True
            bell.unheard += 1
            if bell.unheard >= UNHEARD and not bell.is_held():
                self._lose(bell)
        elif not bell.is_held() or (waits and not self._wait(bell)):
            self._lose(bell)
        elif self.exchange.answered == self._count:
            self.is_fresh = True
        else:
            bell.is_owed, bell.missed = True, 1
            return False
        return True

    def _wait(self, bell: Bell) -> bool:
        """Wait for the answer for as long as a block may; return whether there is a process that it can come from."""
        end_s = time.perf_counter() + self._wait_s
        while self.exchange.answered != self._count:
            left_s = end_s - time.perf_counter()
            if left_s <= 0 or not select.select((bell.socket,), (), (), left_s)[0]:
                self.waited += 1
                break
            if not bell.is_held():
                return False
        return True

    def _catch_up(self, bell: Bell) -> bool:
        """Look whether the answer that is owed has come; nobody waits for it."""
        if not bell.is_held():
            self._lose(bell)
            return False
        if self.exchange.answered != self._count:
            bell.missed += 1
            return False
        bell.is_owed, bell.missed = False, 0
        return True

    def _lose(self, bell: Bell) -> None:
        """The process at the other end is no more; another may have come meanwhile."""
        if self.bell is bell:
            self.bell = None

    def greet(self, bell: Bell, words: wire.Words, pid: int) -> None:
        """A process has come. Control thread."""
        self.words, self.pid = words, pid
        self.exchange.at_work = NOBODY
        self._count = max(self._count, self.exchange.answered)  # no answer to another process of ours is taken for one to us
        self.spare()
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

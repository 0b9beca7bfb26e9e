"""The processes of a run: started, heard, begun anew when one has died, ended in order.

Runs on: main process.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from engine.core.errors import AlgoritmoError
from engine.core.messages import ERROR, INFO, WARNING
from engine.core.process import Spec, Starter, play, understudy
from engine.core.roles import HOST, ROLES, role_of

STOP_S = 0.8  # what a child has for ending; Ctrl-C is to be over within a second ...
KEEP_S = 15.0  # ... but for the recorder, where the disk is slow or it has just been begun anew: nothing recorded is lost
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # before one that dies again and again is begun anew: twice as long each time
UNDERSTUDY_S = 15.0  # after everything plays, or after it was needed, the next one is got ready, which costs as much as a start
UNDERSTUDIED = ("audio", "network")  # what is missed at once
RECORDS = "feed"  # has the recorder
READY_S = 60.0  # a provider that must compile its graph takes long


@dataclass(slots=True)
class Child:
    """One process."""

    name: str
    process: BaseProcess
    pipe: Connection
    begun_s: float
    died: int = 0  # so often
    deaths: deque[float] = field(default_factory=deque)  # when, in s: the last ones
    ready: dict[str, Any] | None = None  # what it said when it was
    is_ready: bool = False  # the one that runs now
    again_s: float | None = None  # when it is begun anew, where it is dead and rests
    blamed: str = ""  # why it was ended here

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.again_s is None


class Children:
    """All of them. `tell(level, text)` is told what becomes of them; `log`: where the person finds more."""

    def __init__(self, spec: Spec, tell: Callable[[int, str], None], log: str) -> None:
        self._spec, self._tell, self._log = spec, tell, log
        self._all: dict[str, Child] = {}
        self._starter = Starter(spec)
        self._understudy: tuple[BaseProcess, Connection] | None = None
        self._understudy_s = float("inf")  # when one is to be got ready
        self.changed_s = float("-inf")  # when one was begun anew last

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> Child:
        return self._all[name]

    def __iter__(self) -> Iterator[Child]:
        return iter(self._all.values())

    def begin(self, name: str) -> None:
        """Start one for the first time."""
        process, pipe = self._starter.start(name)
        self._all[name] = Child(name, process, pipe, time.monotonic())

    def first_word(self, child: Child) -> None:
        """Take what a child says when it is ready. Raises AlgoritmoError when it cannot start."""
        try:
            word, said = child.pipe.recv()
        except (EOFError, OSError):
            raise AlgoritmoError(f"the {child.name} process ended before it was ready; see {self._log}") from None
        if word == "error":
            raise AlgoritmoError(said)
        child.ready, child.is_ready = dict(said), True

    def everything_plays(self) -> None:
        """From now on one that dies may be missed."""
        self._understudy_s = time.monotonic() + UNDERSTUDY_S

    def pids(self) -> dict[str, int]:
        """Return the process ids of those that are ready."""
        return {child.name: child.process.pid for child in self if child.runs and child.is_ready and child.process.pid}

    def awaited(self) -> list[Any]:
        """Return what to wait on."""
        alive = [child for child in self if child.runs]
        return [child.process.sentinel for child in alive] + [child.pipe for child in alive]

    def take(self, something: Any) -> None:
        """Look after the child that has become ready in this way."""
        for child in list(self):
            if not child.runs:
                continue
            if something is child.pipe:
                self._listen(child)
            elif something == child.process.sentinel and not child.process.is_alive():
                self._bury(child)

    def _listen(self, child: Child) -> None:
        """Take what a child says that was started later; a closed pipe is dealt with by its sentinel."""
        try:
            word, said = child.pipe.recv()
        except (EOFError, OSError):
            child.process.join(0.2)
            if not child.process.is_alive():
                self._bury(child)
            return
        if word == "ready":
            child.ready, child.is_ready = dict(said), True
        else:
            self._tell(ERROR, said)

    def end_one(self, name: str, why: str) -> None:
        """End one that does nothing any more; its sentinel then has it begun anew."""
        self._all[name].blamed = why
        self._all[name].process.kill()

    def _bury(self, child: Child) -> None:
        """One has died: begin it anew, at once or, where that happens again and again, after a pause."""
        now = time.monotonic()
        role = role_of(child.name)
        while child.deaths and now - child.deaths[0] >= role.within_s:
            child.deaths.popleft()
        often = len(child.deaths) - role.restarts
        child.deaths.append(now)
        child.died += 1
        child.is_ready = False
        child.pipe.close()
        why, child.blamed = child.blamed or f"died (exit {child.process.exitcode})", ""
        child.process.close()
        self.changed_s = now
        if often < 0:
            self._tell(WARNING, f"the {child.name} process {why} and is started again")
            self._again(child)
            return
        pause_s = min(PAUSE_S * 2**often, LONGEST_PAUSE_S)
        child.again_s = now + pause_s
        many = f"{len(child.deaths)} times within {role.within_s:.0f} s"
        self._tell(ERROR, f"the {child.name} process {why}, {many}: it is tried again in {pause_s:.0f} s; see {self._log}")

    def _again(self, child: Child) -> None:
        spec = replace(self._spec, restarted=True)
        child.again_s, child.begun_s = None, time.monotonic()
        if child.name in UNDERSTUDIED and self._understudy is not None:
            (process, pipe), self._understudy = self._understudy, None
            self._understudy_s = time.monotonic() + UNDERSTUDY_S
            with contextlib.suppress(OSError):
                if process.is_alive():
                    play(process, pipe, child.name, spec)
                    child.process, child.pipe = process, pipe
                    return
            pipe.close()
        child.process, child.pipe = self._starter.start(child.name, restarted=True)

    def tick(self) -> None:
        """Do what is due; to be called several times a second."""
        now = time.monotonic()
        for child in self:
            if child.again_s is not None and now >= child.again_s:
                self._again(child)
            elif child.runs and not child.is_ready and now - child.begun_s > READY_S:
                child.begun_s = now
                self.end_one(child.name, f"was not ready after {READY_S:.0f} s")
        if any(role_of(child.name).ahead for child in self):
            self._starter.prepare(HOST)
        if self._understudy is not None and not self._understudy[0].is_alive():
            self._understudy[1].close()
            self._understudy, self._understudy_s = None, now + UNDERSTUDY_S
        if self._understudy is None and now >= self._understudy_s:
            self._understudy, self._understudy_s = understudy(self._spec.session), float("inf")

    def end(self) -> None:
        """Stop them, in the order of the table."""
        self._starter.close()
        if self._understudy is not None:
            self._understudy[0].kill()
            self._understudy[1].close()
        for name in (role.name for role in sorted(ROLES, key=lambda role: role.ends)):
            child = self._all.get(name)
            if child is None or not child.runs:
                continue
            if child.ready is None:  # it never came so far as to have anything to end
                child.process.kill()
            with contextlib.suppress(OSError):
                child.pipe.send(("stop",))
            child.process.join(STOP_S)
            if child.process.is_alive() and name == RECORDS and self._spec.session is not None:
                self._tell(INFO, "the recording is being completed")
                child.process.join(KEEP_S)
            if child.process.is_alive():
                self._tell(WARNING, f"the {name} process did not end in time and was killed")
                child.process.kill()
                child.process.join(1)

    def report(self) -> dict[str, Any]:
        """Return what report.json has of them."""
        return {
            "restarts": {child.name: child.died for child in self},
            "processes": {
                child.name: {"pid": child.process.pid if child.runs else None, **(child.ready or {})} for child in self
            },
        }

"""The watch over every process: whether it is well, slow, stopped or hung. One that is dead, the system tells of.

Runs on: main process. A process is judged by the signs of life that it gives in the shared memory, never by its clock: silence
is counted in the watch's own waking time. So neither a computer that slept, nor a program that was stopped as a whole, nor a
clock that was set makes anyone look dead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import psutil

from engine.core.care import ANEW, HUNG, SLOW, STOPPED, WELL
from engine.core.link import Link
from engine.core.messages import CARE, INFO, WARNING
from engine.core.roles import PROCESSES, SUPERVISOR, role_of

MOST_S = 0.5  # of the time between two looks counts: what is longer, the watch itself stood still
PAUSED_S = 3.0  # such a standstill is told
BUSY = 0.97  # share of the machine's processors in use, above which silence may be for want of one
PATIENCE = 0.2  # so much of a silence counts while that is so
BEGINNING = 0.02  # so much of a silence counts before the first sign of life
COMPUTES = 0.5  # share of a core that one takes who goes round in a circle


@dataclass(frozen=True, slots=True)
class Condition:
    """What the system says of a process: its `status` as psutil names it, and the time of a processor it has had."""

    status: str
    cpu_s: float


def condition_of(pid: int) -> Condition | None:
    """Ask the system; None where the process is no more."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Condition(process.status(), times.user + times.system)
    except psutil.Error:
        return None


def busy() -> float:
    """Return the share of all processors that was in use since the last call, 0..1."""
    return float(psutil.cpu_percent(interval=None)) / 100


@dataclass(frozen=True, slots=True)
class Word:
    """What is found of a process: `text` for the person; `end`: why it is to be ended, empty while it may live."""

    name: str
    level: int
    text: str
    end: str = ""


@dataclass(slots=True)
class _Watched:
    """What is known of one process."""

    pid: int
    counts: dict[str, int] = field(default_factory=dict)  # signs of life so far, by ring
    silent_s: dict[str, float] = field(default_factory=dict)  # since the last
    begun: set[str] = field(default_factory=set)  # rings that it has told something in
    state: int = WELL
    told: int = WELL
    first: Condition | None = None  # when it was first missed ...
    since_s: float = 0.0  # ... which is so long ago
    blamed_s: float = 0.0  # of its silence that there is no excuse for
    longest_s: float = 0.0  # silence

    def hear(self, link: Link, signs: Iterable[tuple[str, float]], passed_s: float) -> float:
        """Look for signs of life; return for how long there was none."""
        for ring, _ in signs:
            count, before = link[ring].count, self.counts.get(ring)
            self.counts[ring] = count
            if before is None:
                self.silent_s[ring] = 0.0
            elif count != before:
                self.begun.add(ring)
                self.silent_s[ring] = 0.0
            else:
                self.silent_s[ring] += passed_s
        return max(self.silent_s[ring] / factor for ring, factor in signs)

    def judge(self, silent_s: float, now: Condition, passed_s: float, is_busy: bool) -> None:
        """It is missed: find out what lies behind it."""
        stopped = now.status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
        counts_s = passed_s * (PATIENCE if is_busy and not stopped else 1.0)
        if self.first is None:
            self.first, self.since_s, self.blamed_s = now, 0.0, silent_s - passed_s
        else:
            self.since_s += passed_s
        self.blamed_s += counts_s
        self.longest_s = silent_s
        self.state = STOPPED if stopped else SLOW if is_busy else HUNG

    def how(self, now: Condition) -> str:
        """Return in words how it is."""
        if self.state == STOPPED:
            return "stands still: something has stopped it"
        if self.state == SLOW:
            return "gives no sign of life, and this computer has no time left for it"
        assert self.first is not None
        computes = self.since_s > 0 and (now.cpu_s - self.first.cpu_s) / self.since_s > COMPUTES
        return "hangs, computing without end" if computes else "hangs, waiting for something"

    def is_well(self) -> None:
        """It gave a sign of life."""
        self.state = self.told = WELL
        self.first = None


class Watchdog:
    """Looks several times a second; what it finds is published as `care`."""

    def __init__(
        self,
        link: Link,
        now_s: Callable[[], float] = time.monotonic,
        examine: Callable[[int], Condition | None] = condition_of,
        machine: Callable[[], float] = busy,
    ) -> None:
        self._link, self._now_s, self._examine, self._machine = link, now_s, examine, machine
        self._watched: dict[str, _Watched] = {}
        self._looked_s: float | None = None
        self._published = b""
        machine()  # the first answer is of nothing

    def look(self, pids: Mapping[str, int], dead: Iterable[str] = ()) -> list[Word]:
        """Look at the processes that are ready; `dead`: those that are being begun anew. Return what there is to say."""
        now_s = self._now_s()
        passed_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        is_busy = self._machine() >= BUSY
        found: list[Word] = []
        if passed_s > PAUSED_S:
            text = f"everything, or the watch over it, stood still for {passed_s:.0f} s; it goes on"
            found.append(Word(SUPERVISOR, INFO, text))
        self._watched = {name: watched for name, watched in self._watched.items() if pids.get(name) == watched.pid}
        for name, pid in pids.items():
            watched = self._watched.setdefault(name, _Watched(pid))
            found += self._look_at(name, watched, min(passed_s, MOST_S), is_busy)
        self._publish(set(dead))
        return found

    def _look_at(self, name: str, watched: _Watched, passed_s: float, is_busy: bool) -> Iterator[Word]:
        role = role_of(name)
        if len(watched.begun) < len(role.signs):  # it may have hours of a recording to look through before it gives the first
            passed_s *= BEGINNING
        silent_s = watched.hear(self._link, role.signs, passed_s)
        if silent_s < role.silent_s:
            if watched.told != WELL:
                yield Word(name, INFO, f"the {name} process goes on; it gave no sign of life for {watched.longest_s:.1f} s")
            watched.is_well()
            return
        now = self._examine(watched.pid)
        if now is None:  # dead: the system tells of that
            return
        watched.judge(silent_s, now, passed_s, is_busy)
        how = watched.how(now)
        debugged = now.status == psutil.STATUS_TRACING_STOP
        if role.hung_s is not None and watched.blamed_s >= role.hung_s and not debugged:
            watched.blamed_s = 0.0
            yield Word(name, WARNING, "", end=f"{how}; after {silent_s:.1f} s it was ended")
        elif watched.told != watched.state:
            watched.told = watched.state
            after = "" if role.hung_s is None else f"; after {role.hung_s:.0f} s of that it is begun anew"
            yield Word(name, WARNING, f"the {name} process {how}{after}")

    def _publish(self, dead: set[str]) -> None:
        record = np.zeros((), CARE)
        for place, name in enumerate(PROCESSES):
            if name in self._watched:
                record["states"][place] = self._watched[name].state
            elif name in dead:
                record["states"][place] = ANEW
        if record.tobytes() != self._published:
            self._published = record.tobytes()
            self._link.writer("care").push(record[()])

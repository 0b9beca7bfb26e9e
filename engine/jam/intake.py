"""What the network process takes in from outside: all of it as of the end of a wait, and written down on a tape.

Runs on: network process, main thread. The same again, wait for wait, is the same choice of the same notes: see
engine/core/tape.py.
"""

from __future__ import annotations

import itertools

from engine.core import tape
from engine.core.held import HeldLink, HeldLive, HeldValues
from engine.core.link import Link
from engine.core.parameters import Live
from engine.core.tape import Tape
from engine.jam.performance import Driver, Outcome
from engine.transport.timeline import BeatTimeline

HELD = ("events", "timeline", "charts", "switches", "switched")
WRITES = ("notes", "yields", "steps", "chart", "chords", "harmony", "player_beat")


def written(link: Link) -> list[str]:
    """Return the rings whose lengths are on the tape as the process begins, in this order: each network has its own steps."""
    return [*WRITES, *itertools.takewhile(link.__contains__, (f"steps.{number}" for number in itertools.count(1)))]


class Intake:
    """What is known of the outside: `link` and `live`, as they were when `take` was called last."""

    def __init__(self, link: Link, live: Live) -> None:
        self.values = HeldValues(live.values)
        self.live = HeldLive(live, self.values)
        self.link = HeldLink(link, HELD)
        self.tape = Tape(link, "network")
        self.link.held["charts"].hold()  # what was typed before is not for this process
        self._charts, self._switches = self.link["charts"].reader(), self.link["switches"].reader()

    def start(self, restarted: bool, rate_hz: float, provider: str, network: int) -> None:
        """The process begins, with this network: look for the first time."""
        lengths = [self.link[name].count if name in self.link else 0 for name in written(self.link)]
        self.tape.begin(restarted, rate_hz, 0, lengths, provider, network)
        self.take()
        self.tape.put(tape.WAITED)

    def take(self) -> None:
        """Look."""
        held, to = self.link.held, self.tape
        if held["timeline"].hold():
            to.put(tape.LINES, count=held["timeline"].count)
        if held["events"].hold():
            to.put(tape.EVENTS, count=held["events"].count)
        if held["charts"].hold():
            for record in self._charts.read():
                to.put_text(tape.CHART, record["text"].decode(errors="replace"), int(record["beats"]), int(record["origin"]))
        if held["switched"].hold():
            to.put(tape.SWITCHED, count=held["switched"].count)
        if held["switches"].hold():
            for switch in self._switches.read():
                to.put_switch(switch)
        changes = self.values.take()
        if changes is not None:
            to.put(tape.TURNED, count=self.values.version)
        for place, value in changes or ():
            to.put(tape.CHANGE, place=place, value=value)


class Told:
    """A driver whose answers are written down; what is taken in is as of its last wait."""

    def __init__(self, driver: Driver, intake: Intake) -> None:
        self._driver, self._intake, self._tape = driver, intake, intake.tape
        self._latency = -1
        self._looks: tuple[float, ...] = ()

    @property
    def latency_frames(self) -> int:
        """Frames from rendering to the ear."""
        latency = self._driver.latency_frames
        if latency != self._latency:
            self._latency = latency
            self._tape.put(tape.LATENCY, count=latency)
        return latency

    def now(self) -> float:
        """Frame that is rendered now."""
        frame = self._driver.now()
        self._tape.put(tape.NOW, value=frame)
        return frame

    def now_ns(self) -> int:
        """Host time, to measure by: nothing follows from it."""
        return self._driver.now_ns()

    def earliest(self) -> float:
        """Frame at which something sent now can begin to sound."""
        frame = self._driver.earliest()
        self._tape.put(tape.EARLIEST, value=frame)
        return frame

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        """Seconds before its sound at which a step is looked at."""
        looks = self._driver.looks_s(timeline)
        if looks != self._looks:
            self._looks = looks
            self._tape.put(tape.LOOKS, count=len(looks))
            for look_s in looks:
                self._tape.put(tape.FIELD, value=look_s)
        return looks

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        """Let time pass, and look."""
        is_reached = self._driver.wait(frame, before_s, watchful)
        self._intake.take()
        self._tape.put(tape.WAITED, is_reached | 2 * self._driver.is_over())
        return is_reached

    def sits(self, number: int, is_there: bool) -> bool:
        """Another network is to play from here on; return whether it does."""
        self._tape.put(tape.SEAT, is_there, number)
        return is_there

    def is_over(self) -> bool:
        """Whether it is to end."""
        return self._driver.is_over()

    def played(self, outcome: Outcome) -> None:
        """A step has been published."""
        self._driver.played(outcome)

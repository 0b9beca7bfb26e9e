"""The feed: takes steps and notes from the rings when they sound, and gives them to whoever looks.

Runs on: feed process, event loop, or the caller of the offline render. It knows frames; the time of day is told to it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.core.care import EVERY
from engine.core.link import Link
from engine.core.messages import NOTE_ON, PLAYER
from engine.feed.encoder import Encoder
from engine.feed.schema import Schema
from engine.feed.signals.audience import Audience
from engine.feed.targets import Clocks, Targets

OLD_S = 0.25  # after a stall, steps that sounded longer ago than this are not shown any more; the newest always is
REMEMBERED = 256  # steps that the figures look back on
RATE_S = 4.0  # seconds that the published rate looks back on
NOW = Clocks(0.0)


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the publisher stands in its rings: everything before was published."""

    steps: int = 0
    events: int = 0


class Log(Protocol):
    """What remembers all that is published, with where the publisher stood."""

    def step(self, record: np.void, positions: Positions) -> None:
        """A step was published."""

    def notes(self, events: np.ndarray, positions: Positions) -> None:
        """Notes were published together."""

    def futures(self, record: np.void, positions: Positions) -> None:
        """Futures were published."""

    def reset(self, positions: Positions) -> None:
        """The encoder was reset."""


Heard = Callable[[np.ndarray], np.ndarray]  # EVENT records, with other numbers for their tracks
NowScene = tuple[int, str]  # number and name
ComingScene = tuple[int, str, float]  # and in how many quarters it begins; -1: it is being made ready


class Listener(Protocol):
    """Somebody who looks at every step: pages, OSCQuery."""

    def step(self, record: np.void) -> None:
        """A step sounds now; the feed's encoder has its numbers."""

    def notes(self, events: np.ndarray) -> None:
        """These began or ended to sound; EVENT records."""

    def futures(self, record: np.void) -> None:
        """This may follow the step that sounded last; a record of futures_dtype."""

    def scenes(self, now: NowScene, coming: ComingScene) -> None:
        """Another scene plays, or is to come."""


class Feed:
    """Publishes each step once it sounds, and each note as it sounds.

    `advance(frame)` does both up to a frame. After a stall who looks sees the newest steps; the recording has them all.
    """

    def __init__(self, link: Link, schema: Schema, log: Log | None = None, begin: Positions | None = None) -> None:
        """`begin`: where in the rings to start (None: with what comes next)."""
        self.schema = schema
        self._link = link
        self.encoder = Encoder(schema)
        self.targets = Targets(self.encoder)
        self.audience = Audience(link, schema)
        self.listeners: list[Listener] = []
        self.notes_in = 0
        self._log = log
        self._records_steps = True  # those of the network that is published; of several the log has the first's alone ...
        self._steps_log: Log | None = None  # ... and each other one a log of its own
        self._recorded = 0  # where in the first's ring the steps that were published end
        self._heard: Heard = lambda events: events
        self._steps = link["steps"].reader(begin.steps if begin else None)
        self._events = link["events"].reader(begin.events if begin else None)
        self._futures = link["futures"].reader()
        self._imagined: np.void | None = None  # not told yet
        self._waiting: deque[tuple[np.void, int]] = deque()  # steps that do not sound yet, and their place in the ring
        self._prepared: np.void | None = None  # the first of those that wait, encoded already
        self._preparing_s = 0.0  # what that took
        self._published = self._steps.position  # place in the ring behind the newest step published
        self._step_us: deque[float] = deque(maxlen=REMEMBERED)
        self._when_s: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def positions(self) -> Positions:
        """Where it stands in the rings: in that of the steps which are recorded."""
        return Positions(self._published if self._records_steps else self._recorded, self._events.position)

    def record(self, log: Log, begin: Positions) -> None:
        """Publish from `begin` on, and tell the log of it. The encoder starts anew, here as in the recording."""
        self._log = log
        self._steps.position = self._published = begin.steps
        self._events.position = begin.events
        self.encoder.reset()
        log.reset(self.positions)

    def adopt(self, link: Link, schema: Schema, first: int, heard: Heard, records: bool, steps_log: Log | None = None) -> None:
        """Publish another network from its step `first` in the ring on. `heard` gives tracks the numbers that it knows.

        `records`: whether its steps are recorded with the notes, which are recorded whoever plays, with the numbers that they
        have for all. `steps_log`: where its steps are recorded otherwise.
        """
        if self._records_steps:
            self._recorded = self._published
        self._records_steps, self._steps_log = records, steps_log
        self.schema, self.encoder, self._heard = schema, Encoder(schema), heard
        self.targets.adopt(self.encoder)
        self.audience.schema = schema
        self._steps, self._futures = link["steps"].reader(first), link["futures"].reader()
        self._published = first
        self._waiting.clear()
        self._prepared = self._imagined = None
        if (log := self._log_of_steps) is not None:
            log.reset(self._stand)

    @property
    def _log_of_steps(self) -> Log | None:
        """Where the steps of the network that is published are recorded."""
        return self._log if self._records_steps else self._steps_log

    @property
    def _stand(self) -> Positions:
        """Where it stands in the rings of the network that is published."""
        return Positions(self._published, self._events.position)

    def look(self) -> int | None:
        """Take new steps from the ring; return the frame of the next one to be published, if there is one."""
        records = self._steps.read()
        first = self._steps.position - len(records)
        for n, record in enumerate(records):
            self._waiting.append((record, first + n + 1))
        return int(self._waiting[0][0]["frame"]) if self._waiting else None

    def advance(self, frame: float, clocks: Clocks = NOW, paced: bool = False) -> bool:
        """Publish everything that sounds up to `frame`; `paced`: of what is shown one step. Return whether steps are left."""
        if self._prepared is not None and int(self._prepared["frame"]) <= frame:
            # Before notes that came since: the encoder did not know them.
            record, self._published = self._waiting.popleft()
            self.step(record, clocks)
        self.notes(clocks)
        self.look()
        due = sum(int(record["frame"]) <= frame for record, _ in self._waiting)
        for left in range(due, 0, -1):
            record, self._published = self._waiting.popleft()
            age_s = (frame - int(record["frame"])) * clocks.ns_per_frame * 1e-9
            shown = (left == 1 or age_s <= OLD_S) and not self._is_spared(record)
            self.step(record, clocks, shown)
            if paced and shown and left > 1:
                return True
        self._look_ahead(frame, clocks)
        return False

    def prepare(self, frame: float, soon: float, clocks: Clocks) -> int | None:
        """Encode the step that sounds after `frame` and up to `soon`; return where, None when there is none.

        `advance` then only has to send it; nothing else of the feed is to be called in between.
        """
        self.notes(clocks)
        following = self.look()
        if following is None or not frame < following <= soon or self._is_spared(self._waiting[0][0]):
            return None
        begun = time.perf_counter()
        self._prepared = self._waiting[0][0]
        self.encoder.take(self._prepared)
        self.targets.prepare(clocks)
        self._preparing_s = time.perf_counter() - begun
        return following

    def _is_spared(self, record: np.void) -> bool:
        """Whether this step is left out for who looks, because the machine is short of time."""
        return int(record["step"]) % EVERY > 0 and self._link.spares("feed")

    def _look_ahead(self, frame: float, clocks: Clocks) -> None:
        """Publish the newest futures, once the step they follow has sounded."""
        for record in self._futures.read():
            self._imagined = record
        if self._imagined is not None and int(self._imagined["frame"]) <= frame:
            self.imagine(self._imagined, clocks)
            self._imagined = None

    def step(self, record: np.void, clocks: Clocks = NOW, shown: bool = True) -> None:
        """Publish a step record; one that is not `shown` is recorded and counts as the step before the next."""
        begun = time.perf_counter()
        if record is self._prepared:
            begun -= self._preparing_s
        else:
            self.encoder.take(record)
        self._prepared = None
        if shown:
            self.targets.publish(clocks)
            self._step_us.append((time.perf_counter() - begun) * 1e6)
            self._when_s.append(clocks.now_s)
        elif self._when_s:  # those from before it began were never to be sent
            self.targets.skip(clocks.now_s)
        if (log := self._log_of_steps) is not None:
            log.step(record, self._stand)
        if shown:
            for listener in self.listeners:
                listener.step(record)

    def notes(self, clocks: Clocks = NOW) -> int:
        """Publish the notes that have begun or ended since the last call; return how many records there were."""
        events = self._events.read()
        if len(events):
            if self._log is not None:
                self._log.notes(events, self.positions)
            self.tell(self._heard(events), clocks)
        return len(events)

    def tell(self, events: np.ndarray, clocks: Clocks = NOW) -> None:
        """Publish EVENT records."""
        self.notes_in += int(np.count_nonzero((events["kind"] == NOTE_ON) & (events["track"] == PLAYER)))
        self.encoder.hear(events)
        self.targets.notes(events, clocks.heard_unix_ns(int(events["frame"].min())))
        for listener in self.listeners:
            listener.notes(events)

    def imagine(self, record: np.void, clocks: Clocks = NOW) -> None:
        """Publish futures."""
        self.targets.futures(record, clocks.heard_unix_ns(int(record["frame"])))
        if (log := self._log_of_steps) is not None:
            log.futures(record, self._stand)
        for listener in self.listeners:
            listener.futures(record)

    def scenes(self, now: NowScene, coming: ComingScene) -> None:
        """Publish which scene plays, and which is to come."""
        self.targets.scenes(now, coming)
        for listener in self.listeners:
            listener.scenes(now, coming)

    @property
    def step_us(self) -> float:
        """Microseconds to encode and send one step, median."""
        return float(np.median(self._step_us)) if self._step_us else 0.0

    def rate_hz(self, now_s: float) -> float:
        """Steps published per second, over the last seconds."""
        if not self._when_s:
            return 0.0
        span_s = min(RATE_S, now_s - self._when_s[0])
        return sum(now_s - when <= RATE_S for when in self._when_s) / span_s if span_s > 0 else 0.0

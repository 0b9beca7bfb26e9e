"""The loop over timesteps: hear, stand or choose, send, and publish; the same on the stage and in a render.

Runs on: network process, main thread, or the caller of the offline render. What differs between them is the driver: whose time
it is, and how it passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.core.contract import Card
from engine.core.link import Link
from engine.core.messages import PLAYER, WARNING
from engine.jam.jam import Jam
from engine.jam.leader import Leader
from engine.transport.timeline import BeatTimeline, TimelineReader

LOOKAHEAD = 0.45  # fraction of a step by which notes are sent ahead: the step before has sounded, and a note may be early
CORRECTED = 0.5  # fraction of a step for which it can be put right: what he plays later is of the next
HEARD, HEARD_BARS = 512, 8  # events and bars that a network which takes another's place has heard
CATCH_UP_BARS = 2  # after a longer stall the missed steps are jumped over instead of computed
WATCH_S = 0.005  # how often the player is listened for while he may interrupt


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step went."""

    step: int
    frame: float  # at which it sounds
    timeline: BeatTimeline
    step_ms: float  # from the input deadline to notes sent
    recomputed: bool  # whether it was chosen then, or once more
    done_ns: int
    late: bool  # its notes were not sent
    kept: bool  # its last choice came too late: the one before sounds


class Driver(Protocol):
    """Whose time it is."""

    @property
    def latency_frames(self) -> int:
        """Frames from rendering to the ear."""
        ...

    def now(self) -> float:
        """Frame that is rendered now."""
        ...

    def now_ns(self) -> int:
        """Host time, to measure by."""
        ...

    def earliest(self) -> float:
        """Frame at which something sent now can begin to sound."""
        ...

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        """Seconds before its sound at which a step is looked at; the last is its input deadline."""
        ...

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        """Let time pass up to so long before a frame is rendered; return whether that is reached.

        It may return before, for the beat timeline to be looked at; when `watchful` after WATCH_S.
        """
        ...

    def is_over(self) -> bool:
        """Whether it is to end."""
        ...

    def played(self, outcome: Outcome) -> None:
        """A step has been published."""
        ...


class Performance:
    """Plays step after step, as the beat timeline has them; `run` until the driver ends it.

    A step is chosen and sent ahead, and recomputed for what is heard until its input deadline. Where the beat stops or jumps
    meanwhile, the step that was chosen is withdrawn.
    """

    def __init__(
        self,
        jam: Jam,
        link: Link,
        card: Card,
        driver: Driver,
        leader: Leader | None = None,
        scene: Callable[[float], bool] = lambda _beat: False,
        heard: Callable[[np.ndarray], np.ndarray] = lambda events: events,
    ) -> None:
        """`scene`: called with the beat of each timestep before it is chosen, infinity while the beat stands; true: another
        network plays it. `heard`: gives the tracks of EVENT records the numbers that the network knows."""
        self._heard = heard
        self.late = 0  # steps whose notes were not sent
        self._scene = scene
        self._jam, self._link, self._driver = jam, link, driver
        self._leader = leader  # where the beat may follow the player
        self._events = link["events"].reader()
        self._timelines = TimelineReader(link["timeline"])
        self._steps_per_beat = card.steps_per_beat
        self._following = 0  # number of the step after the last, had no jump left any out
        self._is_sent = False  # whether what was chosen last is
        self._sent_for = 0.0  # frame of the step that was sent last
        self._correct_until = 0.0  # frame up to which the step that sounds can be put right

    def take_over(self, last_step: int, chart: np.void | None = None) -> None:
        """Go on after `last_step`, the last of a process that died, and by its chart: hear what sounded, be in time from the
        next step on."""
        self._events = self._link["events"].reader(0)
        line = self._timelines.now()
        if line is None:
            return
        self._hear()
        self._jam.recall(last_step + 1, line, chart)
        following = max(self._from_now_on(line), last_step + 1) if line.playing else last_step + 1
        self.late += following - last_step - 1  # what was not played in between
        self._following = following - self._left_out(line)

    def enter(self, beat: float, chart: np.void | None) -> None:
        """Begin at a beat in the place of another network: with what the player played last, and by this chart."""
        ring = self._link["events"]
        self._events = ring.reader(max(ring.count - HEARD, 0))
        line = self._timelines.now()
        assert line is not None  # or there were no beat
        events = self._heard(self._events.read())
        for of, part in self._timelines.split(events[events["track"] == PLAYER]):
            self._jam.hear(part, of, self._driver.latency_frames)
        step = math.ceil(beat * self._steps_per_beat - 1e-6)
        self._jam.recall(step, line, chart, HEARD_BARS)
        self._following = step - self._left_out(line)

    def run(self, end: int | None = None) -> None:
        """Play until the driver says so, or up to step `end`."""
        while not self._driver.is_over() and (end is None or self._following < end):
            line = self._timelines.now()
            step = None if line is None else self._step_of(line)
            if self._scene(math.inf if step is None else step / self._steps_per_beat):
                return
            if step is None:  # while the beat stands the player is still heard: what he holds and lets go is remembered
                self._driver.wait(math.inf, 0.0, self._leader is not None and self._leader.is_asked)
                self._hear()
                self._lead(stands=True)
            elif (held := self._prepare(step)) is not None:
                self._following = self._play(step, held) - self._left_out(held)
                self._lead(stands=False)
            else:
                self._jam.abandon(self._driver.earliest())

    def listen(self, step: int) -> None:
        """Hear what sounds up to the input deadline of a step that is not to be played."""
        line = self._timelines.now()
        if line is not None:
            self._reach(step, self._driver.looks_s(line)[-1])
            self._hear()

    def _hear(self) -> bool:
        """Take what sounded since the last time; return whether the player began a note."""
        if self._timelines.now() is None:
            return False
        began = False
        heard = self._heard(self._events.read())
        if self._leader is not None:
            self._leader.hear(heard, self._driver.latency_frames)
        for line, events in self._timelines.split(heard):
            began |= self._jam.hear(events, line, self._driver.latency_frames)
        return began

    def _lead(self, stands: bool) -> None:
        if self._leader is not None:
            self._leader.advance(self._driver.now(), stands)

    def _step_of(self, line: BeatTimeline) -> int | None:
        """The step that is next on a line; None while it stands."""
        if not line.playing:
            return None
        return max(self._following + self._left_out(line), math.ceil(line.began * self._steps_per_beat - 1e-6))

    def _left_out(self, line: BeatTimeline) -> int:
        return round(line.left_out * self._steps_per_beat)

    def _from_now_on(self, line: BeatTimeline) -> int:
        """The first step that can still be in time."""
        ahead = self._driver.earliest() + self._driver.looks_s(line)[-1] * line.rate_hz
        return math.ceil(self._jam.shape.grid.position_at(line, ahead))

    def _prepare(self, step: int) -> BeatTimeline | None:
        """Choose the step in good time, and again if more was heard, until its input deadline.

        Return the line that it is on then; None when it is not to be, for the beat stopped or went elsewhere.
        """
        line = self._timelines.now()
        assert line is not None  # or there were no step
        self._jam.shape.grid.begin(step, line)
        *early, deadline_s = self._driver.looks_s(line)
        for before_s in early:
            line = self._reach(step, before_s)
            if line is None:
                return None
            self._look(step, line)
        return self._reach(step, deadline_s)

    def _reach(self, step: int, before_s: float) -> BeatTimeline | None:
        """Wait until so long before the step sounds, wherever the beat carries it; None when it is not to be."""
        while not self._driver.is_over():
            line = self._timelines.now()
            if line is None or self._step_of(line) != step:
                return None
            frame = self._jam.shape.grid.frame_of(line, step)
            if self._jam.is_sent(step) and abs(frame - self._sent_for) >= 1:
                self._jam.abandon(self._driver.earliest())  # the beat has moved it: it must not sound where it was
            interruptible = self._jam.interruptible
            watchful = interruptible or self._driver.now() < self._correct_until
            if self._driver.wait(frame, before_s, watchful) and self._timelines.now() == line:
                return line
            if watchful and self._hear():
                if interruptible:
                    self._jam.interrupt(self._driver.now(), step)
                    self._tell_yields(0)
                else:
                    self._jam.correct(line, self._driver.earliest())
        return None

    def _look(self, step: int, line: BeatTimeline) -> int:
        """Hear; unless the choice stands choose, and send what is in time. Return when that was done, 0 when it stood."""
        self._hear()
        if self._jam.stands(step, line):
            return 0
        version = self._jam.version
        self._jam.choose(step, line)
        self._tell_yields(version)
        # A block is rendered as a whole when it begins: what is to sound in it must be there before. Counted from now, not from
        # when it was chosen.
        earliest = self._driver.earliest()
        frame = self._jam.shape.grid.frame_of(line, step)
        self._is_sent = earliest <= frame
        if self._is_sent:
            self._jam.send(earliest)
            self._sent_for = frame
        done_ns = self._driver.now_ns()
        if self._is_sent:
            self._jam.write()
        return done_ns

    def _tell_yields(self, version: int) -> None:
        """Tell the audio process what falls silent with the player's next note: it need not ask then. `version`: of the
        parameters that were looked at."""
        self._link.writer("yields").push((self._jam.yields, self._events.position, version))

    def _play(self, step: int, line: BeatTimeline) -> int:
        """Look for the last time and publish the step; return the number of the next."""
        begun_ns = self._driver.now_ns()
        chosen_ns = self._look(step, line)
        done_ns = chosen_ns or self._driver.now_ns()
        late = not self._jam.is_sent(step)
        step_ms = (done_ns - begun_ns) * 1e-6
        self._jam.publish(step_ms, late)
        self.late += late
        frame = self._jam.shape.grid.frame_of(line, step)
        self._correct_until = frame + CORRECTED * line.frames_per_beat / self._steps_per_beat
        kept = not late and not self._is_sent
        self._driver.played(Outcome(step, frame, line, step_ms, chosen_ns > 0, done_ns, late, kept))
        missed = self._driver.now() - frame
        if missed > CATCH_UP_BARS * line.beats_per_bar * line.frames_per_beat:
            return self._jump(line, step)
        return step + 1

    def _jump(self, line: BeatTimeline, step: int) -> int:
        """After a long stall (a suspended machine) go on where the beat is now."""
        following = self._from_now_on(line)
        jumped = max(following - step - 1, 0)
        self.late += jumped
        self._link.notice("network", WARNING, f"the machine stood still: {jumped} timesteps were jumped over")
        return following

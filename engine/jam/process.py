"""The network process: plays the performance in real time, asleep on the sample clock between two looks.

Runs on: network process, main thread; the only other loads what imagines futures, once.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import numpy as np

from engine.core import tape
from engine.core.link import Link
from engine.core.messages import BLOCK, INFO
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.core.realtime import BEAT, be_urgent
from engine.jam.chart import chords_of
from engine.jam.chords import Chord
from engine.jam.figures import Figures
from engine.jam.imagination import Imagination
from engine.jam.intake import Intake, Told
from engine.jam.jam import Jam
from engine.jam.leader import Leader
from engine.jam.parameters import live_of
from engine.jam.performance import LOOKAHEAD, WATCH_S, Outcome, Performance
from engine.jam.seats import Seat, Seats
from engine.jam.settings import metre_of
from engine.jam.step import all_off
from engine.jam.successor import Successor, played_last
from engine.jam.switching import Switching
from engine.network.runner import MEASURED, Timing
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline

AHEAD_S = 0.003  # so long before its input deadline a step is recomputed if more was heard, and once more at the deadline
LOOK_S = 0.04  # how often the beat timeline is looked at in between


def main(spec: Spec, pipe: Connection) -> None:
    """Run the network until told to stop; of several the one that is to play, the others are loaded meanwhile."""
    link = spec.link("network")
    live = live_of(spec.card, link)
    parts = spec.parts
    playing = link["playing"].latest() if spec.restarted else None
    part = parts[0 if playing is None else int(playing["number"])]
    intake = Intake(link, live)
    seats = Seats(spec, parts, intake.link)
    if spec.restarted:
        part = played_last(link, part)
    seat = seats.load(part, MEASURED // 8 if spec.restarted else MEASURED)  # somebody may be waiting
    timings = [_timing(timing) for timing in seat.timings]
    pipe.send(("ready", {"provider": seat.runner.provider, "timings": timings, "player_track": seat.track}))
    gc.collect()
    gc.freeze()  # what was loaded stays: the collector never walks it again
    gc.disable()
    be_urgent(BEAT)
    while link["clock"].count == 0:
        if stop_requested(pipe, 0.005):
            return
    driver = LiveDriver(spec, link, live, intake, seats, seat, pipe)
    driver.run()
    link.writer("notes").push(all_off(round(driver.told.now())))


def _timing(timing: Timing) -> dict[str, float | str]:
    return {"provider": timing.provider, "p50_ms": timing.p50_ms, "p99_ms": timing.p99_ms}


class LiveDriver:
    """The driver of a performance in real time."""

    def __init__(self, spec: Spec, link: Link, live: Live, intake: Intake, seats: Seats, seat: Seat, pipe: Connection) -> None:
        """Take the place of a process that died where there was one."""
        self._spec, self._link, self._live, self._seats, self._pipe = spec, link, live, seats, pipe
        self._over = False
        self._due_ns = 0.0  # when what was waited for last was due
        self._intake = intake
        intake.start(spec.restarted, float(self._clock()[1]["rate_hz"]), seat.runner.provider, seat.part.number)
        if seat.part.path not in [part.path for part in seats.parts]:
            intake.tape.put_text(tape.SUCCESSOR, str(seat.part.path))
        self.told = Told(self, intake)
        self._switching = Switching(intake.link, intake.live)
        self._successor = Successor(link, lambda part: seats.make(part, MEASURED // 8))
        self._change: tuple[Seat, float] | None = None  # another network plays from this beat on
        metre = metre_of(spec.config, seat.card)
        played_by = link["chart"].latest()  # by a process that died
        before = link["network"].latest() if spec.restarted else None  # a restart goes on counting
        self._sit(seat, metre, chords_of(spec.config.jam.chart, metre), before)
        if before is not None:
            self.performance.late = int(before["late_steps"])
        if spec.restarted:
            self._take_over(played_by)
        seats.load_rest(seat)

    def _sit(self, seat: Seat, metre: Metre, chart: Sequence[Chord], before: np.void | None) -> None:
        """Play with a network from here on."""
        spec, live, link = self._spec, self._live, seat.link
        self._seat, self._runner = seat, seat.runner
        self._harmony = seat.harmony
        self._jam = Jam(seat.runner, self._intake.live, link, seat.track, seat.harmony, chart=chart, metre=metre)
        self._imagination = Imagination(seat.part.path, spec.config.network.threads, self._jam, live, link)
        self._figures = Figures(seat.timings[0].p99_ms, self._step_ms(live.get("tempo")), before)
        clock = self._link["clock"].latest()
        assert clock is not None  # main() waited for the first
        leader = Leader(seat.part.path, seat.card, seat.track, self._intake.live, self._link, float(clock["rate_hz"]))
        heard = seat.part.heard if len(self._seats.parts) > 1 else lambda events: events
        self.performance = Performance(self._jam, link, seat.card, self.told, leader, self._scene, heard)

    def run(self) -> None:
        """Play until it is over."""
        while not self._over:
            self.performance.run()
            if self._change is not None:
                self._go_on_with(*self._change)
                self._change = None

    def _go_on_with(self, seat: Seat, beat: float) -> None:
        """Let another network play from a beat on, where the notes of this one end; its memory is as it was left."""
        line = self._timeline()
        now = self.told.now()
        frame = max(line.frame_at(beat), now) if line.playing else now
        jam = self._jam
        self._link.writer("notes").push(all_off(round(frame)))
        figures, late = self._figures, self.performance.late
        self._link.writer("network").push(
            figures.record(late, jam.mode, jam.listening, self._runner.provider, self._spec.restarted)
        )
        self._sit(seat, line.metre, (), self._link["network"].latest())
        self.performance.late = late
        self.performance.enter(beat if line.playing else line.beat, self._link["chart"].latest())
        self._switching.pass_on(self._jam)
        self._seats.tell(seat, frame)

    def _timeline(self) -> BeatTimeline:
        line = self._intake.link["timeline"].latest()
        assert line is not None  # a scene begins on one
        return BeatTimeline.of(line)

    def _take_over(self, chart: np.void | None) -> None:
        """Go on for the process that died: same beat, same state, same chart, its notes released."""
        link = self._seat.link
        link.writer("notes").push(all_off(round(self.told.now())))
        last = link["steps"].latest()
        if last is not None:
            self._runner.restore({s.name: last[s.name + "_next"] for s in self._seat.card.states})
        if self._harmony is not None and (kept := link["harmony"].latest()) is not None:
            self._harmony.recall(kept)
        self.performance.take_over(-1 if last is None else int(last["step"]), chart)
        link.notice("network", INFO, "the network is back, in time and with what it remembered")

    def _scene(self, beat: float) -> bool:
        """Let a scene begin where it is time; return whether another network plays from here on."""
        number = self._switching.look(self._jam, beat)
        if number is not None and number != self._seat.part.number:
            seat = self._seats.at(number)
            if self.told.sits(number, seat is not None) and seat is not None:
                self._change = seat, beat
        if self._change is None and (heir := self._successor.look(self._seat.part, beat, self._timeline)) is not None:
            self._inherit(heir)
            self._change = heir, beat
        return self._change is not None

    def _inherit(self, heir: Seat) -> None:
        """Let a network of the same kind take this one's place, with what it remembers."""
        heir.runner.restore(self._runner.states())
        self._seats.put(heir)
        self._intake.tape.put_text(tape.SUCCESSOR, str(heir.part.path))
        self._successor.begun(heir, self.now())
        self._link.notice("network", INFO, f"another network plays: {heir.part.path}")

    def _clock(self) -> tuple[SampleClock, np.void]:
        record = self._link["clock"].latest()
        assert record is not None  # main() waited for the first
        return SampleClock.of(record), record

    def _step_ms(self, tempo_bpm: float) -> float:
        return 60e3 / tempo_bpm / self._seat.card.steps_per_beat

    # --- what a performance asks of its driver -----------------------------------------------------------------------------

    @property
    def latency_frames(self) -> int:
        """From rendering to the ear, as the device reports it."""
        return int(self._clock()[1]["latency_frames"])

    def now(self) -> float:
        """Frame that is rendered now."""
        return self._clock()[0].frame_at(time.perf_counter_ns())

    def now_ns(self) -> int:
        """Host time."""
        return time.perf_counter_ns()

    def earliest(self) -> float:
        """Frame at which something sent now can begin to sound: after the device's block that is being rendered, and one more
        block, for the device does not ask to the microsecond."""
        clock, record = self._clock()
        return clock.frame_at(time.perf_counter_ns()) + float(record["device_block"]) + BLOCK

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        """Seconds before its sound at which a step is looked at: in good time, just before the input deadline, and then."""
        deadline_s = self._figures.deadline_ms * 1e-3
        ahead_s = deadline_s + AHEAD_S + self._seat.timings[0].p50_ms * 1e-3
        return max(LOOKAHEAD * self._step_ms(timeline.tempo_bpm) * 1e-3, ahead_s), ahead_s, deadline_s

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        """Sleep until so long before a device's block with the frame in it is rendered, LOOK_S at most; imagine meanwhile."""
        self._link.beat("network")
        clock, record = self._clock()
        self._due_ns = clock.time_at(frame - float(record["device_block"])) - before_s * 1e9
        left_s = (self._due_ns - time.perf_counter_ns()) * 1e-9
        if left_s <= 0:
            return True
        wait_s = min(left_s, WATCH_S if watchful else LOOK_S, self._imagination.think(left_s))
        if wait_s < 0.003:
            time.sleep(wait_s)  # poll() below rounds up to whole milliseconds
        elif stop_requested(self._pipe, wait_s - 0.002):
            self._over = True
        return False

    def is_over(self) -> bool:
        """Whether it was told to stop."""
        return self._over

    def played(self, outcome: Outcome) -> None:
        """Keep what a process in the place of this one would go on from; imagine what may follow; tell the figures."""
        if self._harmony is not None:
            self._harmony.keep(self._link.writer("harmony").slot())
            self._link.writer("harmony").advance()
        self._imagination.begin(outcome.step, round(outcome.frame))
        self._link.beat("network")
        figures, jam = self._figures, self._jam
        figures.add(outcome, self._due_ns)
        if figures.steps % 8 == 0 or figures.steps == 1:
            figures.measure(self._step_ms(outcome.timeline.tempo_bpm))
            late, provider = self.performance.late, self._runner.provider
            record = figures.record(late, jam.mode, jam.listening, provider, self._spec.restarted)
            self._link.writer("network").push(record)
        if figures.steps % 1024 == 0:
            gc.collect()  # right after a step there is time for it

"""The network process: plays the performance in real time, asleep on the sample clock between two looks.

Runs on: network process, main thread; the only other loads what imagines futures, once.
"""

from __future__ import annotations

import gc
import time
from multiprocessing.connection import Connection

import numpy as np

from engine.core.link import Link
from engine.core.messages import BLOCK, INFO
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.core.realtime import BEAT, be_urgent
from engine.jam import harmony
from engine.jam.chart import chords_of
from engine.jam.figures import Figures
from engine.jam.imagination import Imagination
from engine.jam.jam import Jam
from engine.jam.leader import Leader
from engine.jam.parameters import live_of
from engine.jam.performance import LOOKAHEAD, WATCH_S, Outcome, Performance
from engine.jam.settings import metre_of, track_of
from engine.jam.step import all_off
from engine.jam.switching import Switching
from engine.network.runner import MEASURED, Runner, Timing, choose
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline

AHEAD_S = 0.003  # so long before its input deadline a step is recomputed if more was heard, and once more at the deadline
LOOK_S = 0.04  # how often the beat timeline is looked at in between


def main(spec: Spec, pipe: Connection) -> None:
    """Run the network until told to stop."""
    link = spec.link("network")
    live = live_of(spec.card, link)
    asked = spec.config.network
    calls = MEASURED // 8 if spec.restarted else MEASURED  # somebody is waiting
    runner, timings = choose(spec.network_path, asked.provider, asked.threads, calls)
    track = track_of(spec.config, spec.card)
    pipe.send(("ready", {"provider": runner.provider, "timings": [_timing(t) for t in timings], "player_track": track}))
    gc.collect()
    gc.freeze()  # what was loaded stays: the collector never walks it again
    gc.disable()
    be_urgent(BEAT)
    while link["clock"].count == 0:
        link.beat("network")
        if stop_requested(pipe, 0.005):
            return
    driver = LiveDriver(spec, link, live, runner, timings[0], track, pipe)
    driver.performance.run()
    link.writer("notes").push(all_off(round(driver.now())))


def _timing(timing: Timing) -> dict[str, float | str]:
    return {"provider": timing.provider, "p50_ms": timing.p50_ms, "p99_ms": timing.p99_ms}


class LiveDriver:
    """The driver of a performance in real time."""

    def __init__(
        self, spec: Spec, link: Link, live: Live, runner: Runner, timing: Timing, player_track: str, pipe: Connection
    ) -> None:
        """Take the place of a process that died where there was one."""
        self._spec, self._link, self._pipe = spec, link, pipe
        self._harmony = harmony.of(spec.config, spec.card, player_track)
        metre = metre_of(spec.config, spec.card)
        chart = chords_of(spec.config.jam.chart, metre)
        played_by = link["chart"].latest()  # by a process that died
        self._jam = Jam(runner, live, link, player_track, self._harmony, chart=chart, metre=metre)
        self._runner, self._runner_ms = runner, timing.p50_ms
        self._imagination = Imagination(spec.network_path, spec.config.network.threads, self._jam, live, link)
        before = link["network"].latest() if spec.restarted else None  # a restart goes on counting
        self._figures = Figures(timing.p99_ms, self._step_ms(live.get("tempo")), before)
        self._over = False
        self._due_ns = 0.0  # when what was waited for last was due
        clock = link["clock"].latest()
        assert clock is not None  # main() waited for the first
        leader = Leader(spec.network_path, spec.card, player_track, live, link, float(clock["rate_hz"]))
        self._switching = Switching(link, live)
        self.performance = Performance(self._jam, link, spec.card, self, leader, self._scene)
        if before is not None:
            self.performance.late = int(before["late_steps"])
        if spec.restarted:
            self._take_over(played_by)

    def _take_over(self, chart: np.void | None) -> None:
        """Go on for the process that died: same beat, same state, same chart, its notes released."""
        link = self._link
        link.writer("notes").push(all_off(round(self.now())))
        last = link["steps"].latest()
        if last is not None:
            self._runner.restore({s.name: last[s.name + "_next"] for s in self._spec.card.states})
        if self._harmony is not None and (kept := link["harmony"].latest()) is not None:
            self._harmony.recall(kept)
        self.performance.take_over(-1 if last is None else int(last["step"]), chart)
        link.notice("network", INFO, "the network is back, in time and with what it remembered")

    def _scene(self, beat: float) -> bool:
        """Let a scene begin where it is time; return whether another network plays from here on."""
        self._switching.look(self._jam, beat)
        return False

    def _clock(self) -> tuple[SampleClock, np.void]:
        record = self._link["clock"].latest()
        assert record is not None  # main() waited for the first
        return SampleClock.of(record), record

    def _step_ms(self, tempo_bpm: float) -> float:
        return 60e3 / tempo_bpm / self._spec.card.steps_per_beat

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
        ahead_s = deadline_s + AHEAD_S + self._runner_ms * 1e-3
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
            record = figures.record(self.performance.late, jam.mode, jam.listening, self._runner.provider, self._spec.restarted)
            self._link.writer("network").push(record)
        if figures.steps % 1024 == 0:
            gc.collect()  # right after a step there is time for it

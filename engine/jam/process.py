"""The network process: chooses each timestep in good time, stamps it, sends it, and chooses it again for what it hears until
the input window closes.

Runs on: network process, main thread; the only other loads what imagines futures, once.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from multiprocessing.connection import Connection

import numpy as np

from engine.core.link import Link
from engine.core.messages import BLOCK, INFO, WARNING
from engine.core.parameters import Live
from engine.core.process import Spec, live_of, stop_requested
from engine.core.realtime import BEAT, be_urgent
from engine.core.settings import track_of
from engine.jam import harmony
from engine.jam.imagination import Imagination
from engine.jam.jam import Jam, all_off, click
from engine.network.runner import MEASURED, Runner, Timing, choose
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline

WINDOW = 4096  # steps that the step-time figures look back on
MARGIN_MS = 2.0  # on top of what choosing again was seen to need: scheduling on a busy machine
# Of a step: so long before it sounds it is chosen and sent. The step before has sounded by then, what may begin before its step
# has the room, and whatever the machine does after that, it sounds in time.
EARLY = 0.45
LONGEST_LEAD = 0.4  # of a step
COLD = 2.0  # between steps the caches forget the network: so many times what it takes when nothing else runs
ENOUGH = 16  # steps chosen again, after which what that takes is known
AHEAD_S = 0.003  # so long before its window closes it is chosen again if more was heard, and as it closes once more
WATCH_S = 0.005  # how often the player is listened for while he may interrupt
CATCH_UP_BARS = 2  # after a longer stall the missed steps are jumped over instead of computed


def main(spec: Spec, pipe: Connection) -> None:
    """Run the network until told to stop."""
    link = spec.link()
    live = live_of(spec, link)
    player_track = track_of(spec.config, spec.card)
    asked = spec.config.network
    calls = MEASURED // 8 if spec.restarted else MEASURED  # somebody is waiting
    runner, timings = choose(spec.network_path, asked.provider, asked.threads, calls)
    with contextlib.suppress(OSError, AttributeError):  # only root may; it plays without
        os.nice(-10)
    pipe.send(("ready", {"provider": runner.provider, "timings": [_timing(t) for t in timings], "player_track": player_track}))
    gc.collect()
    gc.freeze()  # what was loaded stays: the collector never walks it again
    gc.disable()
    Performance(spec, link, live, runner, timings[0], player_track).run(pipe)


def lead_ms(need_ms: float, step_ms: float) -> float:
    """Return how long before its sound a step's window closes.

    `need_ms`: the 99th percentile of the time from there to notes sent, of the steps chosen again then.
    """
    return min(need_ms + MARGIN_MS, LONGEST_LEAD * step_ms)


def _timing(timing: Timing) -> dict[str, float | str]:
    return {"provider": timing.provider, "p50_ms": timing.p50_ms, "p99_ms": timing.p99_ms}


class Performance:
    """The loop over timesteps, in real time."""

    def __init__(self, spec: Spec, link: Link, live: Live, runner: Runner, timing: Timing, player_track: str) -> None:
        self._spec, self._link, self._live = spec, link, live
        self._card = spec.card
        self._harmony = harmony.of(spec.config, spec.card, player_track)
        self._jam = Jam(runner, live, link, player_track, self._harmony)
        self._runner = runner
        self._imagination = Imagination(spec.network_path, spec.config.network.threads, self._jam, live, link)
        self._events = link["events"].reader()
        before = link["network"].latest() if spec.restarted else None  # a restart goes on counting
        self._times = Times()  # closing the window to notes sent
        self._again = Times()  # ... of the steps chosen only then, or once more
        self._needs = Times()  # ... of those, the moment the window was to close to notes sent
        self._late = 0
        self._kept = 0  # chosen again too late: the choice before sounded
        self._is_sent = False  # whether what was chosen last is
        if before is not None:
            self._times.resume(int(before["steps"]), float(before["step_max_ms"]))
            self._again.resume(int(before["again_steps"]), float(before["again_max_ms"]))
            self._late, self._kept = int(before["late_steps"]), int(before["kept_steps"])
        self._runner_ms, self._need_ms = timing.p50_ms, COLD * timing.p99_ms
        self._lead_ms = lead_ms(self._need_ms, self._step_ms(live.get("tempo")))
        self._due_ns = 0.0

    def run(self, pipe: Connection) -> None:
        """Play until told to stop."""
        be_urgent(BEAT)
        while self._link["clock"].count == 0:
            if stop_requested(pipe, 0.005):
                return
        grid, step = self._resume() if self._spec.restarted else self._begin()
        while True:
            self._publish_grid(grid, step)
            grid = self._bend(grid, step)
            if self._wait(pipe, grid, step):
                self._link["notes"].push(all_off(round(self._clock()[0].frame_at(time.perf_counter_ns()))))
                return
            step = self._play(grid, step)

    def _begin(self) -> tuple[BeatTimeline, int]:
        """Set the beat going: the count-in, then beat 0."""
        clock, record = self._clock()
        rate_hz = float(record["rate_hz"])
        count_in = self._spec.config.clock.count_in * self._card.beats_per_bar
        begin = clock.frame_at(time.perf_counter_ns()) + 0.25 * rate_hz
        grid = BeatTimeline(begin, -float(count_in), self._live.get("tempo"), rate_hz)
        for beat in range(-count_in, 0):
            self._link["notes"].push(click(round(grid.frame_at(beat)), beat % self._card.beats_per_bar == 0, 0.8))
        return grid, 0

    def _resume(self) -> tuple[BeatTimeline, int]:
        """Take over from the process that died: same beat, same state, its notes released."""
        clock, record = self._clock()
        last = self._link["grid"].latest()
        if last is None:  # it died before the beat began
            return self._begin()
        grid = BeatTimeline(float(last["frame"]), float(last["beat"]), float(last["tempo_bpm"]), float(record["rate_hz"]))
        now = clock.frame_at(time.perf_counter_ns())
        self._link["notes"].push(all_off(round(now)))
        past = self._link["events"].reader(0)
        self._jam.hear(past.read(), grid, int(record["latency_frames"]))
        states = self._link["steps"].latest()
        if states is not None:
            self._runner.restore({s.name: states[s.name + "_next"] for s in self._card.states})
        if self._harmony is not None and (kept := self._link["harmony"].latest()) is not None:
            self._harmony.recall(kept)
        first = int(np.ceil(grid.beat_at(now + self._lead_frames(record)) * self._card.steps_per_beat))
        self._late += max(first - int(last["step"]), 0)  # what was not played in between
        self._link.notice("network", INFO, "the network is back, in time and with what it remembered")
        return grid, max(first, 0)

    def _clock(self) -> tuple[SampleClock, np.void]:
        record = self._link["clock"].latest()
        assert record is not None  # run() waited for the first
        return SampleClock.of(record), record

    def _step_ms(self, tempo_bpm: float) -> float:
        return 60e3 / tempo_bpm / self._card.steps_per_beat

    def _lead_frames(self, record: np.void) -> float:
        """Frames before a step's own at which its window closes: what a step needs, and the device block rendered ahead."""
        return self._lead_ms * 1e-3 * float(record["rate_hz"]) + float(record["device_block"])

    def _bend(self, grid: BeatTimeline, step: int) -> BeatTimeline:
        """Follow the tempo from this step on."""
        tempo = self._live.get("tempo")
        return grid if tempo == grid.tempo_bpm else grid.with_tempo(tempo, step / self._card.steps_per_beat)

    def _publish_grid(self, grid: BeatTimeline, step: int) -> None:
        self._link["grid"].push((grid.frame, grid.beat, grid.tempo_bpm, step))

    def _wait(self, pipe: Connection, grid: BeatTimeline, step: int) -> bool:
        """Choose the step in good time, and again if more was heard, until its window closes; return True when told to stop."""
        early_s = EARLY * self._step_ms(grid.tempo_bpm) * 1e-3
        ahead_s = self._lead_ms * 1e-3 + AHEAD_S + self._runner_ms * 1e-3
        for before_s in (max(early_s, ahead_s), ahead_s):
            if self._sleep(pipe, grid, step, before_s):
                return True
            self._look(grid, step)
        return self._sleep(pipe, grid, step, self._lead_ms * 1e-3, think=False)

    def _sleep(self, pipe: Connection, grid: BeatTimeline, step: int, before_s: float, think: bool = True) -> bool:
        """Sleep until so long before a device's block with the step in it is rendered; return True when told to stop."""
        frame = grid.frame_at(step / self._card.steps_per_beat)
        while True:
            clock, record = self._clock()
            now_ns = time.perf_counter_ns()
            self._due_ns = clock.time_at(frame - float(record["device_block"])) - before_s * 1e9
            left_s = (self._due_ns - now_ns) * 1e-9
            if left_s <= 0:
                return False
            wait_s = min(left_s, self._imagination.think(left_s)) if think else left_s
            if self._jam.interruptible:
                if self._jam.hear(self._events.read(), grid, int(record["latency_frames"])):
                    self._jam.interrupt(clock.frame_at(now_ns), step)
                wait_s = min(wait_s, WATCH_S)
            if wait_s < 0.003:
                time.sleep(wait_s)  # poll() below rounds up to whole milliseconds
            elif stop_requested(pipe, min(wait_s - 0.002, 1.0)):
                return True

    def _look(self, grid: BeatTimeline, step: int) -> int:
        """Hear; unless the choice stands choose, and send what is in time. Return when that was done; 0 when it stood."""
        clock, record = self._clock()
        self._jam.hear(self._events.read(), grid, int(record["latency_frames"]))
        if self._jam.stands(step, grid):
            return 0
        self._jam.choose(step, grid)
        # A block is rendered as a whole when it begins: what is to sound in it must be there before. Counted from now, not from
        # when it was chosen; and one more block, for the device does not ask to the microsecond.
        earliest = clock.frame_at(time.perf_counter_ns()) + float(record["device_block"]) + BLOCK
        self._is_sent = earliest <= grid.frame_at(step / self._card.steps_per_beat)
        if self._is_sent:
            self._jam.send(earliest)
        done_ns = time.perf_counter_ns()
        if self._is_sent:
            self._jam.write()
        return done_ns

    def _play(self, grid: BeatTimeline, step: int) -> int:
        """Close the window of one step; return the number of the next."""
        begun_ns = time.perf_counter_ns()
        chosen_ns = self._look(grid, step)
        done_ns = chosen_ns or time.perf_counter_ns()
        step_ms = (done_ns - begun_ns) * 1e-6
        clock, record = self._clock()
        frame = grid.frame_at(step / self._card.steps_per_beat)
        late = not self._jam.is_sent(step)
        self._kept += not late and not self._is_sent
        self._jam.publish(step_ms, late)
        if self._harmony is not None:
            self._harmony.keep(self._link["harmony"].slot())
            self._link["harmony"].advance()
        self._imagination.begin(step, round(frame))
        self._late += late
        self._times.add(step_ms)
        if chosen_ns:
            self._again.add(step_ms)
            self._needs.add((done_ns - self._due_ns) * 1e-6)
        if self._times.count % 8 == 0 or self._times.count == 1:
            self._tell(grid)
        if self._times.count % 1024 == 0:
            gc.collect()  # right after a step there is time for it
        missed = clock.frame_at(done_ns) - frame
        bar = grid.frames_per_beat * self._card.beats_per_bar
        if missed > CATCH_UP_BARS * bar:
            return self._jump(grid, clock, record, step)
        return step + 1

    def _jump(self, grid: BeatTimeline, clock: SampleClock, record: np.void, step: int) -> int:
        """After a long stall (a suspended machine) go on where the beat is now."""
        beat = grid.beat_at(clock.frame_at(time.perf_counter_ns()) + self._lead_frames(record))
        following = int(np.ceil(beat * self._card.steps_per_beat))
        self._late += max(following - step - 1, 0)
        self._link.notice("network", WARNING, f"the machine stood still: {following - step - 1} timesteps were jumped over")
        return following

    def _tell(self, grid: BeatTimeline) -> None:
        """Publish the figures, and measure the lead anew."""
        p50, p99 = self._times.percentiles_ms(50, 99)
        again_p50, again_p99 = self._again.percentiles_ms(50, 99)
        (need_ms,) = self._needs.percentiles_ms(99)
        if self._needs.count < ENOUGH:
            need_ms = max(need_ms, self._need_ms)
        self._lead_ms = lead_ms(need_ms, self._step_ms(grid.tempo_bpm))
        self._link["network"].push(
            (
                self._times.count,
                self._late,
                p50,
                p99,
                self._times.max_ms,
                self._again.count,
                self._kept,
                again_p50,
                again_p99,
                self._again.max_ms,
                self._lead_ms,
                self._jam.mode,
                self._jam.listening,
                self._runner.provider.encode(),
                self._spec.restarted,
            )
        )


class Times:
    """How long something took, the last WINDOW times; and how often it was done, and how long it ever took at most."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ms = 0.0
        self._last_ms = np.zeros(WINDOW, np.float32)
        self._seen = 0  # in this process

    def resume(self, count: int, max_ms: float) -> None:
        """Count on from where a process that died had come to."""
        self.count, self.max_ms = count, max_ms

    def add(self, ms: float) -> None:
        """Take one more."""
        self._last_ms[self._seen % WINDOW] = ms
        self._seen += 1
        self.count += 1
        self.max_ms = max(self.max_ms, ms)

    def percentiles_ms(self, *which: float) -> tuple[float, ...]:
        """Return percentiles of the last; zeros while there are none."""
        if not self._seen:
            return (0.0,) * len(which)
        return tuple(np.percentile(self._last_ms[: self._seen], which).tolist())

"""The feed process: publishes every step when it sounds, takes orders, records the jam, serves whoever looks.

Runs on: feed process: an event loop that sends and answers, a thread that watches the rings, one that writes the recording, and
one that waits for the order to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from engine.app.services import Services
from engine.control.scene_view import SceneView
from engine.core.ensemble import Part, as_part
from engine.core.messages import FEED_STATS
from engine.core.process import Spec, stop_requested
from engine.feed.feed import Feed
from engine.feed.schema import Schema
from engine.feed.targets import Clocks
from engine.feed.watch import Watch, WatchThread
from engine.jam.parameters import live_of
from engine.record.session import OFF, ON, Recorder, RecorderThread
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import TimelineReader

STATS_S = 0.25
EARLY_S = 0.0015  # before a step sounds it is encoded; the loop then waits for the moment with all in hand
PACE_S = 0.004  # between steps that a stall has kept: several at once would not fit the buffer of who receives them
SCENES_S = 0.02  # how often it is looked whether another scene plays
SOUND_S = 0.02  # how often the first sound is looked for
SWITCH_S = 0.001  # what one thread may keep another waiting; Python's own default would be seen in the steps' times
COUNTED = ("sent", "dropped", "notes_in", "control_received", "control_ignored")


def main(spec: Spec, pipe: Connection) -> None:
    """Run the feed until told to stop."""
    sys.setswitchinterval(SWITCH_S)
    # The Windows default loop cannot wait for a socket that is read without a transport.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_Process(spec, pipe).run())


class _Process:
    """The feed in real time."""

    def __init__(self, spec: Spec, pipe: Connection) -> None:
        self._spec = spec
        self._pipe = pipe
        self._link = link = spec.link("feed")
        live = live_of(spec.card, link)
        self._parts = spec.parts
        self._shown = 0  # number of the network that is published
        self._registry = live.registry
        self._feed = Feed(link, self._schema_of(self._parts[0]))
        self._doors = Services(spec.config, self._feed, link, live, self._tell)
        self._before = link["feed"].latest() if spec.restarted else None  # a restart goes on counting
        self._stopped = asyncio.Event()
        self._woken = False  # the loop has been told that there is something to publish
        self._watch: WatchThread | None = None
        self._recorder: RecorderThread | None = None

    async def run(self) -> None:
        """Open everything, publish until told to stop, close everything. Raises ConfigError when it cannot start."""
        description = self._doors.open()
        self._pipe.send(("ready", description))
        threading.Thread(target=self._wait_for_stop, args=(asyncio.get_running_loop(),), name="pipe", daemon=True).start()
        gc.collect()
        gc.freeze()
        try:
            await self._publish()
        finally:
            await self._close()

    def _wait_for_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        while not stop_requested(self._pipe, None):
            continue
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(self._stopped.set)

    def _tell(self, level: int, text: str) -> None:
        self._link.notice("feed", level, text)

    async def _publish(self) -> None:
        """Publish until told to stop."""
        while self._link["clock"].count == 0 and not self._stopped.is_set():
            await asyncio.sleep(SOUND_S)
        if not self._stopped.is_set():
            self._begin()
        telling = asyncio.get_running_loop().create_task(self._tell_scenes())
        while not self._stopped.is_set():
            self._link.beat("feed")
            self._push_stats()
            if self._doors.subscribers is not None:
                self._doors.subscribers.expire(time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), STATS_S)
        telling.cancel()

    async def _tell_scenes(self) -> None:
        """Publish which scene plays and which is to come, whenever another does."""
        ring, seen = self._link["scenes"], 0
        playing = self._link["playing"]
        lines = TimelineReader(self._link["timeline"])
        while True:
            if ring.count != seen:
                seen = ring.count
                view, line = SceneView.of(ring.latest()), lines.now()
                now = self._now(self._clock(), SampleClock.of(self._clock()))[0]
                away = -1.0 if math.isinf(view.begins) or line is None else max(view.begins - line.beat_at(now), 0.0)
                self._feed.scenes((view.now, view.name), (view.next, view.next_name, away if view.next else 0.0))
            if len(self._parts) > 1 and (plays := playing.latest()) is not None and int(plays["number"]) != self._shown:
                line_ns = SampleClock.of(self._clock()).time_at(float(plays["frame"]))
                if line_ns - time.perf_counter_ns() < SCENES_S * 1e9:
                    self._adopt(self._parts[int(plays["number"])], int(plays["first"]))
            await asyncio.sleep(SCENES_S)

    def _adopt(self, part: Part, first: int) -> None:
        """Publish another network. Each has a file of its own for its steps; notes are recorded with the first's all along."""
        self._shown = part.number
        if self._watch is not None:
            self._watch.stop()
        self._advance(paced=False)
        link = as_part(self._link, part)
        log = None
        if self._recorder is not None and part.number:
            recorder = self._recorder.recorder
            log, first = recorder.logs[part.number], max(first, recorder.stood[part.number].steps)
        self._feed.adopt(link, self._schema_of(part), first, part.heard, part.number == 0, log)
        self._doors.adopt(link)
        self._watch = WatchThread(Watch(link, part.card.steps_per_beat, EARLY_S), self._wake)

    def _schema_of(self, part: Part) -> Schema:
        return Schema(part.card, self._registry, self._spec.config.osc.cells, self._spec.card)

    def _begin(self) -> None:
        """There is sound: begin what needs the sample clock, and what was to wait for it."""
        if self._spec.session is not None:
            self._record(self._spec.session)
        loop = asyncio.get_running_loop()

        def wake() -> None:  # called by the watch's thread
            if not self._woken:
                self._woken = True
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._advance)

        self._wake = wake
        self._watch = WatchThread(Watch(self._link, self._parts[0].card.steps_per_beat, EARLY_S), wake)
        self._doors.serve()

    def _record(self, folder: Path) -> None:
        """Begin the recording, or go on with that of a process that died; publish from where it stood."""
        loop = asyncio.get_running_loop()

        def tell(level: int, text: str) -> None:  # called by the recorder's thread
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, level, text)

        rate_hz = float(self._clock()["rate_hz"])
        schema, spec = self._feed.schema, self._spec
        others = [self._schema_of(part) for part in self._parts[1:]]
        recorder = Recorder(
            folder, self._link, schema, rate_hz, tell, spec.restarted, live=True, whole=spec.card, others=others
        )
        if recorder.state == ON:
            self._feed.record(recorder.log, recorder.positions)
        self._recorder = RecorderThread(recorder)

    def _clock(self) -> np.void:
        clock = self._link["clock"].latest()
        assert clock is not None  # asked for when there is sound
        return clock

    def _advance(self, paced: bool = True) -> None:
        self._woken = False
        clock = self._clock()
        line = SampleClock.of(clock)
        frame, clocks = self._now(clock, line)
        following = self._feed.prepare(frame, frame + EARLY_S * 1e9 / line.ns_per_frame, clocks) if paced else None
        if following is not None:
            time.sleep(max(line.time_at(following) - time.perf_counter_ns(), 0) * 1e-9)
            frame, clocks = self._now(clock, line)
        if self._feed.advance(frame, clocks, paced):
            asyncio.get_running_loop().call_later(PACE_S, self._advance)
        self._doors.catch_up_later(clocks.now_s)

    def _now(self, clock: np.void, line: SampleClock) -> tuple[float, Clocks]:
        """Return the frame that is rendered now, and what is heard when: a device's latency later."""
        now_ns = time.perf_counter_ns()
        frame = line.frame_at(now_ns)
        return frame, Clocks(now_ns * 1e-9, frame - int(clock["latency_frames"]), time.time_ns(), line.ns_per_frame)

    def _push_stats(self) -> None:
        feed, control = self._feed, self._doors.control
        record = np.zeros((), FEED_STATS)
        record["sent"], record["dropped"], record["notes_in"] = feed.targets.sent, feed.targets.dropped, feed.notes_in
        if control is not None:
            record["control_received"], record["control_ignored"] = control.received, control.ignored
        if self._before is not None:
            for name in COUNTED:
                record[name] += self._before[name]
        record["rate_hz"] = feed.rate_hz(time.perf_counter_ns() * 1e-9)
        record["step_us"] = feed.step_us
        recorder = self._recorder.recorder if self._recorder is not None else None
        record["recording"], record["recorded_frames"] = (recorder.state, recorder.frames) if recorder else (OFF, 0)
        self._link.writer("feed").push(record)

    async def _close(self) -> None:
        """Publish and record the last of it, then close what is open."""
        if self._watch is not None:
            self._watch.stop()
            self._advance(paced=False)
        if self._recorder is not None:
            self._recorder.stop()
            self._push_stats()
        await self._doors.close()
        self._link.close()

"""The watch over the rings: says when there is something to publish, and sleeps in between.

Runs on: feed process, a thread of its own. A sleeping thread wakes for a third of what an event loop's timer costs, to a tenth
of a millisecond, and while nothing happens the loop is not woken at all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from engine.core.link import Link
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import TimelineReader

LOOKS_BACK = 4  # steps: what does not sound yet at the beginning is among these
LOOK_S = 0.01  # how often the rings are looked at for notes: so late may a note be told


class Watch:
    """When to publish: notes and futures at the next look, steps `early_s` before the moment they sound."""

    def __init__(self, link: Link, steps_per_beat: int, early_s: float = 0.0) -> None:
        self._early_ns = early_s * 1e9
        self._clock = link["clock"]
        self._timeline = TimelineReader(link["timeline"])
        self._events, self._futures = link["events"], link["futures"]
        self._steps = link["steps"].reader(max(link["steps"].count - LOOKS_BACK, 0))
        self._steps_ring = link["steps"]
        self._steps_per_beat = steps_per_beat
        self._seen = 0  # events and futures
        self._due: deque[int] = deque()  # frames of steps that do not sound yet
        self._following = 0  # number of the step that the network is to choose next

    def look(self, now_ns: int) -> tuple[bool, float]:
        """Return whether there is something to publish now, and for how many seconds to sleep."""
        clock = self._clock.latest()
        if clock is None:
            return False, LOOK_S
        line = SampleClock.of(clock)
        now, soon = line.frame_at(now_ns), line.frame_at(now_ns + self._early_ns)
        count = self._events.count + self._futures.count
        something = count != self._seen
        self._seen = count
        if self._steps_ring.count != self._steps.position:
            records = self._steps.read()
            self._due.extend(records["frame"].tolist())
            self._following = int(records["step"][-1]) + 1
        while self._due and self._due[0] <= soon:
            self._due.popleft()
            something = True
        following = self._due[0] if self._due else self._chosen_next()
        if following is None or following <= now:
            return something, LOOK_S
        moment_ns = line.time_at(following)
        if following > soon:
            moment_ns -= self._early_ns
        return something, min((moment_ns - now_ns) * 1e-9, LOOK_S)

    def _chosen_next(self) -> float | None:
        """Frame of the step to come, which will be there when it sounds: a look in between would find it late."""
        line = self._timeline.now()
        if line is None:
            return None
        return line.frame_at(max(self._following / self._steps_per_beat, line.began))


class WatchThread:
    """A watch on its own thread: calls `wake` (from that thread) when there is something to publish."""

    def __init__(self, watch: Watch, wake: Callable[[], object]) -> None:
        self._watch = watch
        self._wake = wake
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended:
            something, pause_s = self._watch.look(time.perf_counter_ns())
            if something:
                self._wake()
            time.sleep(pause_s)

    def stop(self) -> None:
        """End the watch."""
        self._ended = True
        self._thread.join()

"""What is done without when the machine is short of time, the least important first, and given back when there is enough.

Runs on: main process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from engine.control.status import Snapshot
from engine.core.care import SPARED
from engine.core.link import Link
from engine.core.messages import INFO, WARNING

WINDOW_S = 2.0  # after something was given up, so long is waited for what that helps
CALM_S = 15.0  # without any want, until the next thing is given back
AFTER_S = 6.0  # after a process was begun anew, what was late then counts for nothing
LATE_STEPS = 2  # within a window: more than one may be by chance
LATE_S = 0.25  # the supervisor, an ordinary program, was woken so much later than it asked for ...
LATE_LOOKS = 3  # ... so often in a row


class Shedding:
    """Decides several times a second, from what came late; the decision is published as `spared`."""

    def __init__(self, link: Link, tell: Callable[[int, str], None], now_s: Callable[[], float] = time.monotonic) -> None:
        self._ring = link.writer("spared")
        self._tell, self._now_s = tell, now_s
        self.level = 0
        self._lately: deque[tuple[float, int]] = deque()  # what was late so far, at each look of the last WINDOW_S
        self._window_s = self._wanting_s = float("-inf")  # when something was given up; when there was a want last
        self._late_looks = 0

    def look(self, jam: Snapshot, woken_late_s: float, changed_s: float = float("-inf")) -> None:
        """Take how it goes, how much too late the supervisor was woken, and when a process was begun anew last."""
        now_s = self._now_s()
        late = 0
        if jam.network is not None:
            late += jam.network.late_steps + jam.network.kept
        if jam.sound is not None:
            late += jam.sound.notes_late
        if now_s - changed_s < AFTER_S:
            self._lately.clear()
            self._late_looks = 0
        self._late_looks = self._late_looks + 1 if woken_late_s >= LATE_S else 0
        self._lately.append((now_s, late))
        while now_s - self._lately[0][0] > WINDOW_S:
            self._lately.popleft()
        lately, starved = late - self._lately[0][1], self._late_looks >= LATE_LOOKS
        if lately >= LATE_STEPS or starved:
            self._wanting_s = now_s
            if now_s - self._window_s >= WINDOW_S:
                self._window_s = now_s
                why = f"{lately} steps came too late" if lately >= LATE_STEPS else "this computer is short of time"
                self._set(min(self.level + 1, len(SPARED)), why)
        elif self.level and now_s - self._wanting_s >= CALM_S:
            self._wanting_s = now_s
            self._set(self.level - 1, "")

    def _set(self, level: int, why: str) -> None:
        if level == self.level:
            return
        less = level > self.level
        what = SPARED[max(level, self.level) - 1]
        self.level = level
        self._ring.push((level, why.encode()))
        if less:
            self._tell(WARNING, f"{why}: less of the {what} for now, so that the music keeps its time")
        else:
            self._tell(INFO, f"there is time again: all of the {what} is back")

"""What is done without when the machine is short of time, the least important first, and given back when there is enough.

Runs on: main process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection

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

    def __init__(
        self,
        link: Link,
        tell: Callable[[int, str], None],
        here: Callable[[], Collection[str]] = lambda: SPARED,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`here`: what of care.SPARED there is in this jam at all."""
        self._ring = link.writer("spared")
        self._tell, self._here, self._now_s = tell, here, now_s
        self._spared: list[str] = []  # in the order in which it went
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
                self._give_up(why)
        elif self._spared and now_s - self._wanting_s >= CALM_S:
            self._wanting_s = now_s
            what = self._spared.pop()
            self._publish("")
            self._tell(INFO, f"there is time again: all of the {what} is back")

    def _give_up(self, why: str) -> None:
        """Do without the least important of what there is."""
        here = self._here()
        left = [what for what in SPARED if what in here and what not in self._spared]
        if left:
            self._spared.append(left[0])
            self._publish(why)
            self._tell(WARNING, f"{why}: less of the {left[0]} for now, so that the music keeps its time")

    def _publish(self, why: str) -> None:
        self._ring.push((sum(1 << SPARED.index(what) for what in self._spared), why.encode()))

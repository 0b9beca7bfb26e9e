"""The figures of the loop over timesteps, and the input deadline that follows from them.

Runs on: network process, main thread.
"""

from __future__ import annotations

import numpy as np

from engine.jam.performance import Outcome

REMEMBERED = 4096  # steps that the step-time figures look back on
MARGIN_MS = 2.0  # on top of what recomputing was seen to need: scheduling on a busy machine
LATEST = 0.4  # fraction of a step: no input deadline lies further ahead of its step
COLD = 2.0  # cold-cache slowdown factor: between steps the caches forget the network
ENOUGH = 16  # steps recomputed, after which what that takes is known


def deadline_ms(need_ms: float, step_ms: float) -> float:
    """Return how long before its sound a step's input deadline is.

    `need_ms`: the 99th percentile of the time from there to notes sent, of the steps recomputed then.
    """
    return min(need_ms + MARGIN_MS, LATEST * step_ms)


class Times:
    """How long something took, the last REMEMBERED times; and how often it was done, and how long it ever took at most."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ms = 0.0
        self._last_ms = np.zeros(REMEMBERED, np.float32)
        self._seen = 0  # in this process

    def resume(self, count: int, max_ms: float) -> None:
        """Count on from where a process that died had come to."""
        self.count, self.max_ms = count, max_ms

    def add(self, ms: float) -> None:
        """Take one more."""
        self._last_ms[self._seen % REMEMBERED] = ms
        self._seen += 1
        self.count += 1
        self.max_ms = max(self.max_ms, ms)

    def percentiles_ms(self, *which: float) -> tuple[float, ...]:
        """Return percentiles of the last; zeros while there are none."""
        if not self._seen:
            return (0.0,) * len(which)
        return tuple(np.percentile(self._last_ms[: self._seen], which).tolist())


class Figures:
    """What is told of the steps, in NETWORK_STATS; and from it the input deadline."""

    def __init__(self, p99_ms: float, step_ms: float, before: np.void | None) -> None:
        """`p99_ms`: of the network alone, as measured at the start. `before`: what a process that died had told last."""
        self.kept = 0
        self._times = Times()  # input deadline to notes sent
        self._again = Times()  # ... of the steps recomputed then
        self._needs = Times()  # ... of those, the moment of the deadline to notes sent
        if before is not None:
            self._times.resume(int(before["steps"]), float(before["step_max_ms"]))
            self._again.resume(int(before["again_steps"]), float(before["again_max_ms"]))
            self.kept = int(before["kept_steps"])
        self._need_ms = COLD * p99_ms
        self.deadline_ms = deadline_ms(self._need_ms, step_ms)

    @property
    def steps(self) -> int:
        """Steps so far."""
        return self._times.count

    def add(self, outcome: Outcome, due_ns: float) -> None:
        """Take one step, whose input deadline was at `due_ns`."""
        self.kept += outcome.kept
        self._times.add(outcome.step_ms)
        if outcome.recomputed:
            self._again.add(outcome.step_ms)
            self._needs.add((outcome.done_ns - due_ns) * 1e-6)

    def measure(self, step_ms: float) -> None:
        """Set the deadline anew."""
        (need_ms,) = self._needs.percentiles_ms(99)
        if self._needs.count < ENOUGH:
            need_ms = max(need_ms, self._need_ms)
        self.deadline_ms = deadline_ms(need_ms, step_ms)

    def record(self, late: int, mode: int, listening: bool, provider: str, restored: bool) -> tuple[object, ...]:
        """Return a NETWORK_STATS record."""
        return (
            self._times.count,
            late,
            *self._times.percentiles_ms(50, 99),
            self._times.max_ms,
            self._again.count,
            self.kept,
            *self._again.percentiles_ms(50, 99),
            self._again.max_ms,
            self.deadline_ms,
            mode,
            listening,
            provider.encode(),
            restored,
        )

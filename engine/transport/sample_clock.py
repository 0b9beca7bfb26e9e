"""The sample clock as a line over host time.

Runs on: audio process (Dll), every other process (SampleClock).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


class Dll:
    """Delay-locked loop that smooths the times at which device blocks begin.

    Fons Adriaensen, "Using a DLL to filter time" (2005): a second-order loop whose output is the filtered time of the block
    just begun and the period to the next. Times in nanoseconds.
    """

    def __init__(self, period_ns: float, bandwidth_hz: float = 1.0) -> None:
        omega = 2 * math.pi * bandwidth_hz * period_ns * 1e-9
        self._b = math.sqrt(2) * omega
        self._c = omega * omega
        self._period = self._nominal = period_ns
        self._next = math.nan
        self.time_ns = math.nan

    def update(self, now_ns: float) -> float:
        """Take the measured time of a block's beginning; return the filtered one."""
        error = now_ns - self._next
        # Not locked yet, or blocks were lost: begin again here rather than bend the line over seconds.
        if math.isnan(error) or abs(error) > 8 * self._nominal:
            self._period = self._nominal
            self.time_ns = now_ns
            self._next = now_ns + self._period
            return self.time_ns
        self.time_ns = self._next
        self._next += self._b * error + self._period
        self._period += self._c * error
        return self.time_ns

    @property
    def period_ns(self) -> float:
        """Filtered period of one device block."""
        return self._period


@dataclass(frozen=True, slots=True)
class SampleClock:
    """A line from host time to frames: frame `frame` was rendered at `time_ns`."""

    frame: float
    time_ns: float
    ns_per_frame: float

    @classmethod
    def of(cls, record: np.void) -> SampleClock:
        """From a CLOCK record."""
        return cls(float(record["frame"]), float(record["time_ns"]), float(record["ns_per_frame"]))

    def frame_at(self, time_ns: float) -> float:
        """Frame that is rendered at this host time."""
        return self.frame + (time_ns - self.time_ns) / self.ns_per_frame

    def time_at(self, frame: float) -> float:
        """Host time, in nanoseconds of time.perf_counter_ns, at which this frame is rendered."""
        return self.time_ns + (frame - self.frame) * self.ns_per_frame

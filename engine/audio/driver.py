"""From the engine's blocks to those of a device, of whatever size; and the sample clock that comes of it.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from engine.audio.engine import AudioEngine
from engine.core.link import Link
from engine.core.messages import BLOCK, OUTPUTS
from engine.transport.sample_clock import Dll, SampleClock

FRAME_BYTES = 4 * OUTPUTS
BLOCK_BYTES = BLOCK * FRAME_BYTES
PUBLISH_S = 0.005  # how often the clock is published


class Driver:
    """Fills a device's blocks, of whatever size, from the engine's; keeps the clock and the counters.

    Channel: writes `clock`.
    """

    def __init__(
        self,
        engine: AudioEngine,
        link: Link,
        now: Callable[[], int] = time.perf_counter_ns,
        spent: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        """`spent`: nanoseconds of the processor that the calling thread has had."""
        self._engine = engine
        self._clock = link.writer("clock")
        self._now = now
        self._spent = spent
        self.rate_hz = engine.rate_hz
        self._spare = bytes(BLOCK_BYTES)  # the block that a device's block ended within ...
        self._left = 0  # ... and how many of its bytes are still to be given out
        self.fills = 0
        self.xruns = 0
        # Blocks that took more of the processor than they last: a patch is too costly, not the machine busy. What the host of
        # a virtual machine takes without saying so is not told apart.
        self.xruns_own = 0
        self.dsp_mean = 0.0
        self.dsp_max = 0.0
        self.dsp_own_max = 0.0
        self.lost = False
        self.begin(BLOCK, 0)

    def begin(self, block: int, latency_frames: int) -> None:
        """Get ready for a device that asks for `block` frames at a time. Not while another calls `fill`."""
        self._block = block
        self._latency_frames = latency_frames
        self._block_ns = block / self.rate_hz * 1e9
        self._dll = Dll(self._block_ns)
        self._publish_every = max(1, math.ceil(PUBLISH_S * self.rate_hz / block))
        self._unpublished = self._publish_every  # the first block is published
        self._peak = 0.0
        self._overran = False

    def resume(self, last: np.void) -> None:
        """Count on from what a process that died published last."""
        self.xruns, self.xruns_own = int(last["xruns"]), int(last["xruns_own"])
        self.dsp_max, self.dsp_own_max = float(last["dsp_max"]), float(last["dsp_own_max"])

    def fill(self, out: memoryview, flagged: bool = False) -> None:
        """Fill one block of the device: the bytes of float32 (frames, OUTPUTS). `flagged`: it says that samples were lost."""
        began_ns, spent_ns = self._now(), self._spent()
        engine = self._engine
        first = engine.frame - self._left // FRAME_BYTES
        time_ns = self._dll.update(began_ns)
        if len(out) > BLOCK_BYTES:
            # Notes that came within the last device block are laid out over this one as they came.
            engine.player.ports.clock = SampleClock(first + len(out) // FRAME_BYTES, time_ns, self._dll.period_ns / self._block)
        else:
            engine.player.ports.clock = None
        self._render(out)
        self._peak = max(self._peak, engine.peak)
        # Too late either by the device's word or by our own clock; both may tell of the same one.
        self.xruns += flagged or self._overran
        self.fills += 1
        self._unpublished += 1
        if self._unpublished >= self._publish_every:
            self._publish(first, time_ns)
        load = (self._now() - began_ns) / self._block_ns
        self._overran = load > 1.0
        self.dsp_mean += (load - self.dsp_mean) * min(1.0, self._block_ns * 1e-9)
        self.dsp_max = max(self.dsp_max, load)
        own = (self._spent() - spent_ns) / self._block_ns
        self.dsp_own_max = max(self.dsp_own_max, own)
        self.xruns_own += own > 1.0

    def _render(self, out: memoryview) -> None:
        at = min(self._left, len(out))
        if at:
            out[:at] = self._spare[BLOCK_BYTES - self._left : BLOCK_BYTES - self._left + at]
            self._left -= at
        while len(out) - at >= BLOCK_BYTES:
            out[at : at + BLOCK_BYTES] = self._engine.render_block()
            at += BLOCK_BYTES
        if at < len(out):
            self._spare = bytes(self._engine.render_block())
            out[at:] = self._spare[: len(out) - at]
            self._left = BLOCK_BYTES - (len(out) - at)

    def _publish(self, first: int, time_ns: float) -> None:
        engine = self._engine
        self._clock.push(
            (
                first,
                round(time_ns),
                self._dll.period_ns / self._block,
                self.rate_hz,
                self._block,
                self._latency_frames,
                self.dsp_mean,
                self.dsp_max,
                self.dsp_own_max,
                self.xruns,
                self.xruns_own,
                engine.player.notes_in,
                engine.player.ignored,
                engine.band.late,
                self._peak,
                self.lost,
            )
        )
        self._unpublished = 0
        self._peak = 0.0

"""What asks for blocks: a device of PortAudio's, or a clock without one.

Runs on: audio process. The callbacks run on the device's thread, or the clock's; everything else belongs to the control thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from engine.audio.driver import FRAME_BYTES
from engine.audio.lookup import NULL, NULL_REMEDY, full_name
from engine.core.calibration import latency_of
from engine.core.config import Audio
from engine.core.errors import DeviceError
from engine.core.messages import OUTPUTS
from engine.core.realtime import SOUND, be_urgent

STALL_S = 0.1  # behind by more than this the null clock gives up catching up
LOST_S = 0.5  # a device that has asked for nothing for so long is gone


class Stream(Protocol):
    """What drives a Driver."""

    name: str
    latency_frames: int

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def is_alive(self) -> bool: ...


class NullDevice:
    """A clock that asks for blocks at the pace of a device, on absolute deadlines."""

    def __init__(
        self,
        fill: Callable[[memoryview, bool], None],
        block: int,
        rate_hz: float,
        now: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """`wait(seconds)` sleeps, and returns True when it is time to end."""
        self.name = NULL
        self.latency_frames = 0
        self._fill = fill
        self._period_ns = block / rate_hz * 1e9
        self._out = memoryview(bytearray(block * FRAME_BYTES))
        self._end = threading.Event()
        self._now = now
        self._wait = wait or self._end.wait
        self._thread = threading.Thread(target=self.run, name="null-clock", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the last block is done."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def is_alive(self) -> bool:
        """A clock is never lost."""
        return True

    def run(self) -> None:
        """Ask for block after block, until told to end."""
        deadline_ns = float(self._now())
        be_urgent(SOUND)
        while not self._wait(max(0.0, (deadline_ns - self._now()) * 1e-9)):
            stalled = self._now() - deadline_ns > STALL_S * 1e9
            if stalled:  # the machine slept: go on from now instead of hurrying after the time lost
                deadline_ns = float(self._now())
            self._fill(self._out, stalled)
            deadline_ns += self._period_ns


class Device:
    """A stream of PortAudio's."""

    def __init__(
        self,
        sd: Any,
        index: int,
        audio: Audio,
        rate_hz: int,
        fill: Callable[[memoryview, bool], None],
        now_s: Callable[[], float],
    ) -> None:
        """Open device number `index`; one with a single channel plays the mean of both sides. Raises DeviceError."""
        device = sd.query_devices(index)
        self._mono = np.zeros((audio.block, OUTPUTS), np.float32) if device["max_output_channels"] < OUTPUTS else None
        self._now_s = now_s
        self.name = full_name(sd, index)
        self._fill = fill
        self._fills = self._fills_seen = 0
        self._seen_s = now_s()
        self._ended = False
        try:
            self._stream = sd.RawOutputStream(
                device=index,
                samplerate=rate_hz,
                blocksize=audio.block,
                channels=OUTPUTS if self._mono is None else 1,
                dtype="float32",
                latency="low",
                callback=self._callback,
                finished_callback=self._finished,
            )
        except sd.PortAudioError as error:
            own = round(device.get("default_samplerate", rate_hz))
            remedy = (
                f'it runs at {own} Hz: set audio.rate to {own}, or to "device" to follow it'
                if own != rate_hz
                else (f"try another audio.rate or audio.block, close the program that uses it, or {NULL_REMEDY}")
            )
            raise DeviceError(
                f"audio.device: {self.name} does not open at {rate_hz} Hz in blocks of {audio.block} frames: {remedy} ({error})"
            ) from error
        measured_ms = latency_of(audio.latencies, self.name)
        latency_s = self._stream.latency if measured_ms is None else measured_ms * 1e-3
        self.latency_frames = round(latency_s * rate_hz)

    def start(self) -> None:
        """Begin; the callback runs on PortAudio's thread."""
        self._seen_s = self._now_s()
        self._stream.start()

    def stop(self) -> None:
        """End and close, as far as a device that may be gone allows."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def is_alive(self) -> bool:
        """Whether the device still asks for blocks; to be called every now and then."""
        if self._has_asked():
            self._seen_s = self._now_s()
        return self._goes_on() and self._now_s() - self._seen_s < LOST_S

    def leave(self) -> None:
        """Give it silence from here on: it is held to be gone, and cannot be stopped."""
        self._fill = _silence

    def asks_again(self) -> bool:
        """Whether one that was left asks for blocks again: its server only stood still."""
        return self._has_asked() and self._goes_on()

    def go_on(self, fill: Callable[[memoryview, bool], None]) -> None:
        """Fill its blocks again."""
        self._seen_s = self._now_s()
        self._fill = fill

    def _has_asked(self) -> bool:
        before, self._fills_seen = self._fills_seen, self._fills
        return self._fills_seen != before

    def _goes_on(self) -> bool:
        return bool(self._stream.active) and not self._ended

    def _callback(self, out: Any, _frames: int, _time: Any, status: Any) -> None:
        if not self._fills:
            be_urgent(SOUND)
        self._fills += 1
        if self._mono is None:
            self._fill(memoryview(out), bool(status))
        else:
            self._fill_mono(out, bool(status))

    def _fill_mono(self, out: Any, flagged: bool) -> None:
        assert self._mono is not None
        self._fill(self._mono.reshape(-1).view(np.uint8).data, flagged)
        single = np.frombuffer(out, np.float32)
        np.add(self._mono[:, 0], self._mono[:, 1], single)
        single *= np.float32(0.5)

    def _finished(self) -> None:
        self._ended = True


def _silence(out: memoryview, _flagged: bool) -> None:
    out[:] = bytes(len(out))

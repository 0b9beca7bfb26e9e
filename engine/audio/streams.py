"""Where the blocks go: a device of PortAudio's, or a clock without one.

Runs on: audio process. `Driver.fill` is the audio callback; `Output` belongs to the control thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import rtmidi

from engine.audio.engine import AudioEngine
from engine.core.config import Audio
from engine.core.errors import DeviceError
from engine.core.link import Link
from engine.core.messages import BLOCK, ERROR, INFO, OUTPUTS
from engine.core.realtime import SOUND, be_urgent
from engine.transport.sample_clock import Dll, SampleClock

FRAME_BYTES = 4 * OUTPUTS
BLOCK_BYTES = BLOCK * FRAME_BYTES
NULL = "null"  # the configuration's word for a clock without a device
PUBLISH_S = 0.005  # how often the clock is published
STALL_S = 0.1  # behind by more than this the null clock gives up catching up
LOST_S = 0.5  # a device that has asked for nothing for so long is gone
RETRY_S = 2.0  # how often a lost device is looked for
JACK = "JACK Audio Connection Kit"  # PortAudio's name for it
NULL_REMEDY = 'set audio.device to "null" to play without sound'


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
        self._rate_hz = engine.rate_hz
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
        self._block_ns = block / self._rate_hz * 1e9
        self._dll = Dll(self._block_ns)
        self._publish_every = max(1, math.ceil(PUBLISH_S * self._rate_hz / block))
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
                self._rate_hz,
                self._block,
                self._latency_frames,
                self.dsp_mean,
                self.dsp_max,
                self.dsp_own_max,
                self.xruns,
                self.xruns_own,
                engine.player.notes_in,
                engine.player.ignored,
                engine.notes_late,
                self._peak,
                self.lost,
            )
        )
        self._unpublished = 0
        self._peak = 0.0


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
        self, sd: Any, index: int, audio: Audio, fill: Callable[[memoryview, bool], None], now_s: Callable[[], float]
    ) -> None:
        """Open device number `index`. Raises DeviceError."""
        self._now_s = now_s
        self.name = _full_name(sd, index)
        self._fill = fill
        self._fills = self._fills_seen = 0
        self._seen_s = now_s()
        self._ended = False
        try:
            self._stream = sd.RawOutputStream(
                device=index,
                samplerate=audio.rate,
                blocksize=audio.block,
                channels=OUTPUTS,
                dtype="float32",
                latency="low",
                callback=self._callback,
                finished_callback=self._finished,
            )
        except sd.PortAudioError as error:
            raise DeviceError(
                f"audio.device: {self.name} does not open at {audio.rate} Hz in blocks of {audio.block} frames ({error}); "
                f"try another audio.rate or audio.block, close the program that uses it, or {NULL_REMEDY}"
            ) from error
        self.latency_frames = round(self._stream.latency * audio.rate)

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
        self._fill(memoryview(out), bool(status))

    def _finished(self) -> None:
        self._ended = True


def _silence(out: memoryview, _flagged: bool) -> None:
    out[:] = bytes(len(out))


class ServerIsBack(Exception):  # noqa: N818  (no error: an order to begin anew)
    """The JACK server that the sound went to is there again."""


class Output:
    """The stream of a run: the configured device, and the null clock while that is lost."""

    def __init__(
        self,
        driver: Driver,
        audio: Audio,
        tell: Callable[[int, str], None],
        library: Callable[[], Any] | None = None,
        null: Callable[..., Stream] = NullDevice,
        now_s: Callable[[], float] = time.monotonic,
        jack_answers: Callable[[], bool] | None = None,
    ) -> None:
        """`library` returns sounddevice, or what stands in for it; so do `null`, `now_s` and `jack_answers`."""
        self._driver = driver
        self._audio = audio
        self._tell = tell
        self._library = library or portaudio
        self._null = null
        self._now_s = now_s
        self._jack_answers = jack_answers or jack_answers_now
        self._sd: Any = None
        self._stream: Stream | None = None
        self._lost_name = ""  # full name of the device that is gone
        self._left: Device | None = None  # ... and the device, where it is one of JACK's
        self._answered = False  # whether a JACK server does, since then
        self._tried_s = 0.0

    def open(self) -> None:
        """Open what the configuration names, without starting it. Raises DeviceError with the remedy."""
        if self._audio.device == NULL:
            self.open_null()
            return
        self._sd = self._library()
        self._stream = self._device(find(self._sd, self._audio.device))

    def open_null(self) -> None:
        """Open the clock without a device."""
        self._stream = self._null(self._driver.fill, self._audio.block, self._audio.rate)

    def _device(self, index: int) -> Device:
        return Device(self._sd, index, self._audio, self._driver.fill, self._now_s)

    def start(self) -> None:
        """Start what is open. Raises DeviceError."""
        stream = self.stream
        self._driver.begin(self._audio.block, stream.latency_frames)
        try:
            stream.start()
        except Exception as error:
            if self._sd is not None and isinstance(error, self._sd.PortAudioError):
                raise DeviceError(f"audio.device: {stream.name} does not start ({error}); {NULL_REMEDY}") from error
            raise

    @property
    def stream(self) -> Stream:
        """What is open."""
        assert self._stream is not None
        return self._stream

    @property
    def is_jack(self) -> bool:
        """Whether the sound goes to a JACK server."""
        return self._stream is not None and JACK in self._stream.name

    @property
    def is_stuck(self) -> bool:
        """Whether the device was a JACK server that is gone: PortAudio would wait ten minutes in letting go of it."""
        return JACK in self._lost_name

    def check(self) -> None:
        """Notice that the device is gone, or bring it back; to be called about twice a second.

        Raises ServerIsBack when a JACK server returned: only a new process can connect to it.
        """
        if self._left is not None and self._left.asks_again():
            self._return_to(self._left)
        elif self._lost_name:
            if self._now_s() - self._tried_s >= RETRY_S:
                self._tried_s = self._now_s()
                self._try_again()
        elif not self.stream.is_alive():
            stream, self._lost_name = self.stream, self.stream.name
            if self.is_stuck and isinstance(stream, Device):
                stream.leave()
                self._left = stream
            else:
                stream.stop()
            self._go_null()
            self._tell(ERROR, f"audio device {self._lost_name} is gone: the beat goes on without sound, waiting for it")

    def stop(self) -> None:
        """End the stream."""
        self.stream.stop()

    def _go_null(self) -> None:
        self._driver.lost = True
        self.open_null()
        self.start()
        self._tried_s = self._now_s()

    def _try_again(self) -> None:
        if self.is_stuck:
            if self._answered:
                raise ServerIsBack(self._lost_name)
            self._answered = self._jack_answers()
            self._tried_s -= RETRY_S * self._answered  # one that only stood still has until the next check to ask again
            return
        try:
            # PortAudio lists the devices once: only a new beginning shows what was plugged in since.
            self._sd._terminate()
            self._sd._initialize()
            index = _index_of(self._sd, self._lost_name)
            if index is None:
                return
            device = self._device(index)
        except (DeviceError, self._sd.PortAudioError):
            return
        self.stream.stop()
        self._stream = device
        try:
            self.start()
        except DeviceError:
            self.stream.stop()
            self._go_null()
            return
        self._found()

    def _return_to(self, device: Device) -> None:
        """Play on a device that had only stood still; whatever is connected to it still is."""
        self.stream.stop()
        self._stream, self._left, self._answered = device, None, False
        self._driver.begin(self._audio.block, device.latency_frames)
        device.go_on(self._driver.fill)
        self._found()

    def _found(self) -> None:
        self._driver.lost = False
        self._tell(INFO, f"audio device {self._lost_name} is back")
        self._lost_name = ""


def find(sd: Any, device: int | str) -> int:
    """Return the number of the output device that `audio.device` means: a number, a part of its name, or "default".

    Raises DeviceError that says what there is.
    """
    there = [i for i, d in enumerate(sd.query_devices()) if d["max_output_channels"] >= OUTPUTS]
    if not there:
        raise DeviceError(f"there is no audio device with two outputs; connect one, start a JACK server, or {NULL_REMEDY}")
    listing = "\n".join(f"  {i}: {_full_name(sd, i)}" for i in there)
    if device == "default":
        return _default(sd, there, listing)
    if isinstance(device, int) or device.isdigit():
        if int(device) not in there:
            raise DeviceError(f"audio.device: there is no output device number {device}; there are\n{listing}")
        return int(device)
    names = {i: _full_name(sd, i) for i in there}
    for matches in (
        [i for i in there if device in (names[i], sd.query_devices(i)["name"])],
        [i for i in there if all(word in names[i].casefold() for word in device.casefold().split())],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            several = "\n".join(f"  {i}: {names[i]}" for i in matches)
            raise DeviceError(
                f"audio.device: {device!r} may mean any of these; write more of the name, or the number\n{several}"
            )
    raise DeviceError(f"audio.device: there is no output device {device!r}; there are\n{listing}\nor {NULL_REMEDY}")


def _default(sd: Any, there: list[int], listing: str) -> int:
    """Return the system's default output, or the only one of any host API."""
    system = sd.default.device[1]
    if system in there:
        return int(system)
    candidates = [api["default_output_device"] for api in sd.query_hostapis() if api["default_output_device"] in there]
    if len(candidates) == 1:
        return int(candidates[0])
    raise DeviceError(f"audio.device: the system names no default output; set it to one of\n{listing}")


def _index_of(sd: Any, full_name: str) -> int | None:
    """Return the number under which a device is listed now."""
    return next((i for i in range(len(sd.query_devices())) if _full_name(sd, i) == full_name), None)


def _full_name(sd: Any, index: int) -> str:
    device = sd.query_devices(index)
    return f"{device['name']}, {sd.query_hostapis(device['hostapi'])['name']}"


def jack_answers_now() -> bool:
    """Return whether a JACK server can be connected to; asked of python-rtmidi, for PortAudio has lost its way to JACK."""
    try:
        rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="Algoritmo looks for JACK")
    except rtmidi.RtMidiError:
        return False
    return True


def portaudio() -> ModuleType:
    """Return sounddevice. Raises DeviceError when the library it stands on is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            f"the PortAudio library is missing ({error}); install it (Debian, Ubuntu: apt install libportaudio2; "
            f"Fedora: dnf install portaudio; macOS: brew install portaudio), or {NULL_REMEDY}"
        ) from error
    return sounddevice  # type: ignore[no-any-return]  # sounddevice has no types

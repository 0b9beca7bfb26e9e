"""The stream of a run: the device that was asked for, and the null clock while that is gone.

Runs on: audio process (control thread).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rtmidi

from engine.audio.device import Device, NullDevice, Stream
from engine.audio.driver import Driver
from engine.audio.lookup import NULL, NULL_REMEDY, find, index_of, opens_now, portaudio
from engine.core.config import Audio
from engine.core.errors import DeviceError
from engine.core.messages import ERROR, INFO

RETRY_S = 2.0  # how often a lost device is looked for
RETRY_MOST_S = 30.0  # one that does not open as it is is tried less and less often, down to this
JACK = "JACK Audio Connection Kit"  # PortAudio's name for it


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
        opens: Callable[[Audio], bool] = opens_now,
    ) -> None:
        """`library` returns sounddevice, or what stands in for it; so do `null`, `now_s`, `jack_answers` and `opens`."""
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
        self._opens = opens
        self._retry_s = 0.0  # how long to wait before the next try of a device that did not open; 0: there is none

    def open(self) -> None:
        """Open what the configuration names, without starting it. Raises DeviceError with the remedy."""
        if self._audio.device == NULL:
            self.open_null()
            return
        self._sd = self._library()
        self._stream = self._device(find(self._sd, self._audio.device))

    def open_null(self) -> None:
        """Open the clock without a device."""
        self._stream = self._null(self._driver.fill, self._audio.block, self._driver.rate_hz)

    def wait_for_device(self, error: DeviceError) -> None:
        """Open the clock in the place of a device that was there before and does not open now; it is tried again and again."""
        self._tell(ERROR, f"The beat goes on without sound, and the device is tried again: {error}")
        self._lost_name, self._retry_s = str(self._audio.device), RETRY_S
        self._driver.lost = True
        self.open_null()
        self._tried_s = self._now_s()

    def _device(self, index: int) -> Device:
        return Device(self._sd, index, self._audio, round(self._driver.rate_hz), self._driver.fill, self._now_s)

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
        return JACK in self._lost_name or self._retry_s > 0

    def check(self) -> None:
        """Notice that the device is gone, or bring it back; to be called about twice a second.

        Raises ServerIsBack when a JACK server returned: only a new process can connect to it.
        """
        if self._left is not None and self._left.asks_again():
            self._return_to(self._left)
        elif self._retry_s:
            self._try_to_open()
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
            index = index_of(self._sd, self._lost_name)
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

    def _try_to_open(self) -> None:
        if self._now_s() - self._tried_s >= self._retry_s:
            if self._opens(self._audio):
                raise ServerIsBack(self._lost_name)
            self._tried_s, self._retry_s = self._now_s(), min(2 * self._retry_s, RETRY_MOST_S)

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


def jack_answers_now() -> bool:
    """Return whether a JACK server can be connected to; asked of python-rtmidi, for PortAudio has lost its way to JACK."""
    try:
        rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="Algoritmo looks for JACK")
    except rtmidi.RtMidiError:
        return False
    return True

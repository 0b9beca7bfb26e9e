"""The audio process: builds the engine, plugs in the device and the MIDI ports, and stays out of the way.

Runs on: audio process. The main thread waits for the supervisor; the audio callback runs on the device's thread (or the null
clock's); the control thread does what takes time: it speaks, mends, watches device and ports; the MIDI output has a thread too.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType

import rtmidi

from engine.audio.driver import Driver
from engine.audio.engine import FADE_S, AudioEngine
from engine.audio.library import fault
from engine.audio.lookup import rate_of
from engine.audio.messages import LogMessage
from engine.audio.output import Output, ServerIsBack
from engine.core.errors import DeviceError
from engine.core.link import Link
from engine.core.messages import BLOCK, DEVICES, INFO, WARNING
from engine.core.process import Spec, stop_requested
from engine.jam.parameters import registry_of
from engine.midi import ports
from engine.midi.file_source import FileSource
from engine.midi.loops import Loops
from engine.midi.outlets import Outlets
from engine.transport.sample_clock import SampleClock

SWITCH_S = 1e-4  # what another thread may keep the audio callback waiting; Python's own default is four blocks
WATCH_S = 0.5  # how often the control thread looks after the device
CALM_S = 0.1  # ... and, where there are any, at the processes that host plugins
BUSY_S = 0.02  # ... while one is to come, loads a plugin, or is late
POLL_S = 1.0  # ... and after named ports
WARM_BLOCKS = 16
BEGIN_ANEW = 3  # exit status: nothing failed, but a new process is needed


def main(spec: Spec, pipe: Connection) -> None:
    """Run the audio until told to stop. Raises DeviceError when the device or a port cannot be had."""
    gc.disable()
    studio = Studio(spec)
    studio.open()
    gc.collect()
    gc.freeze()  # what was loaded stays: the collector never walks it again
    sys.setswitchinterval(SWITCH_S)
    sys.excepthook = studio.tell_exception
    studio.start()
    pipe.send(("ready", studio.description()))
    stop_requested(pipe, None)
    studio.stop()
    if studio.is_stuck:
        os._exit(0)  # PortAudio would wait for a dead JACK server on the way out


class Studio:
    """Everything that is plugged together: engine, device, ports, and the threads that serve them."""

    def __init__(self, spec: Spec) -> None:
        """Build the engine. Raises ConfigError and MidiFileError."""
        self._spec = spec
        self._config = spec.config
        self._link = link = spec.link("audio")
        rate_hz = self._rate_hz = float(self._rate())
        source = FileSource(spec.demo, rate_hz, timeline=link["timeline"], again=True) if spec.demo is not None else None
        self.engine = AudioEngine(link, registry_of(spec.card), spec.card, spec.config, rate_hz, source, run_by_thread=True)
        self._driver = Driver(self.engine, link)
        self._output = Output(self._driver, spec.config.audio, self._tell)
        self._inputs: ports.Ports | None = None
        self._outlets: Outlets | None = None
        self._threads: list[threading.Thread] = []
        self._ending = False
        self._devices = b""  # as they were told last
        self._told: set[str] = set()

    def _rate(self) -> int:
        """The rate to play at; where the device is not there and need not be, that of the clock without one."""
        audio = self._config.audio
        try:
            return rate_of(audio)
        except DeviceError:
            if self._spec.demo is None and not self._spec.restarted:
                raise
        last = self._link["clock"].latest()
        return audio.rate_hz if last is None else round(float(last["rate_hz"]))

    def open(self) -> None:
        """Open device and ports; nothing sounds yet. Raises DeviceError."""
        try:
            self._output.open()
        except DeviceError as error:
            if self._spec.restarted:
                self._output.wait_for_device(error)
            elif self._spec.demo is not None:
                self._tell(WARNING, f"{error}. The demonstration goes on without sound")
                self._output.open_null()
            else:
                raise
        self._open_ports()
        last = self._link["clock"].latest()
        if self._spec.restarted and last is not None:
            self.engine.resume(last, self._link["events"].reader(0).read())
            self._driver.resume(last)
        self._catch_up()
        for _ in range(WARM_BLOCKS):  # the first blocks are slower than any other: not on the device's time
            self.engine.render_block()

    def _catch_up(self) -> None:
        """In the place of a process that died, go on where its sample clock would be now."""
        if self._spec.restarted:
            self.engine.go_on_at(_frame_now(self._link), self._rate_hz)

    def _open_ports(self) -> None:
        midi = self._config.midi
        if not midi.inputs and not midi.outputs:
            return
        backend, remark = ports.backend_of(midi.backend, self._output.is_jack)
        if remark:
            self._tell(WARNING, remark)
        if backend == "none":
            return
        arrivals = self.engine.player.ports.arrivals
        self._inputs = ports.inputs(midi.inputs, ports.maker(backend, rtmidi.MidiIn), self._tell, arrivals)
        if midi.outputs:
            loops = self.engine.player.loops = Loops()
            make, clock = ports.maker(backend, rtmidi.MidiOut), self._link["clock"].latest
            self._outlets = Outlets(self._spec.card, midi, make, self._tell, clock, loops)
        ports.open_all(self._ports())
        if self._outlets is not None:
            self.engine.band.outlet = self._outlets.put

    def start(self) -> None:
        """Let it sound. Raises DeviceError."""
        for run in self._outlets.runs if self._outlets is not None else ():
            self._begin(run, "midi-output")
        self._catch_up()
        self._output.start()
        self._begin(self._run_pending, "control")

    def description(self) -> dict[str, object]:
        """What the supervisor reports of this process."""
        stream = self._output.stream
        audio = self._config.audio
        return {
            "device": stream.name,
            "rate": round(self._rate_hz),
            "block": audio.block,
            "latency_ms": round(stream.latency_frames / self._rate_hz * 1e3, 2),
            "midi_inputs": self._inputs.connected if self._inputs else [],
            "midi_outputs": self._outlets.connected if self._outlets else [],
        }

    @property
    def is_stuck(self) -> bool:
        """Whether the process can only be left the hard way."""
        return self._output.is_stuck

    def stop(self) -> None:
        """End every note, fade, and close everything."""
        self.engine.release_all()
        time.sleep(FADE_S + 2 * self._config.audio.block / self._rate_hz)
        if self._outlets is not None:
            self._outlets.stop()
        self._ending = True
        self.engine.worker.requests.put(None)
        for thread in self._threads:
            thread.join()
        self._output.stop()
        for these in self._ports():
            these.close()
        while self.engine.worker.run_pending():
            pass
        self.engine.close()

    def tell_exception(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        """Name what a Python function in a patch did wrong: pyo calls it, reports to sys.excepthook, and plays on."""
        text = fault("function", error)
        if text not in self._told:
            self._told.add(text)
            self._tell(WARNING, text)

    def _tell(self, level: int, text: str) -> None:
        self.engine.worker.requests.put(LogMessage(level, text))  # said by the control thread: a ring has one writer

    def _begin(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run_pending(self) -> None:
        """The control thread."""
        look_s = poll_s = time.monotonic()
        while not self._ending:
            self._link.beat("audio")
            self.engine.worker.run_pending(pause_s(self.engine))
            self.engine.rack.poll()
            now_s = time.monotonic()
            if now_s >= look_s:
                look_s = now_s + WATCH_S
                self._look_after_device()
                self.engine.worker.collect()
            if now_s >= poll_s:
                poll_s = now_s + POLL_S
                for these in self._ports():
                    these.poll()
                self.engine.worker.watch()
                self._tell_devices()

    def _tell_devices(self) -> None:
        """Publish what is plugged in, where that has changed. Names that do not fit are left out."""
        inputs, outputs = ([] if these is None else these.connected for these in (self._inputs, self._outlets))
        waits = [name for these in self._ports() for name in these.waits_for]
        told = {"audio": self._output.stream.name, "inputs": inputs, "outputs": outputs, "waits": waits}
        text = json.dumps(told).encode()
        while len(text) > DEVICES["text"].itemsize:
            max(inputs, outputs, waits, key=len).pop()
            text = json.dumps(told).encode()
        if text != self._devices:
            self._devices = text
            self._link.writer("devices").push((text,))

    def _look_after_device(self) -> None:
        try:
            self._output.check()
        except ServerIsBack as back:
            self._link.notice("audio", INFO, f"{back} is back: the audio process begins anew to connect to it")
            os._exit(BEGIN_ANEW)  # the supervisor starts another in our place; a clean exit would wait for the dead server

    def _ports(self) -> list[ports.Ports]:
        return [*([self._inputs] if self._inputs else []), *(self._outlets.outputs if self._outlets else [])]


def pause_s(engine: AudioEngine) -> float:
    """Return for how long the control thread may wait: whatever it does holds Python's lock, and the sound waits for that."""
    hosts = engine.mixer.hosts
    if not hosts.is_needed:
        return WATCH_S
    return BUSY_S if hosts.is_busy or engine.rack.editors.are_open else CALM_S


def _frame_now(link: Link) -> int:
    """Return where the sample clock of a process that died would be now, on a block's beginning."""
    record = link["clock"].latest()
    if record is None:
        return 0
    frame = SampleClock.of(record).frame_at(time.perf_counter_ns())
    return max(0, math.ceil(frame / BLOCK) * BLOCK)

"""The clock process: MIDI clock to the ports that want one, and nothing else.

Runs on: clock process.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import rtmidi

from engine.core.link import Link
from engine.core.messages import WARNING
from engine.core.midi import Midi
from engine.core.process import Spec, stop_requested
from engine.core.realtime import SOUND, be_urgent
from engine.midi import ports
from engine.midi.clock_out import ClockOut, run

POLL_S = 0.5  # how often ports that were not there are looked for


def main(spec: Spec, pipe: Connection) -> None:
    """Send the clock until told to stop."""
    link, midi = spec.link("clock"), spec.config.midi

    def tell(level: int, text: str) -> None:
        link.notice("clock", level, text)

    backend, remark = ports.backend_of(midi.backend, device_is_jack=True)
    if remark:
        tell(WARNING, remark)
    pipe.send(("ready", {}))
    if backend == "none":
        while not stop_requested(pipe, POLL_S):
            link.beat("clock")
        return
    ended = threading.Event()
    voices = [
        Voice(link, names, offset_ms, ports.maker(backend, rtmidi.MidiOut), tell) for offset_ms, names in _by_offset(midi)
    ]
    gc.disable()
    for voice in voices:
        threading.Thread(target=voice.send, args=(ended,), name="midi-clock", daemon=True).start()
    while not stop_requested(pipe, POLL_S):
        link.beat("clock")
        for voice in voices:
            voice.outputs.poll()
    ended.set()
    for voice in voices:
        voice.close()


class Voice:
    """The clock of the ports that share an offset."""

    def __init__(self, link: Link, names: Sequence[str | int], offset_ms: float, make: ports.Make, tell: ports.Tell) -> None:
        self._link, self._offset_ms = link, offset_ms
        self.outputs = ports.Outputs(names, make, tell)
        self.outputs.open()
        self._clock = ClockOut(self.outputs.send)
        self._is_done = threading.Event()

    def send(self, ended: threading.Event) -> None:
        """Send until it is over. A thread of its own."""
        be_urgent(SOUND)

        def is_over(seconds: float) -> bool:
            time.sleep(seconds)
            return ended.is_set()

        lines = self._link["timeline"]
        run(self._clock, lines.reader(max(lines.count - 1, 0)), self._link["clock"].latest, self._offset_ms, is_over)
        self._is_done.set()

    def close(self) -> None:
        """Stop the receivers, and close the ports."""
        self._is_done.wait(1)
        self._clock.end()
        self.outputs.close()


def _by_offset(midi: Midi) -> list[tuple[float, list[str | int]]]:
    """Return the ports by the time that their clock is moved by; what was measured of a port is made up for."""
    found: dict[float, list[str | int]] = {}
    for name in midi.clock.outputs:
        offset_ms = midi.clock.offsets.get(str(name), midi.clock.offset_ms) - midi.latency_ms(name)
        found.setdefault(offset_ms, []).append(name)
    return list(found.items())

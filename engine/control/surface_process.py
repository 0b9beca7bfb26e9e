"""The process that shows controllers with lights or motor faders how the parameters stand.

Runs on: surface process. It is started where `midi.feedback` names outputs.
"""

from __future__ import annotations

import gc
import time
from multiprocessing.connection import Connection

import numpy as np
import rtmidi

from engine.control.feedback import Surface
from engine.core.controllers import Controller, map_path, read
from engine.core.link import Link
from engine.core.messages import WARNING
from engine.core.midi import Midi
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.jam.parameters import registry_of
from engine.midi import ports

NAME = "surface"
SHOW_S = 0.01  # how often what has changed is shown
POLL_S = 1.0  # how often ports that were not there are looked for

Controls = list[tuple[str, Controller]]


def main(spec: Spec, pipe: Connection) -> None:
    """Show until told to stop."""
    link, midi = spec.link(NAME), spec.config.midi

    def tell(level: int, text: str) -> None:
        link.notice(NAME, level, text)

    backend, remark = ports.backend_of(midi.backend, device_is_jack=True)
    if remark:
        tell(WARNING, remark)
    pipe.send(("ready", {}))
    live = Live(registry_of(spec.card), link.values)
    make = ports.maker(backend, rtmidi.MidiOut)
    shows = [] if backend == "none" else [Shows(link, name, make, tell) for name in midi.feedback]
    learned, moved = link["learned"].reader(), link["takeover"].reader()
    controls, poll_s = of_config(midi), 0.0
    gc.disable()
    while not stop_requested(pipe, SHOW_S if shows else POLL_S):
        now_s = time.monotonic()
        link.beat(NAME)
        live.refresh()
        if learned.is_behind():
            controls = _with_learned(controls, learned.read())
        for record in moved.read() if moved.is_behind() else ():
            if not record["waits"]:
                for one in shows:
                    one.surface.hold(record["id"].decode(), record["port"].decode(errors="replace"), now_s)
        for one in shows:
            if now_s >= poll_s:
                one.poll()
            one.show(controls, live, now_s)
        if now_s >= poll_s:
            poll_s = now_s + POLL_S
            gc.collect(0)
    for one in shows:
        one.outputs.close()


def of_config(midi: Midi) -> Controls:
    """Return what moves what: the configuration's, the maps', and what was learned."""
    found = [(name, Controller(cc=bound) if isinstance(bound, int) else bound) for name, bound in midi.cc.items()]
    for path in (*map(map_path, midi.maps), midi.controllers):
        found += read(path)[0].values()
    return found


def _with_learned(controls: Controls, records: np.ndarray) -> Controls:
    for record in records:
        name, port, channel, key = (record[field] for field in ("id", "port", "channel", "control"))
        kind, _, number = key.decode().partition(" ")
        control = {kind: True if kind == "bend" else int(number), "channel": int(channel), "port": port.decode()}
        controls = [*controls, (name.decode(), Controller.model_validate(control))]
    return controls


class Shows:
    """One output, and what is shown over it."""

    def __init__(self, link: Link, name: str | int, make: ports.Make, tell: ports.Tell) -> None:
        self.outputs = ports.Outputs([name], make, tell)
        self.outputs.open()
        self.surface = Surface("")
        self._ring = link.writer("shown")
        self._connected: list[str] = []

    def poll(self) -> None:
        """See whether it was plugged in or out."""
        self.outputs.poll()
        if self.outputs.connected != self._connected:
            self._connected = self.outputs.connected
            self.surface.port = self._connected[0] if self._connected else ""
            self.surface.forget()

    def show(self, controls: Controls, live: Live, now_s: float) -> None:
        """Send what has changed."""
        if not self._connected:
            return
        for status, number, value in self.surface.show(controls, live, now_s):
            is_wheel = status & 0xF0 == 0xE0
            told = (0, value << 7 | number) if is_wheel else (number, value)
            self._ring.push((time.perf_counter_ns(), status, *told))
            self.outputs.send((status, number, value))

"""The MIDI outputs of the network's notes: those that take equally long share a thread, and each gets its tracks.

Runs on: audio process: built by the control thread, filled by the audio callback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from engine.core.contract import Card
from engine.core.midi import Midi
from engine.midi import ports
from engine.midi.loops import Loops
from engine.midi.output import MidiOutput, channels_of
from engine.midi.schedule import Event


class Outlets:
    """All of them: `put` gives each an event."""

    def __init__(
        self, card: Card, midi: Midi, make: ports.Make, tell: ports.Tell, clock: Callable[[], np.void | None], loops: Loops
    ) -> None:
        """`clock` returns the latest CLOCK record; `loops` is told of all that is sent."""
        only = only_of(card, midi)
        self.outputs: list[ports.Outputs] = []
        self._threads: list[MidiOutput] = []
        for latency_ms, names in by_latency(midi):
            outputs = ports.Outputs(names, make, tell, only)
            self.outputs.append(outputs)
            send = _sender(outputs, loops)
            self._threads.append(MidiOutput(card, clock, send, latency_ms, channels=midi.channels, thru=midi.thru))

    @property
    def runs(self) -> Iterable[Callable[[], None]]:
        """What is to run on a thread of its own, each until `stop`."""
        return [thread.run for thread in self._threads]

    @property
    def connected(self) -> list[str]:
        """Full names of what is open."""
        return [name for outputs in self.outputs for name in outputs.connected]

    def put(self, event: Event) -> None:
        """Take an event of the network, or of the player's. Any thread."""
        for thread in self._threads:
            thread.put(event)

    def stop(self) -> None:
        """End every note, and the threads."""
        for thread in self._threads:
            thread.stop()


def _sender(outputs: ports.Outputs, loops: Loops) -> Callable[[Sequence[int]], None]:
    def send(message: Sequence[int]) -> None:
        loops.tell(message, time.perf_counter_ns())
        outputs.send(message)

    return send


def by_latency(midi: Midi) -> list[tuple[float, list[str | int]]]:
    """Return the outputs by the time that they take: their instruments, and what was measured of the way there."""
    found: dict[float, list[str | int]] = {}
    for name in midi.outputs:
        found.setdefault(midi.output_latency_ms + midi.latency_ms(name), []).append(name)
    return list(found.items())


def only_of(card: Card, midi: Midi) -> dict[str, set[int]]:
    """Return the channels, from 0, that an output gets where it gets some tracks alone; "player" is what goes through."""
    channels = channels_of(card, midi.channels)
    of = {track.name: channels[number] for number, track in enumerate(card.tracks)}
    of |= {"player": midi.thru - 1} if midi.thru else {}
    return {port: {of[name] for name in names if name in of} for port, names in midi.only.items()}

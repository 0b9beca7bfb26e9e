"""Where the beat comes from: one file for each source.

Runs on: audio process, and the offline render.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, NamedTuple, Protocol

from engine.core.config import source_names
from engine.core.link import Ring, Writer
from engine.core.metre import Metre, of_code
from engine.core.parameters import Live, Parameter, choice, switch, trigger
from engine.transport.sample_clock import SampleClock

DECKS = ("master", "1", "2", "3", "4", "5", "6", "mixer")


class Reading(NamedTuple):
    """What a source answers for one moment."""

    tempo_bpm: float  # as it is counted: quarters a minute, dotted ones in 6/8 and the like (Metre.tempo_beat)
    numerator: int  # of the metre that is to be
    denominator: int
    locked: bool = True  # False: it has lost what it follows, and guesses
    beat: float | None = None  # where its own beat is; None: it has none, and the transport counts on
    playing: bool | None = None  # whether it plays; None: it neither starts nor stops anything
    until: float = math.inf  # the transport's beat at which it will answer otherwise, where it knows
    at_once: bool = False  # a change of tempo is not to wait for the next timestep
    groups: int = 0  # Metre.code
    begins: float | None = None  # frame at which bar 1 is to begin, where it has just begun to play and knows
    metre_from: float | None = None  # the transport's beat at which the metre begins, on a bar line or not; None: a bar line
    bar: float | None = None  # the transport's beat at which the source begins a bar; None: it has none, or does not know

    @property
    def metre(self) -> Metre:
        """The metre that is to be."""
        return of_code(self.numerator, self.denominator, self.groups)


FIELDS = Reading._fields  # in the order of which a tape has them


class Rings(Protocol):
    """The rings of a run, by their names."""

    def __getitem__(self, name: str, /) -> Ring: ...

    def writer(self, name: str, /) -> Writer: ...


class Source(Protocol):
    """Answers where the beat is. Called in the block loop: it waits for nothing, and leaves numpy alone.

    A file of this folder holds one, and `make(live, rate_hz, rings)` that builds it; `clock.source` names the file.
    """

    def take_parameters(self, frame: int) -> None:
        """A live parameter was changed or a trigger pulled; `frame` is the block's first."""
        ...

    def read(self, frame: float, beat: float, /) -> Reading:
        """Return its answer for a frame, at which the transport has come to `beat`."""
        ...

    def start(self) -> bool:
        """The beat is to begin; return whether this source says by itself when: it then answers `playing`."""
        ...


def parameters() -> list[Parameter]:
    """Return what can be turned of the sources while it plays."""
    return [
        choice(
            "clock.source",
            source_names(),
            "internal",
            "Where the beat comes from; follow: you; midi: a MIDI clock; link: Ableton Link; prodj: Pro DJ Link",
        ),
        choice("clock.deck", DECKS, "master", "Pro DJ Link: which deck leads; master: the tempo master, as far as it is known"),
        Parameter("clock.range", 0, 50, 20, "How far from the tempo it fell in at the band goes with you", "%"),
        Parameter("clock.strength", 0, 1, 1, "How quickly the band goes with you; 0: it keeps the tempo it fell in at"),
        Parameter("clock.patience", 0, 16, 4, "Bars it listens at most for your bar line before it falls in", kind="integer"),
        switch("clock.startstop", "Ableton Link: start and stop together with the others of the session"),
        trigger("clock.realign", "Ableton Link, Pro DJ Link: begin a bar 1 with the next bar line of the others"),
        trigger("clock.alone", "While it waits for your beat: begin at the set tempo"),
    ]


class Selected:
    """The source that the parameter `clock.source` names at the moment; another takes over at the tempo of the one before."""

    def __init__(self, live: Live, rate_hz: float, rings: Rings) -> None:
        self._live = live
        modules = [importlib.import_module(f"{__name__}.{name}") for name in source_names()]
        self._sources: list[Source] = [module.make(live, rate_hz, rings) for module in modules]
        self._listeners: list[Any] = [source for source in self._sources if hasattr(source, "hear")]
        self._chosen = int(live.get("clock.source"))
        self._tempo_bpm = live.get("tempo")  # as it was answered last

    def take_parameters(self, frame: int) -> None:
        """All of them hear of it: none obeys later what was meant for another."""
        chosen = int(self._live.get("clock.source"))
        if chosen != self._chosen:
            self._chosen = chosen
            self._live.set("tempo", round(self._tempo_bpm, 1))
        for source in self._sources:
            source.take_parameters(frame)

    def read(self, frame: float, beat: float) -> Reading:
        """Return what the chosen one answers."""
        reading = self._sources[self._chosen].read(frame, beat)
        self._tempo_bpm = reading.tempo_bpm
        return reading

    def hear(self, status: int, value: float, port: str, frame: float) -> None:
        """A message of a clock's came over a MIDI input, heard at a frame: for those that listen to such."""
        for source in self._listeners:
            source.hear(status, value, port, frame)

    def start(self) -> bool:
        """Ask the chosen one."""
        return self._sources[self._chosen].start()


class Lead:
    """Hands a source what another machine's clock says, for the frame that is heard as it comes."""

    def __init__(self, selected: Selected, clock: Ring) -> None:
        """`clock`: the ring of CLOCK records."""
        self._selected, self._clock = selected, clock

    def hear(self, status: int, value: float, port: str, time_ns: int, frame: int) -> None:
        """Take a message that came at a host time; 0: as the block that begins at `frame` is rendered."""
        record = self._clock.latest() if time_ns else None
        at = float(frame)
        if record is not None:
            at = SampleClock.of(record).frame_at(time_ns) - float(record["latency_frames"])
        self._selected.hear(status, value, port, at)

"""A transport in a block loop of its own, without sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.link import Values, Writer
from engine.core.messages import BLOCK, CLOCK, OUTSIDE, PLAYER_BEAT, TIMELINE
from engine.core.parameters import Live, Registry
from engine.transport.sources import Source, parameters
from engine.transport.sources.internal import InternalSource
from engine.transport.timeline import BeatTimeline
from engine.transport.transport import Transport

RATE = 48000
STEPS_PER_BEAT = 4


class Rings(dict[str, Writer]):
    """Rings by their names, each of which may be written."""

    def writer(self, name: str) -> Writer:
        """Return one."""
        return self[name]


def rings() -> Rings:
    """What sources read."""
    records = {"player_beat": PLAYER_BEAT, "clock": CLOCK, "ableton": OUTSIDE, "prodj": OUTSIDE, "midi_clock": OUTSIDE}
    return Rings({name: Writer(memoryview(bytearray(Writer.size(dtype, 8))), dtype, 8) for name, dtype in records.items()})


@dataclass
class Loop:
    """What the audio engine does around a transport, and all that was published and clicked."""

    source: Callable[[Live], Source] | None = None
    count_in: int = 1
    tempo: float = 120.0
    frame: int = 0
    clicks: list[tuple[int, bool, float]] = field(default_factory=list)  # block's first frame, downbeat, level
    stops: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        registry = Registry(["bass"], modes=parameters())
        self.live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
        self.live.reset_to_defaults()
        self.live.set("tempo", self.tempo)
        self.ring = Writer(memoryview(bytearray(Writer.size(TIMELINE, 4096))), TIMELINE, 4096)
        self.build()

    def build(self) -> None:
        """Begin anew on the same ring, as a process does in the place of one that died."""
        source = InternalSource(self.live, RATE) if self.source is None else self.source(self.live)
        self.transport = Transport(self.ring, self.live, source, RATE, STEPS_PER_BEAT, self.count_in)
        self.transport.on_click = lambda downbeat, level: self.clicks.append((self.frame, downbeat, level))
        self.transport.on_stop = self.stops.append
        self._numbers = b""

    def blocks(self, count: int = 1) -> None:
        """Render so many blocks."""
        for _ in range(count):
            if (numbers := bytes(self.live.values.bytes)) != self._numbers:
                self._numbers = numbers
                self.transport.take_parameters(self.frame)
            if self.transport.due < self.frame + BLOCK:
                self.transport.advance(self.frame, self.frame + BLOCK)
            self.frame += BLOCK

    def seconds(self, seconds: float) -> None:
        """Render at least so long."""
        self.blocks(-int(-seconds * RATE // BLOCK))

    def fire(self, command: str) -> None:
        """Pull a trigger, and render the block that sees it."""
        self.live.fire(f"transport.{command}")
        self.blocks()

    @property
    def line(self) -> BeatTimeline:
        """The newest line, as readers have it."""
        record = self.ring.latest()
        assert record is not None
        return BeatTimeline.of(record)

    @property
    def lines(self) -> list[BeatTimeline]:
        """Everything that was published."""
        return [BeatTimeline.of(record) for record in self.ring.reader(0).read()]

    @property
    def beat(self) -> float:
        """Where the beat is now."""
        return max(self.line.beat_at(self.frame), self.line.beat)

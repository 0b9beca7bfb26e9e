"""What one moment of the smooth tier looks like on the wire, for one kind of receiver.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.core.osc_section import SMOOTH_TIERS
from engine.core.osc_section import Target as TargetConfig
from engine.feed.schema import CHUNK, ROOT, TRAIL, Schema, Vector
from engine.feed.signals.addresses import TICK
from engine.feed.signals.signals import Signals
from engine.feed.signals.words import Word
from engine.net import osc

RAW = "/raw"  # in front of the path of a signal that is sent as it is
AGAIN_S = 2.0  # so often the words are said again, for who has come since


@dataclass(frozen=True, slots=True)
class SmoothSpec:
    """What a receiver wants of the smooth tier. Receivers with the same spec share one template."""

    rate_hz: float = 60.0
    tiers: tuple[str, ...] = ("smooth",)
    root: str = ROOT
    chunk: int = CHUNK
    signals: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    raw: bool = False
    presentation: bool = False  # timetag: when it is heard, instead of "immediately"

    @classmethod
    def of(cls, target: TargetConfig) -> SmoothSpec | None:
        """Return what a configured target wants of the smooth tier, None when it wants nothing of it."""
        tiers = tuple(tier for tier in target.tiers if tier in SMOOTH_TIERS)
        if not tiers:
            return None
        return cls(
            target.paced_hz,
            tiers,
            target.root,
            target.chunk,
            target.signals,
            target.layers,
            target.raw,
            target.timetag == "presentation",
        )


def moving(schema: Schema, signals: tuple[str, ...], layers: tuple[int, ...]) -> list[Vector]:
    """Return the vectors of layers that a target of the smooth vectors has: without signals each layer's summary alone."""
    if not signals:
        shown = {schema.summary_output(layer) for layer in schema.scalar_layers}
        found = [v for v in schema.vectors if v.output in shown and v.layer is not None]
        return [] if schema.large else [v for v in found if not layers or v.layer in layers]
    return [v for v in schema.vectors_for(signals, layers) if v.layer is not None]


class SmoothTemplate:
    """The datagrams of one spec, laid out once; `fill` copies the numbers in, `words` makes those of the music in words."""

    def __init__(self, signals: Signals, schema: Schema, spec: SmoothSpec) -> None:
        self.spec = spec
        self._signals = signals
        self.spans: tuple[slice, ...] = ()
        self._tick_head = osc.head(spec.root + TICK, "i")
        self._lay_out(list(self._elements(schema)))
        self._said: dict[str, Word] = {}
        self._again_s = -1e9
        self._changes = -1  # of the words, as they were looked at last

    def _elements(self, schema: Schema) -> Iterator[tuple[bytes, int, int]]:
        """Yield (head, first, end) of each message, `first` and `end` counted in the signals' numbers."""
        spec, signals, catalogue = self.spec, self._signals, self._signals.catalogue
        root, count = spec.root, len(catalogue)
        for message in catalogue.messages:
            if message.tier in spec.tiers:
                first, end = message.first, message.first + message.count
                tags = "f" * message.count
                yield osc.head(root + message.path, tags), first, end
                if spec.raw and catalogue.signals[first].ranged:
                    yield osc.head(root + RAW + message.path, tags), count + first, count + end
        if "smooth_vectors" not in spec.tiers:
            return
        if not spec.signals or TRAIL in spec.signals:
            for trail in catalogue.trails:
                at = signals.at_trails + trail.first
                for number, first in enumerate(range(0, trail.count, spec.chunk)):
                    end = min(first + spec.chunk, trail.count)
                    yield osc.head(f"{root}{trail.path}/{number:03}", "f" * (end - first)), at + first, at + end
        spans = []
        for vector in moving(schema, spec.signals, spec.layers):
            spans.append(slice(vector.start, vector.start + vector.size))
            for path, first, end in vector.chunks(spec.chunk):
                yield osc.head(f"{root}/smooth{path}", "f" * (end - first)), signals.at_steps + first, signals.at_steps + end
        self.spans = tuple(spans)

    def _lay_out(self, elements: list[tuple[bytes, int, int]]) -> None:
        lead = osc.BUNDLE + osc.IMMEDIATELY + struct.pack(">i", len(self._tick_head) + 4) + self._tick_head
        data = bytearray()
        bounds: list[int] = []
        floats: list[np.ndarray] = []  # places in `data`, in fours
        numbers: list[np.ndarray] = []  # what comes there
        self._ticks: list[int] = []
        for head, first, end in elements:
            size = 4 + len(head) + 4 * (end - first)
            if not bounds or len(data) - bounds[-1] + size > osc.DATAGRAM:
                bounds.append(len(data))
                data += lead
                self._ticks.append(len(data))
                data += bytes(4)
            data += struct.pack(">i", size - 4) + head
            floats.append(len(data) // 4 + np.arange(end - first))
            numbers.append(np.arange(first, end))
            data += bytes(4 * (end - first))
        view = memoryview(data)
        self.datagrams = [view[a:b].toreadonly() for a, b in pairwise([*bounds, len(data)])]
        self._view = view
        self._timetags = [a + 8 for a in bounds] if self.spec.presentation else []
        self._wire = np.frombuffer(data, ">f4")
        self._floats = np.concatenate([*floats, np.zeros(0, np.intp)])
        self._numbers = np.concatenate([*numbers, np.zeros(0, np.intp)])

    def fill(self, tick: int, heard_unix_ns: int = 0) -> None:
        """Bring `datagrams` up to the signals' moment."""
        number = struct.pack(">i", tick & 0x7FFFFFFF)
        for at in self._ticks:
            self._view[at : at + 4] = number
        if len(self._floats):
            self._wire[self._floats] = self._signals.numbers[self._numbers]
        for at in self._timetags:
            self._view[at : at + 8] = osc.timetag(heard_unix_ns)

    def words(self, now_s: float, heard_unix_ns: int = 0) -> list[bytes]:
        """Return the datagrams that say what is otherwise now; now and then all of it."""
        if "music" not in self.spec.tiers:
            return []
        words = self._signals.words
        values = words.values
        if words.changes == self._changes and now_s - self._again_s < AGAIN_S:
            return []
        self._changes = words.changes
        if now_s - self._again_s >= AGAIN_S:
            self._again_s = now_s
            self._said = {}
        changed = {path: word for path, word in values.items() if word and self._said.get(path) != word}
        if not changed:
            return []
        self._said |= changed
        tag = osc.timetag(heard_unix_ns) if self.spec.presentation else osc.IMMEDIATELY
        return [osc.bundle([osc.message(self.spec.root + path, *word) for path, word in changed.items()], tag)]

"""The encoder: what one timestep looks like on the wire.

Runs on: feed process, or the caller of the offline render and of replay. The encoder turns a step record into numbers once;
each template lays out the datagrams of one kind of receiver once, and then only has the numbers copied in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.core.contract import HOLD, PLAY
from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER
from engine.core.metre import of_record
from engine.feed.schema import BEAT, CHORDS, CHUNK, FRAME, FUTURE, PLAYER_NOTE, ROOT, SCENE_COMING, SCENE_NOW, Schema, Vector
from engine.jam.chords import of_code
from engine.net import osc

UDP = 65507  # largest payload of any UDP datagram
_BARS = 2**31 - 2  # as many as can be told
_BITS = 8.0  # this entropy is shown as one half
_CLOSE = 1e-6  # of a beat
_TINY = 1e-7  # keeps the logarithm finite; far below what a float32 probability near 1 can tell


class Encoder:
    """The numbers of the step that sounded last: `values` (schema.size,) float32, scalars first; and its `beat`."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        card = schema.card
        self.values = np.zeros(schema.size, np.float32)
        self._beat = np.zeros(4, ">i4")  # bar, beat, numerator, denominator
        self._sent = np.zeros(4 * (schema.size + len(self._beat)), np.uint8)  # as OSC sends it; templates copy from here
        self.wire = self._sent[: 4 * schema.size].view(">f4")
        self.step = self.frame = 0  # number of the step, and where it sounds
        self._note = (0.0, 0.0)  # pitch and velocity of the network's newest note, 0..1
        acts = [v for v in schema.vectors if v.layer is not None]
        self._fields = [(v.output, self.values[v.start : v.start + v.size].reshape(v.shape)) for v in acts]
        self._acts = _spans(self.values, acts)
        self._cells = _spans(self.values, [v for v in acts if v.signal == "c" and schema.cells == "tanh"])
        slots = card.slots
        out = schema.size - 3 * slots
        self._probability, self._hold, self._notes = (self.values[out + n * slots : out + (n + 1) * slots] for n in range(3))
        self._tracks = np.cumsum([0, *(len(t.pitches) for t in card.tracks)])[:-1]
        self._lay_out_layers()

    def _lay_out_layers(self) -> None:
        """Gather where the vectors lie that sum up the layers."""
        by_output = {v.output: v for v in self.schema.vectors if v.layer is not None}
        shown = [by_output[self.schema.summary_output(layer)] for layer in self.schema.scalar_layers]
        places = [np.arange(v.start, v.start + v.size) for v in shown]
        sizes = np.array([v.size for v in shown], np.intp)
        scales = [1 / max(abs(v.minimum), abs(v.maximum), 1e-30) for v in shown]
        self._shown = np.concatenate([*places, np.zeros(0, np.intp)])
        self._scale = np.repeat(np.array(scales, np.float32), sizes)
        self._layer_sizes = sizes.astype(np.float32)
        self._layer_starts = np.cumsum(sizes) - sizes
        self._before: np.ndarray | None = None

    def reset(self) -> None:
        """Forget the steps and notes before: the next one is as the first."""
        self._before = None
        self._note = (0.0, 0.0)

    def hear(self, events: np.ndarray) -> None:
        """Take EVENT records of what sounded."""
        network = events[(events["kind"] == NOTE_ON) & (events["track"] != PLAYER)]
        if len(network):
            newest = network[-1]
            self._note = (float(newest["pitch"]) / 127, float(newest["velocity"]) / 127)

    def take(self, record: np.void) -> None:
        """Take one step record: `values` and `wire` then hold its numbers."""
        self.step, self.frame = int(record["step"]), int(record["frame"])
        for name, place in self._fields:
            place[...] = record[name]
        if self.schema.large:  # as they are recorded
            for acts in self._acts:
                acts[:] = acts.astype(np.float16)
        for cells in self._cells:
            np.tanh(cells, out=cells)
        probability, notes = record["probability"], record["notes"]
        self._probability[:] = probability[:, PLAY]
        self._hold[:] = probability[:, HOLD]
        np.subtract(notes[:, PLAY], np.float32(0.5) * notes[:, HOLD], out=self._notes)
        if not np.isfinite(np.add.reduce(self.values)):  # a network gone wild must not crash who looks at it
            np.nan_to_num(self.values, copy=False)
        self._sum_up(record)
        self.wire[:] = self.values
        self._sent[4 * self.schema.size :] = self._beat.view(np.uint8)

    @property
    def beat(self) -> list[int]:
        """Bar and beat of the bar from 1, numerator and denominator of the metre."""
        found: list[int] = self._beat.tolist()
        return found

    @property
    def sent(self) -> memoryview:
        """All numbers as they are sent: `values`, then `beat`."""
        return self._sent.data

    def _sum_up(self, record: np.void) -> None:
        """Fill the scalars, in the order of the schema."""
        metre = of_record(record)
        bar, into = divmod(float(record["beat"]), metre.bar)
        beat = into / metre.beat
        self._beat[:] = int(min(max(bar, -_BARS), _BARS)) + 1, int(beat + _CLOSE) + 1, metre.numerator, metre.denominator
        free = 1 - record["clamped"].astype(np.float32)
        p = np.clip(self._probability, _TINY, 1 - _TINY)
        bits = max(-float(np.dot(free, p * np.log2(p) + (1 - p) * np.log2(1 - p))), 0.0)
        chosen = free * (self._notes > 0)
        count = float(np.add.reduce(chosen))
        confidence = float(np.dot(chosen, self._probability)) / count if count else 0.0
        onset = np.maximum.reduceat(self._notes == 1.0, self._tracks)
        scalars = [beat % 1, into / metre.bar, bits / (bits + _BITS), confidence, *self._note]
        self.values[: len(scalars)] = scalars
        first_onset = len(scalars) + 3 * len(self._layer_sizes)
        if len(self._layer_sizes):
            self.values[len(scalars) : first_onset] = self._layers().ravel()
        self.values[first_onset : len(self.schema.scalars)] = onset[: len(self.schema.scalar_tracks)]

    def _layers(self) -> np.ndarray:
        """Mean, largest and movement of each layer, (layers, 3), 0..1."""
        starts, sizes = self._layer_starts, self._layer_sizes
        now = self.values[self._shown] * self._scale
        before = now if self._before is None else self._before
        size = np.abs(now)
        out = np.empty((len(starts), 3), np.float32)
        out[:, 0] = np.add.reduceat(size, starts) / sizes
        out[:, 1] = np.maximum.reduceat(size, starts)
        out[:, 2] = np.add.reduceat(np.abs(now - before), starts) / (2 * sizes)
        self._before = now
        return np.clip(out, 0, 1)


def _spans(values: np.ndarray, vectors: Sequence[Vector]) -> list[np.ndarray]:
    """Return where vectors lie in `values`, neighbours as one: a NumPy call costs more than the numbers it works on."""
    bounds: list[tuple[int, int]] = []
    for v in sorted(vectors, key=lambda v: v.start):
        first = bounds.pop()[0] if bounds and bounds[-1][1] == v.start else v.start
        bounds.append((first, v.start + v.size))
    return [values[first:end] for first, end in bounds]


@dataclass(frozen=True)
class SubscriptionSpec:
    """What a receiver wants. Receivers with the same spec share one template."""

    root: str = ROOT
    chunk: int = CHUNK
    tiers: tuple[str, ...] = ("scalars", "vectors")
    signals: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    presentation: bool = False  # timetag: when the step is heard, instead of "immediately"


class PacketTemplate:
    """The datagrams of one spec, laid out once; `fill` copies the encoder's numbers in, `notes` makes those of notes.

    Raises ValueError when the spec cannot be met.
    """

    def __init__(self, encoder: Encoder, spec: SubscriptionSpec) -> None:
        self.spec = spec
        self._encoder = encoder
        schema = encoder.schema
        self._frame_head = osc.head(spec.root + FRAME, "i")
        elements: list[tuple[bytes, int, int]] = []
        if "scalars" in spec.tiers:
            elements.append((osc.head(spec.root + BEAT, "iiii"), schema.size, schema.size + 4))
            elements += [(osc.head(spec.root + s.path, "f"), n, n + 1) for n, s in enumerate(schema.scalars)]
        scalars = len(elements)
        if "vectors" in spec.tiers:
            for vector in schema.vectors_for(spec.signals, spec.layers):
                elements += [
                    (osc.head(spec.root + path, "f" * (end - first)), first, end)
                    for path, first, end in vector.chunks(spec.chunk)
                ]
        limit = self._futures_limit = self._limit(elements)
        groups = _packed(elements[:scalars], limit) + _packed(elements[scalars:], limit)
        self._lay_out(groups)
        self._notes_limit = osc.DATAGRAM - 16
        self._note_heads = {n: osc.head(spec.root + path, "ii") for n, path in enumerate(schema.track_notes())}
        self._note_heads[PLAYER] = osc.head(spec.root + PLAYER_NOTE, "ii")

    def _limit(self, elements: Sequence[tuple[bytes, int, int]]) -> int:
        """Bytes that the elements of one datagram may take: as many as pass everywhere, or one chunk where that is larger."""
        lead = len(osc.BUNDLE) + 8 + 4 + len(self._frame_head) + 4
        largest = max((_size(e) for e in elements), default=0)
        limit = max(osc.DATAGRAM - lead, largest)
        if self.spec.chunk <= CHUNK and limit + lead > osc.DATAGRAM:
            raise ValueError(f"root {self.spec.root!r} is too long: {CHUNK} floats with it pass {osc.DATAGRAM} bytes")
        if limit + lead > UDP:
            raise ValueError(f"chunk {self.spec.chunk} does not fit a datagram of {UDP} bytes")
        return limit

    def _lay_out(self, groups: list[list[tuple[bytes, int, int]]]) -> None:
        data = bytearray()
        marks: list[tuple[int, int, int]] = []  # place in `data`, first and end in the encoder's values
        frames: list[int] = []
        ends: list[int] = []
        for group in groups:
            data += osc.BUNDLE + osc.IMMEDIATELY + struct.pack(">i", len(self._frame_head) + 4) + self._frame_head
            frames.append(len(data))
            data += bytes(4)
            for head, first, end in group:
                data += struct.pack(">i", len(head) + 4 * (end - first)) + head
                marks.append((len(data), first, end))
                data += bytes(4 * (end - first))
            ends.append(len(data))
        view, wire = memoryview(data), self._encoder.sent
        begins = [0, *ends][:-1]
        self.datagrams = [view[a:b].toreadonly() for a, b in zip(begins, ends, strict=True)]
        self._frames = [view[at : at + 4] for at in frames]
        self._timetags = [view[a + 8 : a + 16] for a in begins] if self.spec.presentation else []
        self._copies = [(view[at : at + 4 * (e - s)], wire[4 * s : 4 * e]) for at, s, e in marks]

    def fill(self, heard_unix_ns: int = 0) -> None:
        """Bring `datagrams` up to the encoder's step, which is heard at this wall-clock time."""
        frame = struct.pack(">i", _i32(self._encoder.step))
        for place in self._frames:
            place[:] = frame
        for place, numbers in self._copies:
            place[:] = numbers
        if self._timetags:
            self._stamp(heard_unix_ns)

    def _stamp(self, heard_unix_ns: int) -> None:
        tag = osc.timetag(heard_unix_ns)
        for place in self._timetags:
            place[:] = tag

    def futures(self, record: np.void, heard_unix_ns: int = 0) -> list[bytes]:
        """Return the datagrams that tell what may follow a step."""
        if "vectors" not in self.spec.tiers or (self.spec.signals and FUTURE not in self.spec.signals):
            return []
        tag = osc.timetag(heard_unix_ns) if self.spec.presentation else osc.IMMEDIATELY
        lead = self._frame_head + struct.pack(">i", _i32(int(record["step"])))
        notes = (record["notes"] * np.float32(0.5)).astype(">f4")
        messages = []
        for future in range(int(record["count"])):
            for path, slots in self._encoder.schema.futures(future):
                numbers = notes[future, :, slots].tobytes()
                for at in range(0, len(numbers), 4 * self.spec.chunk):
                    part = numbers[at : at + 4 * self.spec.chunk]
                    address = f"{self.spec.root}{path}/{at // (4 * self.spec.chunk):03}"
                    messages.append(osc.head(address, "f" * (len(part) // 4)) + part)
        groups = _packed([(m, 0, 0) for m in messages], self._futures_limit)
        return [osc.bundle([lead, *(message for message, _, _ in group)], tag) for group in groups]

    def notes(self, events: np.ndarray, heard_unix_ns: int = 0) -> list[bytes]:
        """Return the datagrams that tell which notes began and ended; EVENT records of other kinds tell nothing."""
        if not {"scalars", "music"} & set(self.spec.tiers):
            return []
        tag = osc.timetag(heard_unix_ns) if self.spec.presentation else osc.IMMEDIATELY
        out: list[bytes] = []
        messages: list[bytes] = []
        size = 0
        for message in self._note_messages(events):
            if size + 4 + len(message) > self._notes_limit:
                out.append(osc.bundle(messages, tag))
                messages, size = [], 0
            messages.append(message)
            size += 4 + len(message)
        return [*out, osc.bundle(messages, tag)] if messages else out

    def scenes(self, now: tuple[int, str], coming: tuple[int, str, float]) -> list[bytes]:
        """Return the datagram that tells which scene plays, and which is to come."""
        if "scalars" not in self.spec.tiers:
            return []
        told = ((SCENE_NOW, now), (SCENE_COMING, coming))
        return [osc.bundle([osc.message(self.spec.root + path, *arguments) for path, arguments in told])]

    def _note_messages(self, events: np.ndarray) -> Iterable[bytes]:
        for event in events:
            kind, track = int(event["kind"]), int(event["track"])
            if kind in (NOTE_ON, NOTE_OFF) and track in self._note_heads and "scalars" in self.spec.tiers:
                velocity = int(event["velocity"]) if kind == NOTE_ON else 0
                yield self._note_heads[track] + struct.pack(">ii", int(event["pitch"]), velocity)
            elif kind in CHORDS:
                yield osc.message(self.spec.root + CHORDS[kind], *told_of_chord(event))


def told_of_chord(event: np.void) -> tuple[str, int, int]:
    """Name, root and tones of the chord that an EVENT tells of, as the feed has them; an empty name where none is known."""
    chord = of_code(int(event["pitch"]), int(event["velocity"]))
    return ("", -1, 0) if chord is None else (chord.name, chord.root, sum(1 << tone for tone in chord.tones))


def _i32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def _size(element: tuple[bytes, int, int]) -> int:
    head, first, end = element
    return 4 + len(head) + 4 * (end - first)


def _packed(elements: Sequence[tuple[bytes, int, int]], limit: int) -> list[list[tuple[bytes, int, int]]]:
    """Put elements into as few datagrams as first-fit finds: each goes into the first that has room."""
    groups: list[list[tuple[bytes, int, int]]] = []
    rooms: list[int] = []
    open_from = 0  # groups before this one are full
    for element in elements:
        size = _size(element)
        for n in range(open_from, len(groups)):
            if rooms[n] >= size:
                break
        else:
            n = len(groups)
            groups.append([])
            rooms.append(limit)
        groups[n].append(element)
        rooms[n] -= size
        while open_from < len(groups) and rooms[open_from] < 40:
            open_from += 1
    return groups

"""What connects the processes: rings of fixed-size records and a table of parameter values, in one shared segment.

Runs on: every process. Which rings there are, and the one process that writes each, stands in CHANNELS; any process may read
any ring. A ring never blocks: its writer overwrites the oldest record, a reader that was too slow is told how many it lost. The
latest record of a ring is also how a value is published. The same classes work on private memory, so that the offline render
runs the very code of the stage.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from engine.core import messages
from engine.core.care import SPARED
from engine.core.contract import Card
from engine.core.roles import HOSTS, PROCESSES, SUPERVISOR
from engine.core.segment import Segment, make
from engine.core.values import Values

_CODES = {"|i1": "b", "|u1": "B", "<i4": "i", "<u4": "I", "<i8": "q", "<u8": "Q", "<f4": "f", "<f8": "d"}
_HEADER = 64  # bytes before the first record: the count, alone on its cache line


class Ring:
    """Records of `dtype`, for reading: whoever holds a ring cannot write to its memory. Many may read one."""

    def __init__(self, memory: memoryview, dtype: np.dtype, capacity: int) -> None:
        memory = self._allowed(memory)
        self._count = memory[:8].cast("Q")
        self._bytes = memory[_HEADER:]
        self._records = np.frombuffer(memory, dtype, capacity, offset=_HEADER)
        self._packed = _packed(dtype)
        self.dtype = dtype
        self.capacity = capacity
        self.spare = 0  # of the oldest records so many are left alone by who reads what was held for him

    @staticmethod
    def _allowed(memory: memoryview) -> memoryview:
        return memory.toreadonly()

    @staticmethod
    def size(dtype: np.dtype, capacity: int) -> int:
        """Bytes one ring takes, rounded up to whole cache lines."""
        return _HEADER + -(-dtype.itemsize * capacity // 64) * 64

    @property
    def count(self) -> int:
        """Records written so far, as far as the reader is to know."""
        return self._count[0]

    def latest(self) -> np.void | None:
        """Return a copy of the newest record, or None when there is none."""
        while True:
            count = self.count
            if count == 0:
                return None
            record: np.void = self._records[(count - 1) % self.capacity].copy()
            if self.count - count < self.capacity - 1:  # not lapped while copying
                return record

    def numbers(self) -> tuple[Any, ...] | None:
        """Return the newest record's fields, without numpy (see Writer); None when there is none. One number or string each."""
        assert self._packed is not None
        while True:
            count = self.count
            if count == 0:
                return None
            found = self._packed.unpack_from(self._bytes, (count - 1) % self.capacity * self.dtype.itemsize)
            if self.count - count < self.capacity - 1:  # not lapped while copying
                return found

    def reader(self, start: int | None = None) -> Reader:
        """Return a reader that begins at record number `start` (None: with the next one written)."""
        return Reader(self, self.count if start is None else start)


class Writer(Ring):
    """A ring for its one writer: one thread of one process.

    Whatever each block does stays clear of numpy, whose paths through the processor's caches are long: after a millisecond's
    sleep they are cold, and a call takes 20 us instead of 2.
    """

    @staticmethod
    def _allowed(memory: memoryview) -> memoryview:
        return memory

    def push(self, record: Any) -> None:
        """Write one record: a tuple in field order, or a numpy void of this dtype."""
        slot = self._count[0] % self.capacity
        if self._packed is not None and type(record) is tuple:
            self._packed.pack_into(self._bytes, slot * self.dtype.itemsize, *record)
        else:
            self._records[slot] = record
        self._count[0] += 1  # only now can a reader see it

    def push_bytes(self, *fields: bytes | memoryview) -> None:
        """Write one record, given as the bytes of its fields one after the other."""
        at = self._count[0] % self.capacity * self.dtype.itemsize
        for field in fields:
            end = at + len(field)
            self._bytes[at:end] = field
            at = end
        self._count[0] += 1

    def slot(self) -> np.void:
        """Return the record to be written next, for filling field by field; `advance()` publishes it."""
        record: np.void = self._records[self._count[0] % self.capacity]
        return record

    def advance(self) -> None:
        """Publish the record that `slot()` returned."""
        self._count[0] += 1


def _packed(dtype: np.dtype) -> struct.Struct | None:
    """Return what packs a tuple into a record of this dtype; None where a field is more than one number or string."""
    kinds = [field[0] for field in (dtype.fields or {}).values()]
    codes = [f"{kind.itemsize}s" if kind.kind == "S" else _CODES.get(kind.str, "") for kind in kinds]
    packed = struct.Struct("<" + "".join(codes))
    return packed if all(codes) and packed.size == dtype.itemsize else None


class Reader:
    """A position in a ring. Owned by one thread."""

    def __init__(self, ring: Ring, position: int) -> None:
        self._ring = ring
        self.position = position
        self.lost = 0

    def is_behind(self) -> bool:
        """Whether there is something to read."""
        return self._ring.count != self.position

    def upcoming(self, name: str) -> Any:
        """Return a field of the record that is to be read next, which there must be."""
        return self._ring._records[self.position % self._ring.capacity][name]

    def read(self, most: int | None = None) -> np.ndarray:
        """Return copies of what was written since the last call, oldest first, (n,); `lost` counts what was overwritten."""
        ring = self._ring
        count = ring.count
        oldest = count - ring.capacity + 1 + ring.spare  # the slot after the newest may be half written
        if self.position < oldest:
            self.lost += oldest - self.position
            self.position = oldest
        end = count if most is None else min(count, self.position + most)
        if end <= self.position:
            return ring._records[:0]
        first, last = self.position % ring.capacity, (end - 1) % ring.capacity
        if first <= last:
            records = ring._records[first : last + 1].copy()
        else:
            records = np.concatenate((ring._records[first:], ring._records[: last + 1]))
        overrun = ring._count[0] - ring.capacity + 1 - self.position
        self.position = end
        if overrun > 0:  # lapped while copying: those at the front may be torn
            self.lost += min(overrun, len(records))
            records = records[overrun:]
        return records


Record = np.dtype | Callable[[Card], np.dtype]  # as it is, or made for a network


@dataclass(frozen=True, slots=True)
class Channel:
    """A ring that every run has: who may write it, the record it carries, how many it holds."""

    name: str
    writer: str  # name of a process
    record: Record
    capacity: int | Callable[[int], int]  # records, or what tells it of a record's size in bytes
    of_harmony: bool = False  # there only where a second network chooses the chords, and made for that
    of_stems: bool = False  # there only where the configuration asks for stems
    of_network: bool = False  # each network has one, those behind the first with a number: "steps.1"
    of_buses: bool = False  # there only on the stage, where there are no stems


STEPS_BYTES, MOST_STEPS, LEAST_STEPS = 32_000_000, 256, 8  # of the ring of timesteps: a page that opens shows 16 bars


def _steps(size: int) -> int:
    """What a page shows of the past, which is also ten seconds for a reader that was restarted; of a large network less."""
    return int(np.clip(STEPS_BYTES // size, LEAST_STEPS, MOST_STEPS))


# What crosses a process boundary. Everyone may read each of these.
CHANNELS = (
    Channel("events", "audio", messages.EVENT, 8192),  # every note that began or ended to sound, the player's and the network's
    Channel("wave", "audio", messages.wave_dtype(), 8192),  # the blocks as they went to the device: 11 s at 48 kHz
    Channel("stems", "audio", messages.stems_dtype, 3072, of_stems=True),  # each bus of the mixer by itself: 4 s
    Channel("returns", "audio", messages.RETURNED, 3072, of_stems=True),  # what comes back of the sends
    Channel("buses", "audio", messages.stems_dtype, 256, of_buses=True),  # ... while somebody measures them: 0.3 s
    Channel("late", "audio", messages.LATENESS, 64),  # how much later than its notes the sound of the stems is
    Channel("timeline", "audio", messages.TIMELINE, 256),  # the beat as a line over the sample clock
    Channel("learned", "audio", messages.LEARNED, 8),  # a MIDI control that moves a parameter now
    Channel("switched", "audio", messages.SWITCHED, 8),  # what became of a scene
    Channel("takeover", "audio", messages.TAKEOVER, 256),  # where MIDI controls stand
    Channel("rack", "audio", messages.RACK, 4),  # what stands in the rack
    Channel("hosts", "audio", messages.HOSTS_WANTED, 8),  # which processes it wants for its plugins
    Channel("clock", "audio", messages.CLOCK, 8),  # the sample clock as a line over host time, and the audio counters
    # Notes to sound, stamped with their frame; what comes again for its timestep replaces what came for it before.
    Channel("notes", "network", messages.EVENT, 4096),
    Channel("steps", "network", messages.step_dtype, _steps, of_network=True),  # timesteps as chosen
    Channel("playing", "network", messages.PLAYING, 8),  # which network plays, where there are several
    Channel("succeeded", "network", messages.SUCCEEDED, 8),  # what became of it
    Channel("futures", "network", messages.futures_dtype, 8, of_network=True),  # what might follow a timestep
    Channel("player_beat", "network", messages.PLAYER_BEAT, 8),  # where the player's own beat is, as it is heard
    Channel("ableton", "ableton", messages.OUTSIDE, 8),  # where the beat of the Ableton Link session is
    Channel("prodj", "prodj", messages.OUTSIDE, 8),  # ... that of the players in a Pro DJ Link network
    Channel("midi_clock", "audio", messages.OUTSIDE, 8),  # ... that of a MIDI clock
    Channel("yields", "network", messages.YIELDS, 8),  # what falls silent with the player's next note
    Channel("network", "network", messages.NETWORK_STATS, 8),
    Channel("chart", "network", messages.CHART, 8),  # the chart that is played by
    Channel("chords", "network", messages.CHORDS, 64),  # what is heard, expected and played
    Channel("harmony", "network", messages.harmony_dtype, 8, of_harmony=True),  # what the chords go on from
    # What the two took in from outside, for the take to be played once more (core/tape.py).
    Channel("tape.audio", "audio", messages.TAKEN, 32768),
    Channel("tape.network", "network", messages.TAKEN, 32768),
    Channel("feed", "feed", messages.FEED_STATS, 8),
    Channel("switches", SUPERVISOR, messages.SWITCH, 4),  # the scene that is to play
    Channel("scenes", SUPERVISOR, messages.SCENES, 4),  # the set, and where in it the jam is
    Channel("charts", "feed", messages.CHART, 8),  # a chart that somebody typed
    Channel("learn", "feed", messages.LEARN, 8),  # the parameter that waits for a MIDI control
    Channel("shown", "surface", messages.SHOWN, 1024),  # what devices with lights and motors were shown
    Channel("rack_orders", "feed", messages.RACK_ORDER, 32),  # what the page changes in the rack
    Channel("keys", "feed", messages.KEY, 1024),  # MIDI from the page's pianos, as bytes of a keyboard
    Channel("booth", "booth", messages.DUE, 1024),  # what visitors drew, at its frames
    Channel("bred", "booth", messages.SUCCESSOR, 8),  # a network that is to play from the next bar line on
    Channel("receivers", "feed", messages.RECEIVERS, 4),  # who asked for the smooth tiers
    Channel("wanted", "signals", messages.WANTED, 8),  # written where it changes: odd numbers of records mean that it is
    Channel("signals", "signals", messages.signals_dtype, 64),  # the numbers of the smooth tiers, while somebody looks
    *(Channel(name, "signals", of, 8) for name, of in (("words", messages.WORDS), ("signals_stats", messages.SIGNALS_STATS))),
    Channel("devices", "audio", messages.DEVICES, 8),
    *(Channel(f"alive.{process}", process, messages.ALIVE, 2) for process in PROCESSES),  # each time round its loop
    Channel("care", SUPERVISOR, messages.CARE, 8),  # how each process is
    Channel("spared", SUPERVISOR, messages.SPARED, 8),  # what is done without while the machine is short of time
    # One line for a person from each process; the supervisor shows them, and says what it has to say itself to who looks in.
    *(Channel(f"notices.{process}", process, messages.NOTICE, 256) for process in (*PROCESSES, SUPERVISOR)),
)
WRITERS = {channel.name: channel.writer for channel in CHANNELS}
DECLARES = "audio"  # the one process that says which parameters there are beside the fixed ones; any process sets values


@dataclass(frozen=True)
class Layout:
    """Which channels there are and how large: the same in every process of a run."""

    rings: tuple[tuple[str, np.dtype, int], ...]
    parameters: int
    exchange: int = 0  # bytes that the audio process shares with each process that hosts plugins

    @classmethod
    def of(
        cls,
        card: Card,
        parameters: int,
        harmony: Card | None = None,
        stems: bool = False,
        exchange: int = 0,
        networks: Sequence[Card] = (),
        stage: bool = False,
    ) -> Layout:
        """Return the layout for a network and a number of parameters. `networks`: where there are several, each of them.

        `harmony`: the network that chooses the chords, where one does. `stems`: each bus is recorded by itself too.
        `exchange`: bytes for the sound of plugins, of each process that hosts some. `stage`: what sounds is measured.
        """
        rings = []
        for channel in CHANNELS:
            cards = networks if channel.of_network and networks else [harmony if channel.of_harmony else card]
            for number, of in enumerate(cards):
                if of is None or (channel.of_stems and not stems) or (channel.of_buses and (stems or not stage)):
                    continue
                record = channel.record if isinstance(channel.record, np.dtype) else channel.record(of)
                # What several have takes no more memory than that of one.
                size = record.itemsize * len(cards)
                capacity = channel.capacity if isinstance(channel.capacity, int) else channel.capacity(size)
                rings.append((f"{channel.name}.{number}" if number else channel.name, record, capacity))
        return cls(tuple(rings), parameters, exchange)

    def size(self) -> int:
        """Bytes of the whole segment."""
        rings = sum(Ring.size(dtype, capacity) for _, dtype, capacity in self.rings)
        return Values.size(self.parameters) + rings + HOSTS * self.exchange


class Link:
    """The channels of a run as one process sees them: `link["events"]` to read, `link.writer("notes")` to write, `link.values`.

    A process is handed the link with the channels that the table gives it, and no way to write to another.
    """

    def __init__(
        self, layout: Layout, memory: memoryview, segment: SharedMemory | None = None, process: str | None = None
    ) -> None:
        """`process`: whose view it is; None for one process that is all of them."""
        self.layout = layout
        self._memory = memory
        self._segment = segment
        self._shared_as = ""  # of a view: name of the segment that another holds
        at = Values.size(layout.parameters)
        self.values = Values(memory[:at], layout.parameters, declares=process in (None, DECLARES))
        self._rings: dict[str, Ring] = {}
        self._writers: dict[str, Writer] = {}
        for name, dtype, capacity in layout.rings:
            place = memory[at : at + Ring.size(dtype, capacity)]
            self._rings[name] = Ring(place, dtype, capacity)
            if process is None or process == WRITERS.get(name, WRITERS.get(name.rpartition(".")[0])):
                self._writers[name] = Writer(place, dtype, capacity)
            at += len(place)
        self._exchanges = at

    @classmethod
    def create(cls, layout: Layout) -> Link:
        """Make a shared segment: the supervisor, who unlinks it in `close`. Raises SharedMemoryError."""
        segment = make(layout.size())
        assert segment.buf is not None
        return cls(layout, segment.buf, segment, SUPERVISOR)

    @classmethod
    def attach(cls, layout: Layout, name: str, process: str) -> Link:
        """Return this process's view of the segment of this name, made by `create` with the same layout."""
        segment = Segment(name=name)
        assert segment.buf is not None
        return cls(layout, segment.buf, segment, process)

    @classmethod
    def private(cls, layout: Layout) -> Link:
        """Return channels in this process's own memory, which may write them all (offline render, replay, tests)."""
        return cls(layout, memoryview(bytearray(layout.size())))

    def view(self, process: str) -> Link:
        """Return the same channels with what this process may write."""
        found = Link(self.layout, self._memory, None, process)
        found._shared_as = self.name
        return found

    @property
    def name(self) -> str:
        """Name to attach by; empty for private memory."""
        return self._segment.name if self._segment else self._shared_as

    @property
    def writes(self) -> tuple[str, ...]:
        """Names of the rings that may be written here."""
        return tuple(self._writers)

    def __contains__(self, name: str) -> bool:
        return name in self._rings

    def __getitem__(self, name: str) -> Ring:
        return self._rings[name]

    def writer(self, name: str) -> Writer:
        """Return a ring to write to. Raises KeyError where that is another process's."""
        return self._writers[name]

    def exchange(self, host: int) -> memoryview:
        """Return what the audio process and the host process of this number share for the sound of plugins."""
        begin = self._exchanges + host * self.layout.exchange
        return self._memory[begin : begin + self.layout.exchange]

    def notice(self, process: str, level: int, text: str) -> None:
        """Tell the person at the terminal one line; called by the one thread of `process` that speaks."""
        self.writer(f"notices.{process}").push((time.perf_counter_ns(), level, messages.noticed(text)))

    def beat(self, process: str) -> None:
        """Give a sign of life; called by the one loop of `process` that everything else of it depends on."""
        self._writers[f"alive.{process}"].push((time.perf_counter_ns(),))

    def spares(self, what: str) -> bool:
        """Whether one of care.SPARED is to be done without now."""
        told = self._rings["spared"].numbers()
        return told is not None and bool(told[0] >> SPARED.index(what) & 1)

    def close(self, unlink: bool = False) -> None:
        """Let go of the segment; `unlink` also removes it from the system (its maker does, once)."""
        if self._segment is None:
            return
        # The arrays hold views of the buffer: where somebody still keeps a ring, the mapping goes with the process.
        self._rings.clear()
        self._writers.clear()
        del self.values
        self._memory = memoryview(b"")
        if unlink:
            self._segment.unlink()
        with contextlib.suppress(BufferError):
            self._segment.close()
        self._segment = None

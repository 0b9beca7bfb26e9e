"""What the block loop takes in from outside: all of it as of the beginning of a block, and written down on a tape.

Runs on: audio process (audio callback; offline: whoever renders). The same again, block for block, is the same music: see
engine/core/tape.py. What comes over MIDI is written down as it is played, in the bytes that came.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import tape
from engine.core.held import HeldLink, HeldLive, HeldValues
from engine.core.link import Link
from engine.core.messages import BLOCK
from engine.core.parameters import Live, Parameter
from engine.core.tape import Tape
from engine.transport.sources import FIELDS, Reading, Source

HELD = ("notes", "yields", "keys", "learn", "switches")
WRITES = ("events", "timeline", "wave", "stems", "learned", "hosts", "switched")  # in this order their lengths are on the tape


class Intake:
    """What is known of the outside in this block: `live`, `values`, and the rings of `link`."""

    def __init__(self, link: Link, live: Live) -> None:
        self.values = HeldValues(link.values)
        self.live = HeldLive(live, self.values)
        self.link = HeldLink(link, HELD)
        self._registry = live.registry
        self._tape = Tape(link, "audio")
        for name in ("keys", "learn"):
            self.link.held[name].hold()  # what was there before is not for this process
        self._keys, self._learn, self._switches = (self.link[name].reader() for name in ("keys", "learn", "switches"))
        self.values.on_write = lambda place, value: self._tell(tape.MOVED, place, value)
        self._is_told = False  # that a block begins
        self._frame = 0
        self._ports: dict[str, int] = {}
        self._at: dict[int, Parameter] = {}  # the parameters by their places ...
        self._generation = -1  # ... of this set of them
        self._named: dict[int, str] = {}  # parameters by their places, as the tape knows them
        self._answer: Reading | None = None  # of the source, as it was told last

    def start(self, restarted: bool, rate_hz: float, last_frame: int) -> None:
        """The process begins: look for the first time."""
        lengths = [self.link[name].count if name in self.link else 0 for name in WRITES]
        self._tape.begin(restarted, rate_hz, last_frame, lengths)
        self.begin(-1)

    def begin(self, frame: int) -> bool:
        """The block that begins at this frame is next: look; return whether anybody has set a parameter since the last."""
        self._is_told = False
        self._frame = frame
        held = self.link.held
        if held["notes"].hold():
            self._say(tape.NOTES, count=held["notes"].count)
        if held["yields"].hold():
            self._say(tape.YIELDS, count=held["yields"].count)
        if held["keys"].hold():
            for _, visitor, size, data in self._keys.read().tolist():
                self._open()
                self._tape.put_bytes(tape.KEY, bytes(data[:size]), count=visitor)
        if held["learn"].hold():
            for (parameter,) in self._learn.read().tolist():
                self._open()
                self._tape.put_text(tape.LEARN, parameter.decode(errors="replace"))
        if held["switches"].hold():
            for switch in self._switches.read():
                self._open()
                self._tape.put_switch(switch)
        return self._look()

    def _look(self) -> bool:
        changes = self.values.take()
        if changes is None:
            return False
        self._say(tape.TURNED, count=self.values.version)
        for place, value in changes:
            self._tell(tape.CHANGE, place, value)
        return True

    def _open(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._tape.put(tape.BLOCK, value=float(self._frame))

    def _say(self, kind: int, size: int = 0, place: int = 0, count: int = 0, value: float = 0.0) -> None:
        self._open()
        self._tape.put(kind, size, place, count, value)

    def _tell(self, kind: int, place: int, value: float) -> None:
        self._open()
        if self._generation != self.live.generation:
            self._generation = self.live.generation
            self._at = {at: self._registry[name] for name, at in self._registry.index.items()}
        known = self._at.get(place)
        if known is not None and self._named.get(place) != known.id:
            self._named[place] = known.id
            self._tape.put_text(tape.NAME, known.id, place)
        if known is not None and known.choices:
            self._tape.put_text(tape.WORD, known.text(value), place)
        self._tape.put(kind, place=place, value=value)

    def hear(self, port: str, data: Sequence[int] | None) -> None:
        """Bytes came over a MIDI port; None: it is gone."""
        number = self._ports.get(port)
        self._open()
        if number is None:
            number = self._ports[port] = len(self._ports)
            self._tape.put_text(tape.PORT, port, number)
        if data is None:
            self._tape.put(tape.MIDI, place=number)
            return
        for at in range(0, len(data), tape.PIECE):
            self._tape.put_bytes(tape.MIDI, bytes(data[at : at + tape.PIECE]), number)

    def takes(self, is_there: bool) -> bool:
        """Whether something that was built is taken in now, where there is something."""
        if is_there:
            self._look()  # what its knobs begin with was set before it was handed over
            self._say(tape.TOOK)
        return is_there

    def close(self) -> None:
        """The end was asked for."""
        self._say(tape.CLOSING)

    def catch_up(self, before: int, frame: int) -> None:
        """The clock goes on at a frame, instead of the frame that was to be rendered next `before`."""
        self._is_told = False
        self._tape.put(tape.CATCH_UP, count=before // BLOCK, value=float(frame))

    # --- the source of the beat --------------------------------------------------------------------------------------------

    def source(self, source: Source) -> Source:
        """Return the source, its answers written down."""
        return _Told(source, self)

    def answer(self, reading: Reading) -> None:
        """The source answered."""
        if reading == self._answer:
            self._say(tape.READING)
            return
        self._answer = reading
        self._say(tape.READING, 1)
        for place, name in enumerate(FIELDS):
            value = getattr(reading, name)
            if value is not None:
                self._tape.put(tape.FIELD, place=place, value=float(value))

    def started(self, says_when: bool) -> None:
        """The source was asked to start."""
        self._say(tape.STARTS, int(says_when))

    def tempo(self, tempo_bpm: float) -> None:
        """The source has set the tempo."""
        self._say(tape.TEMPO, value=tempo_bpm)


class _Told:
    """A source of the beat whose answers are written down."""

    def __init__(self, source: Source, intake: Intake) -> None:
        self._source, self._intake = source, intake

    def take_parameters(self, frame: int) -> None:
        live = self._intake.live
        before = live.get("tempo")
        self._source.take_parameters(frame)
        if (now := live.get("tempo")) != before:
            self._intake.tempo(now)

    def read(self, frame: float, beat: float, /) -> Reading:
        reading = self._source.read(frame, beat)
        self._intake.answer(reading)
        return reading

    def start(self) -> bool:
        says = self._source.start()
        self._intake.started(says)
        return says

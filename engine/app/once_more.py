"""What the two processes of a take are told when it is played once more: what stands on their tapes, in the same order.

Runs on: main process (`algoritmo render SESSION`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine.app.places import Known, Places
from engine.audio.intake import Intake
from engine.core import tape
from engine.core.errors import SessionError
from engine.core.held import HeldLink, HeldLive, HeldValues
from engine.core.link import Link, Ring, Writer
from engine.core.messages import BLOCK, CHART
from engine.core.parameters import Live, Registry
from engine.core.tape import Record, records
from engine.core.values import Values
from engine.jam.intake import HELD
from engine.jam.performance import Outcome
from engine.transport.sources import FIELDS, Reading, Source
from engine.transport.timeline import BeatTimeline

_OF_A_MOMENT = (tape.EVENTS, tape.LINES, tape.SWITCHED, tape.SWITCH, tape.CHART, tape.TURNED, tape.CHANGE, tape.WAITED)


class DivergedError(SessionError):
    """What is computed now is not what was computed then."""


class TapeEndError(Exception):
    """The process was killed here, or the recording ends."""


@dataclass(slots=True)
class Life:
    """A process from its beginning to its end, or until it was killed."""

    begun: Record
    words: str = ""
    lengths: list[int] = field(default_factory=list)  # of its rings as it began
    tape: deque[Record] = field(default_factory=deque)


def lives(taken: np.ndarray) -> list[Life]:
    """Return the lives on a tape."""
    found: list[Life] = []
    for record in records(taken):
        if record.kind == tape.BEGIN:
            found.append(Life(record))
        elif not found:
            continue
        elif record.kind == tape.LENGTH:
            found[-1].lengths.append(record.count)
        elif record.kind == tape.WORDS:
            found[-1].words = record.text
        else:
            found[-1].tape.append(record)
    return found


class SoundTold(Intake):
    """What the block loop was told, block for block."""

    def __init__(self, link: Link, live: Live, life: Life, places: Places, are_hosted: bool) -> None:
        super().__init__(link, live)
        self.values.on_write = lambda _place, _value: None
        self._told, self._places, self._are_hosted = life.tape, places, are_hosted
        self._all, self._of_run = link.view("feed"), link.view("supervisor")  # to write what others wrote
        self._values = link.values
        self._of_ports: dict[int, str] = {}
        self._answers: deque[Reading] = deque()
        self._answer: Reading | None = None  # the last one given
        self._answered: dict[str, float] = {}
        self._starts: deque[bool] = deque()
        self._tempo: float | None = None
        self._took = self._is_turned = False
        self._version = 0
        self.arrivals: deque[tuple[int, str, Sequence[int] | None]] = deque()
        # Called where the end was asked for, and before something that was built is taken in.
        self.on_close: Callable[[], object] = lambda: None
        self.on_take: Callable[[], object] = lambda: None

    def needs(self, frame: int) -> tuple[int, int]:
        """So many events of the network are to be there before the block at a frame, and words on what gives way."""
        notes = yields = 0
        if self._told and self._told[0].kind == tape.BLOCK and self._told[0].value == frame:
            for record in islice(self._told, 1, None):
                if record.kind == tape.NOTES:
                    notes = record.count
                elif record.kind == tape.YIELDS:
                    yields = record.count
                elif record.kind in (tape.BLOCK, tape.CATCH_UP):
                    break
        return notes, yields

    def catches_up(self, frame: int) -> float | None:
        """Frame at which the clock goes on now, where it does; `frame`: what would be rendered next."""
        if self._told and self._told[0].kind == tape.CATCH_UP and self._told[0].count * BLOCK <= frame:
            return self._told.popleft().value
        return None

    def start(self, restarted: bool, rate_hz: float, last_frame: int) -> None:  # noqa: ARG002  (as on the stage)
        """Look for the first time."""
        self.begin(-1)

    def begin(self, frame: int) -> bool:
        """Be told what was told before this block."""
        self._took = self._is_turned = False
        self._answers.clear()
        if self._told and self._told[0].kind == tape.BLOCK:
            if self._told[0].value < frame:
                raise DivergedError(
                    f"frame {frame}: the take was told something at frame {self._told[0].value:.0f}, which is over"
                )
            if self._told[0].value == frame:
                self._told.popleft()
                self._take()
        for name in ("keys", "learn", "switches"):
            self.link.held[name].hold()
        self.values.take()
        if self._is_turned:
            self.values.version_held = self._version
        return self._is_turned

    def _take(self) -> None:
        while self._told and self._told[0].kind not in (tape.BLOCK, tape.CATCH_UP):
            record = self._told.popleft()
            kind = record.kind
            if kind in (tape.CHANGE, tape.NAME, tape.WORD):
                if (found := self._places.take(record)) is not None:
                    self._values.write(*found)
            elif kind == tape.MOVED:
                self._places.forget()
            elif kind == tape.TURNED:
                self._is_turned, self._version = True, record.count
            elif kind == tape.YIELDS:
                self.link.held["yields"].hold(record.count)
            elif kind == tape.NOTES:
                self.link.held["notes"].hold(record.count)
            elif kind == tape.PORT:
                self._of_ports[record.place] = record.text
            elif kind == tape.MIDI:
                data = list(record.data) if record.size else None
                self.arrivals.append((0, self._of_ports.get(record.place, ""), data))
            elif kind == tape.KEY:
                self._all.writer("keys").push((0, record.count, record.size, list(record.data.ljust(3, b"\0"))))
            elif kind == tape.LEARN:
                self._all.writer("learn").push((record.text.encode(),))
            elif kind == tape.SWITCH and self._told:
                self._of_run.writer("switches").push(tape.switch_of(record, self._told.popleft()))
            elif kind == tape.READING:
                self._answers.append(self._reading(record))
            elif kind == tape.STARTS:
                self._starts.append(bool(record.size))
            elif kind == tape.TEMPO:
                self._tempo = record.value
            elif kind == tape.TOOK:
                self._took = True
            elif kind == tape.CLOSING:
                self.on_close()

    def _reading(self, record: Record) -> Reading:
        if record.size:
            self._answered = {}
            while self._told and self._told[0].kind == tape.FIELD:
                of = self._told.popleft()
                self._answered[FIELDS[of.place]] = of.value
        found: dict[str, Any] = dict(self._answered)
        for name in ("numerator", "denominator", "groups"):
            found[name] = int(self._answered[name])
        for name in ("locked", "at_once", "playing"):
            if name in found:
                found[name] = bool(found[name])
        return Reading(**found)

    def takes(self, is_there: bool) -> bool:
        """What was taken in then is taken in now; a plugin's takes as long as it takes."""
        if self._took:
            self.on_take()
            for place, value in self._places.known_now():
                self._values.write(place, value)
            version = self.values.version_held
            self.values.take()
            self.values.version_held = version
        return is_there if self._are_hosted else self._took

    def hear(self, port: str, data: Sequence[int] | None) -> None:
        """It stands on the tape."""

    def close(self) -> None:
        """It stands on the tape."""

    def catch_up(self, before: int, frame: int) -> None:
        """It stands on the tape."""

    def source(self, source: Source) -> Source:  # noqa: ARG002  (as on the stage)
        """Return what answers as the source did."""
        return _Answers(self)

    def answer_again(self) -> Reading:
        """Return what the source answered."""
        if self._answers:
            self._answer = self._answers.popleft()
            return self._answer
        # Beside plugins sounds are taken in at other moments than in the take, and the source is asked then: nothing is new.
        if not self._are_hosted or self._answer is None:
            raise DivergedError("the beat is not where it was in the take")
        return self._answer._replace(beat=None, at_once=False, begins=None, metre_from=None, bar=None)

    def start_again(self) -> bool:
        """Return what the source said as it was asked to start."""
        return self._starts.popleft() if self._starts else False

    def tempo_again(self) -> None:
        """Set the tempo where the source did."""
        if self._tempo is not None:
            self.live.set("tempo", self._tempo)
            self._tempo = None


class _Answers:
    """A source that answers as it did."""

    def __init__(self, told: SoundTold) -> None:
        self._told = told

    def take_parameters(self, _frame: int) -> None:
        self._told.tempo_again()

    def read(self, _frame: float, _beat: float, /) -> Reading:
        return self._told.answer_again()

    def start(self) -> bool:
        return self._told.start_again()


class BandTold:
    """What the network process was told, wait for wait; the driver of its performance."""

    def __init__(
        self, link: Link, registry: Registry, life: Life, known: Known, render: Callable[[int, int, int, float], None]
    ) -> None:
        """`render`: called with how many events, lines of the beat and words on scenes are to be there, and a frame up to
        which there may be more."""
        self._told, self._render = life.tape, render
        self._shift = len(registry.fixed) - len(known)  # of the places of knobs
        self._places = Places(known, registry)
        self._fixed = len(known)
        table = memoryview(bytearray(Values.size(len(registry.fixed))))
        self._table = Values(table, len(registry.fixed))
        self.values = HeldValues(self._table)
        self.live = HeldLive(Live(registry, self._table), self.values)
        self.link = HeldLink(link, HELD)
        self._charts = link.view("feed")
        # The sound has heard of other scenes by the time at which it is rendered here.
        of = link["switches"]
        self._switches = Writer(memoryview(bytearray(Ring.size(of.dtype, of.capacity))), of.dtype, of.capacity)
        self.link.hold_instead("switches", self._switches)
        self._latency = 0
        self._looks: tuple[float, ...] = ()
        self._is_over = False
        self._frame = 0.0
        self._moment()

    def _next(self, *kinds: int) -> Record:
        if not self._told:
            raise TapeEndError
        record = self._told.popleft()
        if record.kind not in kinds:
            raise DivergedError(f"frame {self._frame:.0f}: the network asks for another thing than in the take")
        return record

    def _moment(self) -> bool:
        """Take in what it took in as it looked; return whether what it waited for was reached."""
        held = self.link.held
        events = lines = switched = -1
        version = self.values.version_held
        changes: list[Record] = []
        switches: list[tuple[int, int, float, int, bytes]] = []
        while True:
            record = self._next(*_OF_A_MOMENT)
            if record.kind == tape.WAITED:
                break
            if record.kind == tape.EVENTS:
                events = record.count
            elif record.kind == tape.LINES:
                lines = record.count
            elif record.kind == tape.TURNED:
                version = record.count
            elif record.kind == tape.SWITCHED:
                switched = record.count
            elif record.kind == tape.SWITCH:
                switches.append(tape.switch_of(record, self._next(tape.SCENE)))
            elif record.kind == tape.CHART:
                chart = np.zeros((), CHART)
                chart["text"], chart["beats"], chart["origin"] = record.data, record.size, record.place
                self._charts.writer("charts").push(chart)
                held["charts"].hold()
            else:
                changes.append(record)
        self._render(max(events, 0), max(lines, 0), max(switched, 0), self._frame)
        if events >= 0:
            held["events"].hold(events)
        if lines >= 0:
            held["timeline"].hold(lines)
        if switched >= 0:
            held["switched"].hold(switched)
        for switch in switches:
            self._switches.push(switch)
            held["switches"].hold()
        for change in changes:
            self._change(change)
        self.values.take()
        self.values.version_held = version
        self._is_over = bool(record.size & 2)
        return bool(record.size & 1)

    def _change(self, record: Record) -> None:
        if record.place >= self._fixed:
            self._table.write(record.place + self._shift, record.value)
        elif (found := self._places.take(record)) is not None:
            self._table.write(*found)

    # --- what a performance asks of its driver -----------------------------------------------------------------------------

    @property
    def latency_frames(self) -> int:
        """As it was."""
        if self._told and self._told[0].kind == tape.LATENCY:
            self._latency = self._told.popleft().count
        return self._latency

    def now(self) -> float:
        """As it was."""
        self._frame = self._next(tape.NOW).value
        return self._frame

    def now_ns(self) -> int:
        """Nothing is measured."""
        return 0

    def earliest(self) -> float:
        """As it was."""
        return self._next(tape.EARLIEST).value

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:  # noqa: ARG002  (as the protocol has it)
        """As it was."""
        if self._told and self._told[0].kind == tape.LOOKS:
            count = self._told.popleft().count
            self._looks = tuple(self._next(tape.FIELD).value for _ in range(count))
        return self._looks

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:  # noqa: ARG002  (as the protocol has it)
        """Render what was rendered meanwhile."""
        return self._moment()

    def sits(self, number: int) -> bool:
        """Whether the network that was to play from here on did."""
        record = self._next(tape.SEAT)
        if record.place != number:
            raise DivergedError(f"frame {self._frame:.0f}: network {number} is to play, and in the take it was {record.place}")
        return bool(record.size)

    def heir(self) -> Path | None:
        """The file of the network that took the place of the one that played here, where one did."""
        if self._told and self._told[0].kind == tape.SUCCESSOR:
            return Path(self._told.popleft().text)
        return None

    def is_over(self) -> bool:
        """As it was."""
        return self._is_over

    def played(self, outcome: Outcome) -> None:  # noqa: ARG002  (as the protocol has it)
        """A step has been published."""
        self.on_step()

    on_step: Callable[[], object] = staticmethod(lambda: None)

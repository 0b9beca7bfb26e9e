"""The network's side of a take that is played once more: put together as the network process puts it together.

Runs on: main process (`algoritmo render SESSION`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.app.once_more import BandTold
from engine.core.config import Config
from engine.core.contract import read_card
from engine.core.ensemble import Part
from engine.core.metre import Metre
from engine.jam.chart import chords_of
from engine.jam.chords import Chord
from engine.jam.jam import Jam
from engine.jam.leader import Leader
from engine.jam.performance import Performance
from engine.jam.seats import Seat, seat_of
from engine.jam.settings import metre_of
from engine.jam.step import all_off
from engine.jam.switching import Switching
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline


class BandAgain:
    """`run` plays; `take_over` before that, in the place of a process that died."""

    def __init__(
        self,
        config: Config,
        parts: Sequence[Part],
        number: int,
        load: Callable[[Part], Runner],
        told: BandTold,
        rate_hz: float,
        on_seat: Callable[[Seat, float], object],
    ) -> None:
        """`number`: of the network that plays first. `on_seat`: called where another plays, with the frame
        from which on."""
        self._config, self._parts, self._load, self._told, self._rate_hz = config, parts, load, told, rate_hz
        self._on_seat = on_seat
        self._seats: dict[int, Seat] = {}
        self._change: tuple[Seat, float] | None = None  # another network plays from this beat on
        self._switching = Switching(told.link, told.live)
        self._chart = told.link["chart"].latest()  # that a process which died played by
        seat = self._at(number)
        if (path := told.heir()) is not None:
            seat = self._heir(seat, path)
        metre = metre_of(config, seat.card)
        self._sit(seat, metre, chords_of(config.jam.chart, metre))

    def _at(self, number: int) -> Seat:
        """Return a network, with what it remembers of when it played last."""
        if number not in self._seats:
            part = self._parts[number]
            self._seats[number] = seat_of(self._config, part, self._load(part), [], self._told.link)
        return self._seats[number]

    def _heir(self, seat: Seat, path: Path) -> Seat:
        """Return the network of another file in the place of one. Raises NetworkError."""
        part = replace(seat.part, path=path, card=read_card(path))
        self._seats[part.number] = seat_of(self._config, part, self._load(part), [], self._told.link)
        return self._seats[part.number]

    def _sit(self, seat: Seat, metre: Metre, chart: Sequence[Chord]) -> None:
        """Play with a network from here on."""
        told = self._told
        self._seat = seat
        self._jam = Jam(seat.runner, told.live, seat.link, seat.track, seat.harmony, chart=chart, metre=metre)
        leader = Leader(seat.part.path, seat.card, seat.track, told.live, told.link, self._rate_hz)
        heard = seat.part.heard if len(self._parts) > 1 else lambda events: events
        self._performance = Performance(self._jam, seat.link, seat.card, told, leader, self._scene, heard)

    def run(self) -> None:
        """Play to the end of the tape, and release what sounds."""
        while not self._told.is_over():
            self._performance.run()
            if self._change is not None:
                self._go_on_with(*self._change)
                self._change = None
        self._release(self._told.now())

    def _scene(self, beat: float) -> bool:
        """Let a scene begin where it is time; return whether another network plays from here on."""
        number = self._switching.look(self._jam, beat)
        if number is not None and number != self._seat.part.number and self._told.sits(number):
            self._change = self._at(number), beat
        if self._change is None and (path := self._told.heir()) is not None:
            heir = self._heir(self._seat, path)
            heir.runner.restore(self._seat.runner.states())
            self._change = heir, beat
        return self._change is not None

    def _go_on_with(self, seat: Seat, beat: float) -> None:
        """Let another network play from a beat on, where the notes of this one end."""
        found = self._told.link["timeline"].latest()
        assert found is not None  # a scene begins on one
        line, now = BeatTimeline.of(found), self._told.now()
        frame = max(line.frame_at(beat), now) if line.playing else now
        self._release(frame)
        self._sit(seat, line.metre, ())
        self._performance.enter(beat if line.playing else line.beat, self._told.link["chart"].latest())
        self._switching.pass_on(self._jam)
        self._on_seat(seat, frame)

    def take_over(self) -> None:
        """Go on for the process that died: same beat, same state, same chart, its notes released."""
        seat = self._seat
        self._release(self._told.now())
        last: np.void | None = seat.link["steps"].latest()
        if last is not None:
            seat.runner.restore({s.name: last[s.name + "_next"] for s in seat.card.states})
        if seat.harmony is not None and (kept := seat.link["harmony"].latest()) is not None:
            seat.harmony.recall(kept)
        self._performance.take_over(-1 if last is None else int(last["step"]), self._chart)

    def keep(self) -> None:
        """A step has been published: keep what another process in the place of this one would go on from."""
        if self._seat.harmony is not None:
            self._seat.harmony.keep(self._told.link.writer("harmony").slot())
            self._told.link.writer("harmony").advance()

    def _release(self, frame: float) -> None:
        """Let every note end at a frame."""
        self._told.link.writer("notes").push(all_off(round(frame)))

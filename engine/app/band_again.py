"""The network's side of a take that is played once more: put together as the network process puts it together.

Runs on: main process (`algoritmo render SESSION`).
"""

from __future__ import annotations

from pathlib import Path

from engine.app.once_more import DivergedError
from engine.core.config import Config
from engine.core.contract import Card
from engine.core.link import Link
from engine.core.parameters import Live
from engine.jam import harmony
from engine.jam.chart import chords_of
from engine.jam.jam import Jam
from engine.jam.leader import Leader
from engine.jam.performance import Driver, Performance
from engine.jam.settings import metre_of, track_of
from engine.jam.step import all_off
from engine.jam.switching import Switching
from engine.network.runner import Runner


class BandAgain:
    """`performance` is to be run; `take_over` before that, in the place of a process that died."""

    def __init__(
        self, config: Config, card: Card, path: Path, runner: Runner, live: Live, link: Link, driver: Driver, rate_hz: float
    ) -> None:
        self._card, self._link, self._driver = card, link, driver
        track = track_of(config, card)
        metre = metre_of(config, card)
        self._chart = link["chart"].latest()  # that a process which died played by
        self.harmony = harmony.of(config, card, track)
        self.jam = Jam(runner, live, link, track, self.harmony, chart=chords_of(config.jam.chart, metre), metre=metre)
        leader = Leader(path, card, track, live, link, rate_hz)
        self._switching = Switching(link, live)
        self.performance = Performance(self.jam, link, card, driver, leader, self._scene)

    def _scene(self, beat: float) -> bool:
        """Let a scene begin where it is time; return whether another network plays from here on."""
        if self._switching.look(self.jam, beat) not in (None, 0):
            raise DivergedError("another network plays from here on")
        return False

    def take_over(self, late: int) -> None:
        """Go on for the process that died: same beat, same state, same chart, its notes released. `late`: its late steps."""
        link = self._link
        self.performance.late = late
        link.writer("notes").push(all_off(round(self._driver.now())))
        last = link["steps"].latest()
        if last is not None:
            self.jam.runner.restore({s.name: last[s.name + "_next"] for s in self._card.states})
        if self.harmony is not None and (kept := link["harmony"].latest()) is not None:
            self.harmony.recall(kept)
        self.performance.take_over(-1 if last is None else int(last["step"]), self._chart)

    def keep(self) -> None:
        """A step has been published: keep what another process in the place of this one would go on from."""
        if self.harmony is not None:
            self.harmony.keep(self._link.writer("harmony").slot())
            self._link.writer("harmony").advance()

    def leave(self) -> None:
        """The end: release what sounds."""
        self._link.writer("notes").push(all_off(round(self._driver.now())))

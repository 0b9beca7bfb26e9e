"""What shapes the notes that the network chooses: every file of this folder is one thing, applied here one after the other.

Runs on: network process, main thread, or the caller of the offline render; every process reads what is declared.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import OFFSET, Card
from engine.core.parameters import Live, Parameter
from engine.jam.ear import Ear
from engine.jam.roll import Roll
from engine.jam.shape import energy, fills, grid, lock, memory, register, touch
from engine.jam.shape.energy import Energy
from engine.jam.shape.fills import Fills
from engine.jam.shape.grid import Grid
from engine.jam.shape.lock import Lock
from engine.jam.shape.memory import Memory
from engine.jam.shape.moment import Moment
from engine.jam.shape.register import Register
from engine.jam.shape.touch import Touch
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline


def declared(card: Card) -> list[Parameter]:
    """Return the parameters that shape what this network plays."""
    alike = (*lock.PARAMETERS, *grid.PARAMETERS, *energy.PARAMETERS, *memory.PARAMETERS)
    return [*alike, *fills.parameters(card), *touch.parameters(card), *register.parameters(card)]


class Shape:
    """All of them, for a jam: `ask` and `ask_again` around the network's choice, `finish` when it fits the chord, `settle`.

    `moment` is the timestep that is being chosen, `grid` says when each sounds.
    """

    def __init__(self, runner: Runner, live: Live, roll: Roll, ear: Ear, clamped: np.ndarray) -> None:
        card = runner.card
        self._steps_per_beat = card.steps_per_beat
        self._offset_learned = len(card.channels) > OFFSET
        self.grid = Grid(live, card.steps_per_beat)
        self.moment = Moment(runner, roll, clamped)
        moved, self._memory = Register(card, live), Memory(card, live)
        more = Energy(card, live, moved)
        self._touch = Touch(card, live, more)
        # In this order: what plays, in which scale, where it sounds, how it sounds.
        self._all = (more, Lock(card, live, ear), Fills(card, live), self._memory, moved, self._touch)
        roll.heard_as = moved.heard_as

    def clear(self) -> None:
        """Forget everything that was heard and played."""
        for shaper in self._all:
            shaper.clear()

    def hear(self, velocity: float) -> None:
        """The player began a note, as loud as this (0..1)."""
        self._touch.hear(velocity)

    def as_meant(
        self, timeline: BeatTimeline, frame: int, step: int, track: int, pitch: int, loud: float
    ) -> tuple[float, float]:
        """Of a note of the network's, chosen for `step`, that began at a frame: its position and loudness as it was chosen."""
        if not self._offset_learned:
            return float(step), loud
        offset = self.grid.position_at(timeline, frame) - step
        if (meant := self._touch.meant(step, track, pitch)) is not None:
            loud, offset = meant[0], offset - meant[1]
        return step + min(max(offset, -0.5), 0.499), loud  # how early or late it was: what was chosen, if it was in time

    def ask(self, step: int, position: int, timeline: BeatTimeline) -> None:
        """Before the network is asked for timestep `step`, which is `position` counted from bar 1."""
        moment = self.moment
        moment.step, moment.position = step, position
        moment.metre = timeline.metre
        moment.bar = moment.metre.steps(self._steps_per_beat)
        moment.step_s = timeline.frames_per_beat / timeline.rate_hz / self._steps_per_beat
        for shaper in self._all:
            shaper.ask(moment)

    def ask_again(self) -> None:
        """The network has chosen."""
        for shaper in self._all:
            shaper.ask_again(self.moment)

    def finish(self) -> None:
        """What it chose fits the chord: make of it what is asked for."""
        self.moment.loudness.fill(0)
        self.moment.late.fill(0)
        for shaper in self._all:
            shaper.shape(self.moment)
        self._memory.repeat(self.moment)

    def correct(self) -> None:
        """A timestep that was settled has been put right, and more begins in it than was known: say how that sounds."""
        self._touch.shape(self.moment)
        self._memory.repeat(self.moment)
        self._memory.correct(self.moment)

    def settle(self) -> None:
        """The timestep has passed, and the network's states have moved on."""
        for shaper in self._all:
            shaper.settle(self.moment)

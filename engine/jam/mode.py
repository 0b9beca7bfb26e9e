"""A mode: one way to play together, in a file of its own in engine/jam/modes/.

Runs on: network process, main thread; every process reads what a mode declares.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.core.contract import PLAY, Card
from engine.core.metre import Metre
from engine.core.parameters import Live, Parameter
from engine.jam.roll import Roll


class Mode:
    """Which slots of a timestep are clamped to the player's notes, which the network may choose, and whether it listens.

    What is declared here is all that the registry, the command line, the configuration, OSC, the page and the README know.
    """

    name: ClassVar[str]  # as it is written in config.toml and over OSC
    number: ClassVar[int]  # in records and as value of the parameter `mode`: a new mode takes the next one, none ever changes
    doc: ClassVar[str]  # a few words, for whoever chooses
    about: ClassVar[str]  # the sentence of the README
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    takes_turns: ClassVar[bool] = False  # whether it listens and answers by turns, which is shown
    leaves_track: ClassVar[bool] = False  # whether the player's track is left to him, see engine/jam/parts.py

    listening: bool = False  # whether the network only hears this timestep: what it chooses it imagines, unheard
    hint: str = ""  # a sentence for the player, once
    answer_begins: bool = False  # whether an answer is expected of the network from this timestep on, without more silence

    def __init__(self, card: Card, roll: Roll, live: Live) -> None:
        self.card = card
        self.roll = roll
        self.live = live
        self.steps_per_beat, self.steps_per_bar = card.steps_per_beat, card.steps_per_bar

    def take_metre(self, metre: Metre) -> None:
        """The timesteps lie in another metre from here on."""
        self.steps_per_beat = metre.beat_steps(self.card.steps_per_beat)
        self.steps_per_bar = metre.steps(self.card.steps_per_beat)

    @property
    def interruptible(self) -> bool:
        """Whether a note of the player is to silence the network at once."""
        return self.takes_turns and not self.listening

    def begin(self, step: int) -> None:
        """Start afresh: it was chosen, and timestep `step` is the first it is asked for."""

    def interrupt(self, step: int) -> None:
        """The network was silenced in timestep `step`, by the player's note or by panic or reset."""

    def advance(self, step: int, position: int) -> None:
        """Go on to timestep `step`, which is `position` counted from bar 1; again for the same when more was heard."""

    def clamp(self, value: np.ndarray, mask: np.ndarray) -> None:
        """Fill `mask` (S,): 1 where `value` (S, C), what the player plays in the timestep, is clamped; 0 where all is free.

        Unless a mode says otherwise his notes are clamped, as far as they are heard by now, and everything beside them is free.
        """
        mask[:] = value[:, PLAY]

    def dictate(self, step: int, value: np.ndarray, mask: np.ndarray, sounding: np.ndarray) -> None:
        """Fill in what the network is to play in a timestep, where `mask` is 0; `sounding` (S, C) a step before."""

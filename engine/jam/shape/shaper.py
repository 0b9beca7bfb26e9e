"""A shaper: one thing that bends what the network plays to what the musician asks for, in a file of its own beside this one.

Runs on: network process, main thread, or the caller of the offline render; every process reads what a shaper declares.
"""

from __future__ import annotations

from engine.core.contract import Card
from engine.core.parameters import Live
from engine.jam.shape.moment import Moment


class Shaper:
    """For each timestep `ask`, `ask_again` and `shape`, perhaps several times over, and `settle` once."""

    def __init__(self, card: Card, live: Live) -> None:
        self.card, self.live = card, live

    def clear(self) -> None:
        """Forget everything that was heard and played."""

    def ask(self, moment: Moment) -> None:
        """Before the network chooses: controls, conditions, what is dictated."""

    def ask_again(self, moment: Moment) -> None:
        """It has chosen, and may be asked once more."""

    def shape(self, moment: Moment) -> None:
        """What is chosen fits the chord: make of it what is asked for, in place. Again where the chord was mistaken."""

    def settle(self, moment: Moment) -> None:
        """The timestep has passed, its notes are as they are; the states have moved on."""


def pulled(live: Live, name: str, seen: dict[str, float]) -> bool:
    """Whether a trigger was pulled since it was looked at last."""
    before, now = seen.get(name, 0.0), live.get(name)
    seen[name] = now
    return now != before

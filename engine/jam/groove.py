"""The groove: drums that play have a kick in every bar.

Runs on: network process, or the caller of the offline render.

A network that hears long chords plays drums as ballads and jazz trios have them, with next to no kick; what a band is held
together by is then dictated to it where a bar begins, and what it makes of that is its own matter.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY, VELOCITY, Card
from engine.core.metre import Metre

KICKS = (36, 35)  # General MIDI's
LOUDNESS = 0.62


class Groove:
    """For each step in turn `dictate`, and `settle` when it has passed."""

    def __init__(self, card: Card) -> None:
        slices = card.track_slices()
        drums = next((track for track in card.tracks if track.kind == "drums"), None)
        self._drums = slice(0, 0) if drums is None else slices[drums.name]
        self._kicks = [] if drums is None else [self._drums.start + drums.pitches.index(k) for k in KICKS if k in drums.pitches]
        self._per_quarter, self._bar = card.steps_per_beat, card.steps_per_bar
        self.clear()

    def take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on."""
        self._bar = metre.steps(self._per_quarter)

    def clear(self) -> None:
        """Forget everything."""
        self._plays = False  # whether the drums did in this bar
        self._kicked = True  # ... of their own accord the kick
        self._dictated = False

    def dictate(self, position: int, mask: np.ndarray, value: np.ndarray, taken: np.ndarray) -> None:
        """Into `mask` (S,) and `value` (S, C), for the step `position` steps from bar 1, unless drums are `taken` (S,)."""
        self._dictated = False
        if position % self._bar or not self._kicks or self._kicked or not self._plays or taken[self._drums].any():
            return
        kick = self._kicks[0]
        mask[kick] = 1
        value[kick] = 0
        value[kick, PLAY] = 1
        if value.shape[1] > VELOCITY:
            value[kick, VELOCITY] = LOUDNESS
        self._dictated = True

    def settle(self, position: int, notes: np.ndarray) -> None:
        """What was chosen, (S, C), has sounded."""
        if position % self._bar == 0:
            self._plays = self._kicked = False
        struck = (notes[:, PLAY] > 0.5) & (notes[:, HOLD] < 0.5)
        self._plays |= bool(struck[self._drums].any())
        self._kicked |= bool(struck[self._kicks].any()) and not self._dictated

"""Fills: before every so many bars begin anew, the drums leave the cymbals for the drums.

Runs on: network process, main thread, or the caller of the offline render.

The fill is the network's own: once the others' notes of the timestep are chosen it is asked again for the drums alone, with
them given, for more strokes and none on what keeps the time. The bar after it begins with kick and crash.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import PLAY, VELOCITY, Card
from engine.core.parameters import Live, Parameter
from engine.jam.shape.moment import Moment
from engine.jam.shape.shaper import Shaper

TIMEKEEPERS = (42, 44, 46, 51, 53, 59, 54, 69, 70, 82, 39, 37)  # hats, rides, shakers, clap and side stick
ARRIVES = (36, 49)  # what is struck in the beat that follows
LOUDNESS = 0.8
MORE = 300.0  # factor on the density within a fill
LONG_BARS = 8  # a fill after so many bars lasts two strong beats, any other one

DOC = "A drum fill at the end of every so many bars; 0: where the network likes"


def parameters(card: Card) -> list[Parameter]:
    """How often, where there are drums."""
    has_drums = any(track.kind == "drums" for track in card.tracks)
    return [Parameter("fills", 0, 16, 0, DOC, "bars", "integer")] if has_drums else []


class Fills(Shaper):
    """Asks for them."""

    def __init__(self, card: Card, live: Live) -> None:
        super().__init__(card, live)
        drums = next((track for track in card.tracks if track.kind == "drums"), None)
        self._drums = slice(0, 0) if drums is None else card.track_slices()[drums.name]
        self._of_drums = np.zeros(card.slots, bool)
        self._of_drums[self._drums] = True
        pitches = card.slot_pitches()
        self._timekeepers = np.flatnonzero(self._of_drums & np.isin(pitches, TIMEKEEPERS))
        self._arrives = np.flatnonzero(self._of_drums & np.isin(pitches, ARRIVES))
        self._is_asked = any(control.name == "density" for control in card.controls)
        self._filled = False  # whether the timestep before was of a fill

    def clear(self) -> None:
        """Nothing was filled."""
        self._filled = False

    def within(self, moment: Moment) -> bool:
        """Whether a timestep is of a fill."""
        bars = int(self.live.get("fills")) if "fills" in self.live.registry else 0
        if not bars or moment.position < 0 or not self._is_asked:
            return False
        strong = moment.metre.strong
        begins = strong[-2 if bars >= LONG_BARS and len(strong) > 2 else -1] * self.card.steps_per_beat
        return moment.position % (bars * moment.bar) >= (bars - 1) * moment.bar + begins

    def ask(self, moment: Moment) -> None:
        """After a fill the bar begins with kick and crash."""
        if not self._filled or not moment.begins_bar or moment.clamped[self._drums].any():
            return
        rows = np.zeros((len(self._arrives), moment.value.shape[1]), np.float32)
        rows[:, PLAY] = 1
        if rows.shape[1] > VELOCITY:
            rows[:, VELOCITY] = LOUDNESS
        moment.dictate(self._arrives, rows)

    def ask_again(self, moment: Moment) -> None:
        """Ask for the drums once more."""
        if not self.within(moment):
            return
        drums = self._of_drums & (moment.mask < 0.5)
        if not drums.any():
            return
        inputs = moment.inputs
        moment.value[~drums] = moment.notes[~drums]
        moment.mask[~drums] = 1
        moment.mask[self._timekeepers] = 1
        moment.value[self._timekeepers] = 0
        asked = float(inputs["density"][0])
        inputs["density"][0] = asked * MORE
        moment.runner.run()
        inputs["density"][0] = asked

    def settle(self, moment: Moment) -> None:
        """Keep whether it was one."""
        self._filled = self.within(moment)

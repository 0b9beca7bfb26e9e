"""Energy: one knob over how many notes, how loud, how high, and which tracks play.

Runs on: network process, main thread, or the caller of the offline render.

In the middle all is as learned. Loudness and density go with the knob at once; tracks leave and come back where a bar begins.
"""

from __future__ import annotations

from engine.core.contract import Card
from engine.core.parameters import Live, Parameter
from engine.jam.shape.moment import Moment
from engine.jam.shape.register import Register
from engine.jam.shape.shaper import Shaper

MIDDLE = 0.5
DENSITY, LOUDNESS = 3.0, 1.5  # factors at full energy; at none one over that
# Energy below which a track rests: who plays least essentially leaves first, the pad stays.
RESTS = {"lead": 0.35, "drums": 0.25, "chords": 0.15, "bass": 0.05}
HIGH, LOW = 0.8, 0.2  # from there on the tracks named below play an octave higher, or lower
CLIMBS = ("lead", "pad")

DOC = "More or less of everything: notes, loudness, height, tracks that play; in the middle as learned"
PARAMETERS = (Parameter("energy", 0, 1, MIDDLE, DOC),)


class Energy(Shaper):
    """Turns it into what the others know. `loudness`: factor on every velocity."""

    def __init__(self, card: Card, live: Live, register: Register) -> None:
        super().__init__(card, live)
        self._slices = card.track_slices()
        self._register = register
        self._density = next((control for control in card.controls if control.name == "density"), None)
        self._resting: frozenset[str] = frozenset()
        self._bar = -1  # that was looked at last
        self.loudness = 1.0

    def clear(self) -> None:
        """Look anew in the next timestep."""
        self._bar = -1

    def ask(self, moment: Moment) -> None:
        """Ask for more or fewer notes, and for none of the tracks that rest."""
        energy = self.live.get("energy")
        more = 2 * (energy - MIDDLE)  # -1..1
        self.loudness = LOUDNESS**more
        if moment.position // moment.bar != self._bar:
            self._bar = moment.position // moment.bar
            self._resting = frozenset(name for name, least in RESTS.items() if energy < least and name in self._slices)
            self._register.add(dict.fromkeys(CLIMBS, (energy >= HIGH) - (energy <= LOW)))
        if self._density is not None:
            moment.inputs["density"][0] *= DENSITY**more
        for name in self._resting:
            moment.dictate(self._slices[name], moment.value[self._slices[name]] * 0)

"""The register: where on the keyboard a track plays.

Runs on: network process, main thread, or the caller of the offline render.

A shift by octaves is the musician's, not the network's: it hears what it played where it would have played it, so that it
goes on as if nothing had happened. What leaves the range of its track, or the limits that are set, is folded back by octaves.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import PLAY, Card
from engine.core.parameters import Live, Parameter
from engine.jam.shape.moment import Moment
from engine.jam.shape.shaper import Shaper

LEAST_PITCHES = 24  # of a track, for a shift by an octave to make sense
OCTAVES = 2


def parameters(card: Card) -> list[Parameter]:
    """Of each pitched track a shift, and the lowest and the highest note."""
    found = []
    for name in _shifted(card):
        pitches = next(track.pitches for track in card.tracks if track.name == name)
        low, high = min(pitches), max(pitches)
        found += [
            Parameter(f"{name}.register", -OCTAVES, OCTAVES, 0, f"How much higher the {name} plays", "octaves", "integer"),
            Parameter(f"{name}.lowest", low, high, low, f"Lowest note of the {name}, a MIDI pitch", kind="integer"),
            Parameter(f"{name}.highest", low, high, high, f"Highest note of the {name}, a MIDI pitch", kind="integer"),
        ]
    return found


def _shifted(card: Card) -> list[str]:
    return [track.name for track in card.tracks if track.kind != "drums" and len(track.pitches) >= LEAST_PITCHES]


class Register(Shaper):
    """Moves tracks by octaves. `heard_as` (S,): the slot in which the network hears what it played in each."""

    def __init__(self, card: Card, live: Live) -> None:
        super().__init__(card, live)
        slices = card.track_slices()
        self._tracks = [(name, slices[name]) for name in _shifted(card)]
        self._pitches = card.slot_pitches()
        self._set: dict[str, tuple[int, ...]] = {}  # what was asked for last
        self._out = np.arange(card.slots)  # the slot in which each sounds
        self.heard_as = np.arange(card.slots)
        self._is_plain = True
        self._version = -1  # of the parameters that were looked at
        self._more: dict[str, int] = {}  # octaves on top of what is set

    def add(self, octaves: dict[str, int]) -> None:
        """So many more octaves for some tracks, from now on."""
        if octaves != self._more:
            self._more, self._version = octaves, -1

    def _look(self) -> None:
        """See what is set, where anything was."""
        if self._version == (seen := self.live.values.version):
            return
        self._version = seen
        for name, slots in self._tracks:
            shift, low, high = (int(self.live.get(f"{name}.{word}")) for word in ("register", "lowest", "highest"))
            asked = (shift + self._more.get(name, 0), min(low, high), max(low, high))
            if self._set.get(name) != asked:
                self._set[name] = asked
                self._plan(slots, *asked)

    def _plan(self, slots: slice, octaves: int, low: int, high: int) -> None:
        pitches = self._pitches[slots].tolist()
        within = tuple(p for p in pitches if low <= p <= high) or tuple(pitches)
        self._out[slots] = [slots.start + pitches.index(_folded(p + 12 * octaves, within)) for p in pitches]
        self.heard_as[slots] = [slots.start + pitches.index(_folded(p - 12 * octaves, tuple(pitches))) for p in pitches]
        self._is_plain = bool((self._out == np.arange(len(self._out))).all())

    def shape(self, moment: Moment) -> None:
        """Move what was chosen to where it is to sound, and how likely it was with it."""
        self._look()
        if self._is_plain:
            return
        notes, probability = moment.notes, moment.probability
        free = moment.clamped < 0.5
        moved = np.where(free[:, None], 0, notes)
        likely = np.where(free[:, None], 0, probability)
        for slot in np.flatnonzero(free & (self._out != np.arange(len(free)))).tolist():
            to = self._out[slot]
            likely[to] = np.maximum(likely[to], probability[slot])
        stays = free & (self._out == np.arange(len(free)))
        likely[stays] = np.maximum(likely[stays], probability[stays])
        for slot in np.flatnonzero((notes[:, PLAY] > 0.5) & free).tolist():
            to = self._out[slot]
            if free[to] and moved[to, PLAY] < 0.5:
                moved[to] = notes[slot]
        notes[:], probability[:] = moved, likely
        moment.begin_anew()  # the register was turned while they sounded


def _folded(pitch: int, within: tuple[int, ...]) -> int:
    """The pitch itself, or the octave of it that is nearest; where there is none, the nearest pitch."""
    octaves = [p for p in within if (p - pitch) % 12 == 0]
    return min(octaves or within, key=lambda p: abs(p - pitch))

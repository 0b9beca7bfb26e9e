"""The touch: how loud and how early or late the notes are that the network chose.

Runs on: network process, main thread, or the caller of the offline render.

What is added here is the musician's wish: the network hears its own notes as it meant them, or it would grow louder and
louder, and later and later, over its own echo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.core.contract import OFFSET, PLAY, VELOCITY, Card
from engine.core.parameters import Live, Parameter
from engine.jam.shape.energy import Energy
from engine.jam.shape.moment import Moment
from engine.jam.shape.shaper import Shaper
from engine.network.noise import noise

LEVEL = 80 / 127  # of every track on average, by its training
LATEST = 0.5  # of a step, either way
STREAM = 4  # of the noise
STRAY_S, STRAY_LOUDNESS = 0.012, 0.09  # standard deviations at a humanise of 1: of time, and of loudness
NEAR, FAR_BARS = 0.4, 16  # weight of the player's newest strike, and over how long he is compared with himself
LEAST_GAIN, MOST_GAIN = 0.45, 1.6
SPREAD = 12.8 / 127  # standard deviation of the loudness of the drums that were learned from
SPREAD_MOST = 2.0  # factor by which it is widened at most
STROKES = 64  # of the drums, by which it is known how far they spread
REMEMBERED = 8  # timesteps, of which it is known how notes were meant

FEEL = "How much of the loud and soft, early and late that it learned is played; 0 none, 1 as learned"
STRAYS = "How far notes stray from their time and loudness by chance; turned up, some 12 ms"


def parameters(card: Card) -> list[Parameter]:
    """What it declares with this network."""
    found = [
        Parameter("dynamics", 0, 1, 0.8, "How closely the band's loudness goes with yours"),
        Parameter("feel", 0, 2, 1, FEEL),
        Parameter("humanise", 0, 1, 0, STRAYS),
    ]
    return [parameter for parameter in found if parameter.id != "feel" or len(card.channels) > VELOCITY]


class Dynamics:
    """How loud the player is, beside how loud he is at length."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nobody has played."""
        self._now = self._long = LEVEL
        self._heard: list[float] = []

    def hear(self, velocity: float) -> None:
        """He began a note."""
        self._heard.append(velocity)

    def settle(self, bar: int) -> None:
        """A timestep has passed; `bar`: how many make one."""
        if self._heard:
            loud = sum(self._heard) / len(self._heard)
            self._heard.clear()
            self._now += NEAR * (loud - self._now)
        else:
            self._now += (self._long - self._now) / (4 * bar)
        self._long += (self._now - self._long) / (FAR_BARS * bar)

    @property
    def gain(self) -> float:
        """Factor on the band's loudness."""
        return min(max(self._now / max(self._long, 1e-3), LEAST_GAIN), MOST_GAIN)


class Accents:
    """Brings the accents of the drums out. A network that hears its own even strokes plays evener ones: what sounds spreads as
    far as what it learned from, in the pattern that it chose."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing was struck."""
        self._mean, self._variance = LEVEL, SPREAD**2

    def widened(self, loud: np.ndarray) -> np.ndarray:
        """The same strokes as far about their mean as those of the data are."""
        factor = min(max(SPREAD / max(math.sqrt(self._variance), 1e-3), 1.0), SPREAD_MOST)
        found: np.ndarray = self._mean + factor * (loud - self._mean)
        return found

    def settle(self, loud: Sequence[float]) -> None:
        """A timestep has passed in which these were chosen."""
        for stroke in loud:
            away = stroke - self._mean
            self._mean += away / STROKES
            self._variance += (away**2 - self._variance) / STROKES


class Touch(Shaper):
    """Fills the moment's `loudness` and `late`; remembers how the notes were meant."""

    def __init__(self, card: Card, live: Live, energy: Energy) -> None:
        super().__init__(card, live)
        self._energy, self._dynamics, self._accents = energy, Dynamics(), Accents()
        self._is_drum = np.array([card.tracks[track].kind == "drums" for track in card.slot_tracks().tolist()])
        self._pitches, self._tracks = card.slot_pitches().tolist(), card.slot_tracks().tolist()
        self._learned = len(card.channels) > VELOCITY, len(card.channels) > OFFSET
        self._meant: dict[int, dict[tuple[int, int], tuple[float, float]]] = {}  # by timestep

    def clear(self) -> None:
        """Forget the player, and what was struck."""
        self._dynamics.clear()
        self._accents.clear()

    def hear(self, velocity: float) -> None:
        """The player began a note."""
        self._dynamics.hear(velocity)

    def meant(self, step: int, track: int, pitch: int) -> tuple[float, float] | None:
        """Velocity that the network chose, and by how many steps the note was moved on top of its choice."""
        return self._meant.get(step, {}).get((track, pitch))

    def shape(self, moment: Moment) -> None:
        """Say how the notes that begin sound."""
        begins = moment.begins
        if not len(begins):
            return
        chosen = moment.notes[begins]
        loud = chosen[:, VELOCITY] if self._learned[0] else 0.45 + 0.4 * moment.probability[begins, PLAY]
        meant = chosen[:, OFFSET] if self._learned[1] else np.zeros(len(begins))
        late = meant
        if self._learned[0]:
            drums = self._is_drum[begins]
            loud = np.where(drums, self._accents.widened(loud), loud)
        if self._learned[0] and (feel := self.live.get("feel")) != 1:
            loud, late = LEVEL + feel * (loud - LEVEL), feel * meant
        gain = 1 + self.live.get("dynamics") * (self._dynamics.gain - 1)
        loud = loud * (gain * self._energy.loudness)
        if (humanise := self.live.get("humanise")) > 0:
            drawn = noise(int(self.live.get("seed")), moment.step, 4 * len(moment.late), STREAM).reshape(4, -1)[:, begins]
            loud = loud + humanise * STRAY_LOUDNESS * _normal(drawn[0], drawn[1])
            late = late + humanise * STRAY_S / moment.step_s * _normal(drawn[2], drawn[3])
        moment.loudness[begins] = loud
        moment.late[begins] = np.clip(late, -LATEST, LATEST)
        if self._learned[0]:
            self._keep(moment, begins.tolist(), chosen[:, VELOCITY].tolist(), (moment.late[begins] - meant).tolist())

    def _keep(self, moment: Moment, slots: list[int], velocities: list[float], moved: list[float]) -> None:
        """Remember how they were meant."""
        keys = [(self._tracks[slot], self._pitches[slot]) for slot in slots]
        self._meant[moment.step] = dict(zip(keys, zip(velocities, moved, strict=True), strict=True))

    def settle(self, moment: Moment) -> None:
        """The timestep has passed."""
        self._dynamics.settle(moment.bar)
        if self._learned[0]:
            begins = moment.begins
            self._accents.settle(moment.notes[begins[self._is_drum[begins]], VELOCITY].tolist())
        self._meant.pop(moment.step - REMEMBERED, None)


def _normal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Normally distributed numbers from two of uniform ones (Box and Muller)."""
    drawn: np.ndarray = np.sqrt(-2 * np.log(1 - one)) * np.cos(2 * math.pi * other)
    return drawn

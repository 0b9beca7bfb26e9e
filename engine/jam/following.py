"""Following: the chord that the player is at is heard, told to the network, and kept to.

Runs on: network process, or the caller of the offline render.

What comes too late for a step is not lost: as soon as his notes are heard, what was chosen is made to fit them, and what
sounds wrong already ends (`Step.correct`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.contract import Card
from engine.core.messages import CHORD, NEXT_CHORD, PLAYED_CHORD, PLAYER
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.jam.chords import FEATURES, Chord
from engine.jam.ear import Ear
from engine.jam.fit import Fit
from engine.jam.played import Played
from engine.jam.progression import Progression
from engine.jam.step import Event
from engine.network.noise import noise

STREAM = 2  # of the noise
NOW, NEXT = "chord", "next_chord"  # conditions of a network that hears chords


class Following:
    """For each step in turn `listen`, again where more was heard, `keep_to` what was chosen, `settle`.

    While nobody gives any chord the network is told those of a progression of its own; nothing is moved to keep to them.
    """

    def __init__(self, card: Card, live: Live, chart: Sequence[Chord] = (), metre: Metre | None = None) -> None:
        self.metre = metre or Metre(card.beats_per_bar, 4)
        self.ear = Ear(card, chart, self.metre)
        self._fit = Fit(card)
        self._played = Played(card)
        self._own = Progression()
        self._is_alone = False
        self._live = live
        self._per_quarter = card.steps_per_beat
        self._steps_per_beat, self._bar = card.steps_per_beat, card.steps_per_bar
        self._conditions = [c.name for c in card.conditions if c.name in (NOW, NEXT)]
        self._chosen = np.zeros((card.slots, len(card.channels)), np.float32)  # by the network, before anything moved
        self._notes, self._taken = self._chosen, np.zeros(card.slots, np.float32)  # as they sound
        self._before: Chord | None = None  # of the step that has passed
        self._kept: Chord | None = None  # that the choice was made to fit
        self._waits = False  # the bass for his note, in this step
        self._step = self._position = 0
        self._told: dict[int, tuple[int, int]] = dict.fromkeys((CHORD, NEXT_CHORD, PLAYED_CHORD), (0, 0))

    def take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on."""
        self._steps_per_beat, self._bar = metre.beat_steps(self._per_quarter), metre.steps(self._per_quarter)
        if metre != self.metre:
            self._own.forget()
            self._is_alone = False
        self.metre = metre
        self.ear.take_metre(metre)
        self._played.take_metre(metre)

    def clear(self) -> None:
        """Forget everything."""
        self.ear.clear()
        self._own.forget()
        self._is_alone = False
        self._played.clear()
        self._before = self._kept = None
        self._waits = False

    def listen(self, step: int, position: int, before: np.ndarray, now: np.ndarray, alone: bool) -> None:
        """Hear a timestep, see Ear.listen; `alone`: nobody has played for so long that the band goes its own way."""
        self._step, self._position = step, position
        self.ear.listen(step, position, before, now)
        alone = alone and not (self.ear.chart or self.ear.given) and bool(self._conditions) and self._live.get("follow") > 0
        if alone and not self._is_alone:
            bar = position // self._bar * self._bar // self._steps_per_beat
            self._own.begin(int(self._live.get("seed")), bar, self.metre.beats, self.ear.key)
        elif not alone and position % self._bar == 0 and (loop := self.ear.round):
            self._own.learn(loop, self.beat)
        self._is_alone = alone

    @property
    def now(self) -> Chord | None:
        """The chord that the band is to be at."""
        return self._own.at(self.beat) if self._is_alone else self.ear.now

    @property
    def following(self) -> Chord | None:
        """The chord of a beat later."""
        return self._own.at(self.beat + 1) if self._is_alone else self.ear.following

    @property
    def beat(self) -> int:
        """Number of the beat that was listened to last, counted from bar 1."""
        return self._position // self._steps_per_beat

    @property
    def begins_song(self) -> bool:
        """Whether a song begins with the step, with which the band is to begin anew, too."""
        return self._is_alone and self._position % self._steps_per_beat == 0 and self._own.begins_song(self.beat)

    def tell(self, inputs: dict[str, np.ndarray]) -> None:
        """Tell the network, where it has an ear for chords."""
        for name in self._conditions:
            of = self.now if name == NOW else self.following
            inputs[name][0] = np.zeros(FEATURES) if of is None else of.features()

    def keep_to(self, notes: np.ndarray, sounding: np.ndarray, taken: np.ndarray) -> None:
        """Make what the network chose for the step, `notes` (S, C), fit the chord, in place.

        `sounding` (S, C) a step before; `taken` (S,): 1 where the network did not choose.
        """
        self._chosen[:] = notes
        self._move(notes, sounding, taken)

    def fits(self) -> bool:
        """Whether the chord is the one that the choice was made to fit, and nothing waits any more."""
        same = self.ear.now is None or self.ear.now == self._kept
        return self._is_alone or (same and (not self._waits or self.ear.waits))

    def keep_again(self, notes: np.ndarray, sounding: np.ndarray, taken: np.ndarray) -> None:
        """The same for the chord as it is known now, of a step that sounds already: the next one begins no chord by that."""
        notes[:] = self._chosen
        self._move(notes, sounding, taken)
        self.settle()

    def _move(self, notes: np.ndarray, sounding: np.ndarray, taken: np.ndarray) -> None:
        self._keep(notes, sounding, taken)
        self._notes, self._taken = notes, taken

    def _keep(self, notes: np.ndarray, sounding: np.ndarray, taken: np.ndarray) -> None:
        self._waits = False
        self._kept = chord = self.now
        share = self._live.get("follow")
        if chord is None or share <= 0 or self._is_alone:
            return
        spared = taken
        if share < 1:
            spared = np.maximum(taken, noise(int(self._live.get("seed")), self._step, len(taken), STREAM) >= share)
        begins = chord != self._before or self._position % self._bar == 0
        within = self._position % self._steps_per_beat
        after = self.ear.following if within == self._steps_per_beat - 1 else chord
        ear = self.ear
        known = ear.sure, ear.tones
        self._fit.move(notes, sounding, spared, chord, after or chord, ear.key, begins, within == 0, *known)
        self._waits = ear.waits and self._fit.hold_back(notes, spared)

    def changes(self, frame: float) -> list[Event]:
        """What is to be told of the chords from this frame on, where it is another than was told last."""
        self._played.hear(self._step, self._notes, self._taken, self.now)
        found: list[Event] = []
        for kind, of in ((CHORD, self.now), (NEXT_CHORD, self.following), (PLAYED_CHORD, self._played.chord)):
            code = (0, 0) if of is None else of.code
            if code != self._told[kind]:
                self._told[kind] = code
                found.append((round(frame), self._step, kind, PLAYER, *code, 0.0))
        return found

    @property
    def told(self) -> tuple[int, tuple[int, int], tuple[int, int], tuple[int, int]]:
        """What was told last, as a record of CHORDS."""
        return self._step, self._told[CHORD], self._told[NEXT_CHORD], self._told[PLAYED_CHORD]

    def settle(self) -> None:
        """The step has passed."""
        self._before = self._kept

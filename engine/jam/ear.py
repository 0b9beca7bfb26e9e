"""The ear: which chord the player is at, and which one he will be at next, from his notes, from what comes round, from a chart.

Runs on: network process, or the caller of the offline render.

Beat by beat every chord has a score: how much of what he plays is in it, whether it is of the key, whether it is what the
rounds or the chart have at this place. A change costs little where a bar begins, more in its middle, most elsewhere; the
likeliest sequence is followed as it grows (Viterbi), and what a beat was taken for may still change in the beats after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.core.metre import Metre
from engine.jam.chart import relaid
from engine.jam.chords import CLASSES, RARITY, TONES, Chord, fit, key_of
from engine.jam.rounds import Rounds

STRUCK, HELD = 1.5, 0.75  # what a note is worth in a step in which it begins, and in one in which it goes on
CHANGE, CHANGE_IN_BAR, CHANGE_ELSEWHERE = 0.25, 0.5, 0.9  # what another chord costs: as a bar begins, in its middle, elsewhere
TOGETHER = (1.0, 1.0, 1.5, 2.0)  # weight of what is heard, by how many pitch classes sound at once; more are the last
EXPECTED = 1.2  # worth of being what comes round at this place, as far as it is sure that something does
OF_KEY = 0.6  # worth of having only tones that were heard often
KEEP = 0.995  # of what was heard for the key, from step to step: a minute and a half
UNDECIDED_BEATS = 8  # for so long what a beat was taken for may change
FORGET_BARS = 4  # so long without a note of his, and with nothing that comes round, no chord is known


class Ear:
    """Hears the chord. For each step in turn `listen`, again where more was heard; then `now`, `following` and `key`."""

    def __init__(self, card: Card, chart: Sequence[Chord] = (), metre: Metre | None = None) -> None:
        """`chart`: the chord of each beat, over and over; it is believed whatever is played. It is laid out in `metre`, by
        default the network's own."""
        self._pitched = np.concatenate([np.full(len(track.pitches), track.kind != "drums") for track in card.tracks])
        self._pitches = card.slot_pitches()
        self._classes = np.eye(12)[self._pitches % 12] * self._pitched[:, None]  # (S, 12): drums have no pitch
        self._per_quarter = card.steps_per_beat
        self._count(metre or Metre(card.beats_per_bar, 4))
        self.play_by(chart)
        self.clear()

    def clear(self) -> None:
        """Forget everything, the chart apart."""
        self.now: Chord | None = None
        self.following: Chord | None = None  # a beat later
        self.rounds = Rounds(self._bar)
        self._step = -1
        self._beat = np.zeros(12)  # what was heard in this beat, in the steps that are over
        self._lowest: int | None = None
        self._together = 0  # most pitch classes at once
        self._best = np.zeros(len(CLASSES))  # score of the likeliest sequence that ends in each class
        self._came: list[np.ndarray] = []  # for the last beats: the class before each class
        self._path: list[int] = []  # class of every beat, -1 where nothing was known
        self._sounded = np.zeros(12)  # for the key
        self._silent_beats = 0
        self._place = 0  # beat counted from bar 1

    def play_by(self, chart: Sequence[Chord]) -> None:
        """Believe a chart from here on, laid out in the metre that it is; an empty one: hear again."""
        self.chart = tuple(chart)
        self._written = self.chart, self._metre

    def take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on; what came round in the one before does not any more."""
        if metre == self._metre:
            return
        chart, before = self._written
        self.chart = relaid(chart, before.beats, metre.beats)
        self._count(metre)
        self.rounds = Rounds(self._bar)

    def _count(self, metre: Metre) -> None:
        self._metre = metre
        self._steps_per_beat, self._bar = metre.beat_steps(self._per_quarter), metre.beats
        strong = metre.strong if len(metre.groups) < metre.beats else (0, metre.bar / 2)
        self._in_bar = frozenset(at / metre.beat for at in strong[1:])

    @property
    def key(self) -> int | None:
        """Tonic of the major scale that he plays in, 0..11; None before anything was heard."""
        return key_of(self._sounded) if self._sounded.any() else None

    def listen(self, step: int, position: int, before: np.ndarray, now: np.ndarray) -> None:
        """Hear timestep `step`, which is `position` counted from bar 1; `before` and `now` (S, C): what the player played in
        the timestep before, and what he is known to play in this one."""
        if self._step < 0:
            self._step, self._place = step, position // self._steps_per_beat
        elif step != self._step:
            self._add(before)
            self._step = step
            if position % self._steps_per_beat == 0 or position // self._steps_per_beat != self._place:
                self._end_beat()
                self._place = position // self._steps_per_beat
        heard, lowest = self._heard(now)
        together = max(self._together, int((heard > 0).sum()))
        self._decide(self._beat + heard, self._lowest if lowest is None else lowest, together, bool(heard.any()))

    def _heard(self, notes: np.ndarray) -> tuple[np.ndarray, int | None]:
        """Pitch classes (12,) of the player's notes in a step, and the pitch of the lowest where several sound."""
        plays = (notes[:, PLAY] > 0) & self._pitched
        weights = plays * np.where(notes[:, HOLD] > 0, HELD, STRUCK)
        return weights @ self._classes, int(self._pitches[plays].min()) if plays.sum() > 1 else None

    def _add(self, notes: np.ndarray) -> None:
        heard, lowest = self._heard(notes)
        self._beat += heard
        self._sounded *= KEEP
        self._sounded += heard
        self._together = max(self._together, int((heard > 0).sum()))
        if lowest is not None:
            self._lowest = lowest

    def _scores(self, heard: np.ndarray, lowest: int | None, together: int) -> np.ndarray:
        """Score of the likeliest sequence that ends in each class, with what was heard in this beat so far."""
        scores: np.ndarray = np.maximum(self._best, self._best.max() - self._cost) - RARITY
        scores += TOGETHER[min(together, len(TOGETHER) - 1)] * fit(heard, lowest)
        if self._sounded.any():
            share = self._sounded / self._sounded.sum()
            scores += OF_KEY * (TONES @ np.minimum(share / 0.08, 1)) / TONES.sum(1)
        expected = self._comes_round(0)
        if expected >= 0:
            scores[expected] += EXPECTED * self.rounds.sure
        return scores

    @property
    def _cost(self) -> float:
        """What another chord costs that begins with this beat."""
        within = self._place % self._bar
        return CHANGE if within == 0 else CHANGE_IN_BAR if within in self._in_bar else CHANGE_ELSEWHERE

    def _comes_round(self, ahead: int) -> int:
        """Class of the beat so many beats from now, by what comes round; -1 where nothing says."""
        at = len(self._path) + ahead - self.rounds.period
        return self._path[at] if self.rounds.period and 0 <= at < len(self._path) else -1

    def _end_beat(self) -> None:
        """What was heard of a beat is all: go on to the next."""
        scores = self._scores(self._beat, self._lowest, self._together)
        self._silent_beats = 0 if self._beat.any() else self._silent_beats + 1
        stayed = self._best >= self._best.max() - self._cost
        self._came.append(np.where(stayed, np.arange(len(CLASSES)), int(self._best.argmax())))
        self._best = scores - scores.max()
        self._path.append(int(scores.argmax()) if self._knows else -1)
        at = int(scores.argmax())
        for back in range(1, min(UNDECIDED_BEATS, len(self._path))):
            at = int(self._came[-back][at])
            if self._path[-1 - back] >= 0:
                self._path[-1 - back] = at
        del self._came[:-UNDECIDED_BEATS]
        tones = TONES[self._path[-1]] if self._path[-1] >= 0 else np.zeros(12)
        self.rounds.add(np.concatenate([self._beat, tones]))
        self._beat = np.zeros(12)
        self._lowest, self._together = None, 0

    @property
    def round(self) -> tuple[Chord, ...]:
        """Chords of the last round, one a beat, the first expected now; none where no two of them come round for certain."""
        last = self._path[-self.rounds.period :] if self.rounds.sure >= 1 else []
        return tuple(CLASSES[at] for at in last) if len(set(last)) > 1 and min(last) >= 0 else ()

    @property
    def _knows(self) -> bool:
        """Whether there is anything to know a chord by."""
        return bool(self._sounded.any()) and (self._silent_beats < FORGET_BARS * self._bar or self.rounds.sure > 0)

    def _decide(self, heard: np.ndarray, lowest: int | None, together: int, anew: bool) -> None:
        """Say which chord it is now, and which is next."""
        if self.chart:
            self.now, self.following = (self.chart[(self._place + ahead) % len(self.chart)] for ahead in (0, 1))
            return
        if not self._knows and not anew:
            self.now = self.following = None
            return
        self.now = CLASSES[int(self._scores(heard, lowest, together).argmax())]
        after = self._comes_round(1)
        self.following = CLASSES[after] if after >= 0 else self.now

"""The ear: which chord the player is at, and which one he will be at next, from his notes, from what comes round, from a chart.

Runs on: network process, or the caller of the offline render.

A small recurrent network (engine/jam/recognition.py) says at every step how likely each chord is, now and a beat later. Of
these the one is taken that a band would do best with: a chord that shares root and tones with many likely ones is worth more
than one that is likeliest by a little and shares none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.core.metre import Metre
from engine.jam.chart import relaid
from engine.jam.chords import CLASSES, QUALITIES, ROOT_OF, TONES, Chord, key_of
from engine.jam.hearing import Beat, Hearing
from engine.jam.recognition import Recognition
from engine.jam.rounds import Rounds

ON_ROOT = 0.5  # what the right root is worth to a band, the rest is what share of a chord's tones is right
STAYS = 0.06  # what it is worth to stay where one is
KEPT_BEATS = 256  # of which the chord is kept: longer than any round
CERTAIN = 0.9  # how sure it has to be that something comes round, for whoever goes on with it alone
WAITS = 0.6  # likelihood of the root below which his note is waited for
HIS = 0.1  # what it is worth that a chord has all that he plays in this beat
NONE = 0.5  # likelier than this to be no chord, and none is said
OF_CHORD = 0.5  # likelier than this to be of the chord, and a pitch class is taken for one of its tones
FORGET_BARS = 4  # so long without a note of his, and with nothing that comes round, no chord is known

RARE = 0.3  # how far a diminished triad is believed: mostly it is a dominant whose root he leaves out
_BELIEVED = np.array([RARE if of.intervals == QUALITIES["dim"] else 1.0 for of in CLASSES] + [1.0], np.float32)

_INDEX: dict[Chord | None, int] = {of: at for at, of in enumerate(CLASSES)}
_SHARED = TONES @ TONES.T  # (classes, classes): tones in common
# How well a band does with each class where another is right: its root, and how many of its tones, and of the other's.
WORTH = ON_ROOT * (ROOT_OF[:, None] == ROOT_OF) + (1 - ON_ROOT) * (
    0.8 * _SHARED / TONES.sum(1, keepdims=True) + 0.2 * _SHARED / TONES.sum(1)
)
WORTH = WORTH.astype(np.float32)  # as the likelihoods are
_TONES = TONES.astype(np.float32)


class Ear:
    """Hears the chord. For each step in turn `listen`, again where more was heard; then `now`, `following` and `key`."""

    def __init__(self, card: Card, chart: Sequence[Chord] = (), metre: Metre | None = None) -> None:
        """`chart`: the chord of each beat, over and over; it is believed whatever is played. It is laid out in `metre`, by
        default the network's own."""
        pitched = [track.kind != "drums" for track in card.tracks for _ in track.pitches]
        self._pitched = np.asarray(pitched)  # (S,): drums have no pitch
        self._pitches = card.slot_pitches().tolist()
        self._per_quarter = card.steps_per_beat
        self._count(metre or Metre(card.beats_per_bar, 4))
        self._recognition = Recognition()
        self.play_by(chart)
        self.clear()

    def clear(self) -> None:
        """Forget everything, the chart apart."""
        self.now: Chord | None = None
        self.following: Chord | None = None  # a beat later
        self.sure = 0.0  # how likely it is that the root is that of `now`
        self.has_struck = False  # whether he is known to begin a note in this step
        self.given: Chord | None = None  # by the player's hand that holds the chords: believed until it gives another
        self.tones: frozenset[int] = frozenset()  # pitch classes that are likelier of the chord now than not
        self.hearing = Hearing(self._bar)
        self._recognition.clear()
        self._step = -1
        self._place = self._within = 0  # beat counted from bar 1, and step in it
        self._beat = Beat()  # what was heard in this beat, in the steps that are over
        self._path: deque[Chord | None] = deque(maxlen=KEPT_BEATS)  # the chord of every beat
        self._judged: object = None  # what was heard when it was last judged

    def play_by(self, chart: Sequence[Chord]) -> None:
        """Believe a chart from here on, laid out in the metre that it is; an empty one: hear again."""
        self.chart = tuple(chart)
        self._written = self.chart, self._metre

    def give(self, given: Chord | None) -> None:
        """Believe a chord from now on, whatever is played and whatever the chart says; None: hear again."""
        self.given, self._judged = given, None

    @property
    def rounds(self) -> Rounds:
        """What comes round."""
        return self.hearing.rounds

    def take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on; what came round in the one before does not any more."""
        if metre == self._metre:
            return
        chart, before = self._written
        self.chart = relaid(chart, before.beats, metre.beats)
        self._count(metre)
        self.hearing.take_bar(self._bar)

    def _count(self, metre: Metre) -> None:
        self._metre = metre
        self._steps_per_beat, self._bar = metre.beat_steps(self._per_quarter), metre.beats

    @property
    def key(self) -> int | None:
        """Tonic of the major scale that he plays in, 0..11; None before anything was heard."""
        return key_of(self.hearing.sounded) if self.hearing.sounded.any() else None

    def listen(self, step: int, position: int, before: np.ndarray, now: np.ndarray) -> None:
        """Hear timestep `step`, which is `position` counted from bar 1; `before` and `now` (S, C): what the player played in
        the timestep before, and what he is known to play in this one."""
        if step != self._step:
            if self._step >= 0:
                self._add(self._beat, *self._heard(before))
                if position % self._steps_per_beat == 0 or position // self._steps_per_beat != self._place:
                    self._end_beat()
            self._step = step
            self._place, self._within = divmod(position, self._steps_per_beat)
            self._judged = None
        heard = self._heard(now)
        self.has_struck = bool(heard[0])
        if heard != self._judged:
            self._judged = heard
            self._decide(*heard)

    @property
    def waits(self) -> bool:
        """Whether his note of this step is to come and will tell the chord: he mostly plays where this beat begins, it is not
        known yet what, and without it the root is not sure."""
        return (
            not (self.given or self.chart or self._within or self.has_struck)
            and self.sure < WAITS
            and self.hearing.comes(self._place)
        )

    def _heard(self, notes: np.ndarray) -> tuple[list[int], list[int]]:
        """Pitches that the player begins in a step, and those that go on."""
        struck: list[int] = []
        held: list[int] = []
        for slot in np.flatnonzero((notes[:, PLAY] > 0) & self._pitched).tolist():
            (held if notes[slot, HOLD] > 0 else struck).append(self._pitches[slot])
        return struck, held

    def _add(self, beat: Beat, struck: list[int], held: list[int]) -> None:
        beat.add(struck, held, self._within == 0, 1 / self._steps_per_beat)

    def _end_beat(self) -> None:
        """What was heard of a beat is all: go on to the next."""
        told = self.hearing.told(self._beat, self._place, 1.0)
        likely = self._recognition.judge(told)
        self._recognition.go_on()
        self.hearing.end(self._beat, self._place, likely)
        self._path.append(self.now)
        self._beat = Beat()

    @property
    def round(self) -> tuple[Chord, ...]:
        """Chords of the last round, one a beat, the first expected now; none where no two of them come round for certain."""
        rounds = self.rounds
        last = list(self._path)[-rounds.period :] if rounds.period and rounds.sure >= CERTAIN else []
        known = [of for of in last if of is not None]
        return tuple(known) if len(known) == len(last) and len(set(known)) > 1 else ()

    def _knows(self, beat: Beat) -> bool:
        """Whether there is anything to know a chord by."""
        hearing = self.hearing
        lasts = hearing.silent_beats < FORGET_BARS * self._bar or hearing.rounds.period > 0
        return beat.together > 0 or (bool(hearing.sounded.any()) and lasts)

    def _decide(self, struck: list[int], held: list[int]) -> None:
        """Say which chord it is now, and which is next."""
        if self.given is not None:
            self.now = self.following = self.given
            self.sure, self.tones = 1.0, self.given.tones
            return
        if self.chart:
            self.now, self.following = (self.chart[(self._place + ahead) % len(self.chart)] for ahead in (0, 1))
            self.sure, self.tones = 1.0, self.now.tones
            return
        beat = self._beat
        if struck or held:
            beat = beat.copy()
            self._add(beat, struck, held)
        if not self._knows(beat):
            self.now = self.following = None
            return
        told = self.hearing.told(beat, self._place, self._within / self._steps_per_beat)
        now, after = self._recognition.judge(told, 2) * _BELIEVED
        now, after = now / now.sum(), after / after.sum()
        self.now = self._best(now, self.now, beat)
        if self.now is not None:
            self.sure = float(now[:-1][self.now.root == ROOT_OF].sum())
            self.tones = frozenset(np.flatnonzero(now[:-1] @ _TONES > OF_CHORD).tolist())
        self.following = self._best(after, self.now)

    def _best(self, likely: np.ndarray, stays: Chord | None, beat: Beat | None = None) -> Chord | None:
        """The chord that a band does best with; `beat`: what he plays over it."""
        if likely[-1] > NONE:
            return None
        worth = WORTH @ likely[:-1]
        if beat is not None and beat.together:
            worth += HIS / beat.planes[0].sum() * (_TONES @ beat.planes[0])
        if (at := _INDEX.get(stays)) is not None:  # a chart may have chords that the ear does not tell apart
            worth[at] += STAYS
        return CLASSES[int(worth.argmax())]

"""What was played, remembered by the bar: to be played again exactly, or like it, or to be forgotten.

Runs on: network process, main thread, or the caller of the offline render.

`loop`: the last bars of the band over and over, note for note; the network hears them as its own.
`more`: for one phrase the network stands where it stood before the last one, and is told a good part of what it played then.
`forget`: the network stands where it stood a phrase ago, as if what came since had never been; other dice do the rest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.core.contract import Card
from engine.core.parameters import Live, Parameter, trigger
from engine.jam.shape.moment import Moment
from engine.jam.shape.shaper import Shaper, pulled
from engine.network.noise import noise

MOST_BARS = 16
LOUDNESS = 0.63  # of what went on where a loop begins, and has to begin
RECALLED = 0.7  # share of a phrase, track by track and beat by beat, that is told again
STREAM = 3  # of the noise
PARAMETERS = (
    trigger("more", "More like that: from the next bar on it plays a variation of its last phrase"),
    trigger("forget", "Forget that: it goes on as if its last phrase had never been"),
    Parameter("phrase", 1, 8, 4, "How many bars a phrase has that is varied or forgotten", "bars", "integer"),
    Parameter("loop", 0, MOST_BARS, 0, "The band repeats its last bars exactly, so many; 0: it plays on", "bars", "integer"),
)
States = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class _Step:
    """A timestep as it was."""

    position: int
    asked: np.ndarray  # (S, C): as the network knows it
    sounded: np.ndarray  # (S, C)
    loudness: np.ndarray  # (S,)
    late: np.ndarray  # (S,)


class Memory(Shaper):
    """Keeps the last bars, and the network's states where each began."""

    def __init__(self, card: Card, live: Live) -> None:
        super().__init__(card, live)
        self._slots = list(card.track_slices().values())
        self._seen = {name: live.get(name) for name in ("more", "forget")}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._steps: deque[_Step] = deque()
        self._states: dict[int, States] = {}  # by position: as it was before the timestep there was chosen
        self._length = 0  # bars that are repeated
        self._looped: list[_Step] = []
        self._varied: list[_Step] = []
        self._began = 0  # position at which what is repeated or varied began
        self._wants_more = False
        self._asked: np.ndarray | None = None  # what was chosen, before it was moved to where it sounds

    @property
    def is_looping(self) -> bool:
        """Whether what sounds is a repetition."""
        return bool(self._looped)

    def ask(self, moment: Moment) -> None:
        """Recall, where that is asked for."""
        if pulled(self.live, "forget", self._seen):
            self._forget(moment)
        self._wants_more |= pulled(self.live, "more", self._seen)
        if moment.begins_bar:
            self._begin_bar(moment)
        at = moment.position - self._began
        if self._looped:
            moment.dictate(slice(None), self._looped[at % len(self._looped)].asked)
        elif 0 <= at < len(self._varied):
            self._tell_again(moment, self._varied[at])

    def _forget(self, moment: Moment) -> None:
        back = self._reach(moment, int(self.live.get("phrase")))
        if not back:
            return
        then = moment.position - back
        place = min(self._states, key=lambda position: abs(position - then))
        moment.runner.restore(self._states[place])
        # What is older is now as far away as it was then: to pull again leads further back.
        self._states = {position + back: states for position, states in self._states.items() if position <= then}
        self._steps.clear()
        self._varied = []
        self._wants_more = False

    def _reach(self, moment: Moment, bars: int) -> int:
        """So many bars, or as many of them as are remembered; in timesteps."""
        oldest = min(self._states, default=moment.position)
        return min(bars, (moment.position - oldest) // moment.bar) * moment.bar

    def _begin_bar(self, moment: Moment) -> None:
        wanted = int(self.live.get("loop"))
        if wanted != self._length:
            self._looped = self._last(wanted, moment.bar) if wanted else []
            self._length = wanted if self._looped or not wanted else 0
            self._began = moment.position
        if self._wants_more and not self._looped:
            self._varied = self._last(int(self.live.get("phrase")), moment.bar)
            before = self._states.get(moment.position - len(self._varied))
            if self._varied and before is not None:
                moment.runner.restore(before)
            self._began = moment.position
        self._wants_more = False

    def _last(self, bars: int, bar: int) -> list[_Step]:
        """The last bars, whole ones, as many as there are."""
        bars = min(bars, len(self._steps) // bar)
        return list(self._steps)[len(self._steps) - bars * bar :]

    def _tell_again(self, moment: Moment, then: _Step) -> None:
        beat = moment.position // self.card.steps_per_beat
        draw = noise(int(self.live.get("seed")), beat, len(self._slots), STREAM)
        for slots in np.asarray(self._slots, object)[draw < RECALLED]:
            moment.dictate(slots, then.asked[slots])

    def shape(self, moment: Moment) -> None:
        """Before anything is moved to where it sounds."""
        self._asked = moment.notes.copy()

    def repeat(self, moment: Moment) -> None:
        """What is repeated sounds as it did, whatever else was asked for."""
        if not self._looped:
            return
        then = self._looped[(moment.position - self._began) % len(self._looped)]
        free = moment.clamped < 0.5
        moment.notes[free] = then.sounded[free]
        moment.loudness[:], moment.late[:] = then.loudness, then.late
        moment.begin_anew(LOUDNESS)

    def _step(self, moment: Moment) -> _Step:
        assert self._asked is not None  # it was chosen
        free = (moment.clamped < 0.5)[:, None]
        own = np.where(free, self._asked, 0), np.where(free, moment.notes, 0)
        return _Step(moment.position, *own, moment.loudness.copy(), moment.late.copy())

    def correct(self, moment: Moment) -> None:
        """What was remembered of the timestep has been put right since."""
        if self._steps and self._steps[-1].position == moment.position:
            self._steps[-1] = self._step(moment)

    def settle(self, moment: Moment) -> None:
        """Remember it."""
        if self._steps and moment.position != self._steps[-1].position + 1:  # the beat went elsewhere
            self._steps.clear()
            self._states.clear()
        self._steps.append(self._step(moment))
        while len(self._steps) > MOST_BARS * moment.bar:
            self._steps.popleft()
        following = moment.position + 1
        if following % self.card.steps_per_beat == 0 or following % moment.bar == 0:
            self._states[following] = moment.runner.states()
            while following - min(self._states) > MOST_BARS * moment.bar:
                del self._states[min(self._states)]

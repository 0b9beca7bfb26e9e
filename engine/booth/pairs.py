"""Which two clips are to be compared next: the least heard first, later those that are about as good.

Whoever has cast as many votes as count in full is asked what the others have answered already: one of the best clips against
one of the worst. More of his votes would weigh nothing; by these it is known whether he listens.

Runs on: booth process, event loop.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

ENOUGH = 8  # votes a clip, after which pairs are of about equal strength
ACROSS = 0.1  # share of the pairs that compare a clip with one of an earlier generation
NEAR = 4  # of so many of about equal strength one is taken
SOME = 4  # votes a clip, after which it is known which are the best and the worst
ENDS = 0.1  # share of the clips that are the best, and the worst


class Pair(NamedTuple):
    """Two clips, in the order in which they are heard."""

    first: int
    second: int
    across: bool


class Pairs:
    """Chooses pairs among the clips of the generation that is open, and now and then one of an earlier one."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()
        self._here: list[int] = []
        self._earlier: list[int] = []
        self._heard: dict[int, int] = {}
        self._strengths: dict[int, float] = {}

    def open(self, here: Sequence[int], earlier: Sequence[int], heard: Mapping[int, int]) -> None:
        """Another generation is open; `heard`: how often each clip was voted on by now."""
        self._here, self._earlier = list(here), list(earlier)
        self._heard = {clip: heard.get(clip, 0) for clip in (*here, *earlier)}
        self._strengths = {}

    def ranked(self, strengths: Mapping[int, float]) -> None:
        """Take the strengths as they are now."""
        self._strengths = dict(strengths)

    def heard(self, clip: int) -> int:
        """How often a clip was handed out, votes that did not come left out."""
        return self._heard.get(clip, 0)

    def take_back(self, pair: Pair) -> None:
        """A pair that was handed out was not voted on."""
        for clip in pair[:2]:
            if clip in self._heard:
                self._heard[clip] -= 1

    def take(self, avoid: Collection[int] = (), enough: bool = False) -> Pair | None:
        """Return the next pair, sides at random, or None; `avoid`: clips that the visitor has just heard.

        `enough`: he has voted so often that more of his votes would weigh nothing.
        """
        if len(self._here) < 2:
            return None
        if enough and self._strengths and min(self._heard[clip] for clip in self._here) >= SOME:
            return self._known(avoid)
        one = self._least(self._here, avoid)
        across = bool(self._earlier) and self._chance.random() < ACROSS
        if across:
            other = self._least(self._earlier, avoid)
        elif self._heard[one] < ENOUGH or not self._strengths:
            other = self._least([clip for clip in self._here if clip != one], avoid)
        else:
            one = self._chance.choice(self._here) if self._all_heard_enough() else one
            other = self._like(one, avoid)
        return self._sided(one, other, across)

    def _sided(self, one: int, other: int, across: bool) -> Pair:
        for clip in (one, other):
            self._heard[clip] += 1
        return Pair(one, other, across) if self._chance.random() < 0.5 else Pair(other, one, across)

    def _known(self, avoid: Collection[int]) -> Pair:
        """A clip that is among the best, and one that is among the worst."""
        order = sorted(self._here, key=lambda clip: (-self._strengths.get(clip, 0.0), clip))
        count = max(round(ENDS * len(order)), 1)
        ends = [[clip for clip in end if clip not in avoid] or end for end in (order[:count], order[-count:])]
        return self._sided(self._chance.choice(ends[0]), self._chance.choice(ends[1]), False)

    def _least(self, clips: Sequence[int], avoid: Collection[int]) -> int:
        fresh = [clip for clip in clips if clip not in avoid] or clips
        least = min(self._heard[clip] for clip in fresh)
        return self._chance.choice([clip for clip in fresh if self._heard[clip] == least])

    def _all_heard_enough(self) -> bool:
        return min(self._heard[clip] for clip in self._here) >= ENOUGH

    def _like(self, one: int, avoid: Collection[int]) -> int:
        """One of those that are about as strong, as in a Swiss tournament."""
        mine = self._strengths.get(one, 0.0)
        others = [clip for clip in self._here if clip != one and clip not in avoid] or [c for c in self._here if c != one]
        others.sort(key=lambda clip: abs(self._strengths.get(clip, 0.0) - mine))
        return self._chance.choice(others[:NEAR])
